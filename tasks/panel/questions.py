"""The questions put to synthetic data."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskSpecification:
    """A task: its name, the metric families that answer it, and the question in one line."""

    name: str
    families: tuple[str, ...]
    question: str


TASKS: tuple[TaskSpecification, ...] = (
    TaskSpecification(
        "fidelity", ("support", "distribution", "structure"), "are synthetic profiles distributed like real ones?"
    ),
    TaskSpecification("detection", ("detection",), "can a classifier tell synthetic profiles from real ones?"),
    TaskSpecification(
        "classification",
        ("utility",),
        "does a classifier trained on synthetic profiles recognise real ones, for every label column?",
    ),
    TaskSpecification("paired", ("paired",), "do slide and text say more of a patient's profile than the label does?"),
    TaskSpecification(
        "augmentation", ("utility",), "do synthetic profiles help a classifier beside real ones, many, few or scarce?"
    ),
    TaskSpecification(
        "biology", ("biology",), "do types differ in the same genes, gene sets and co-expression modules?"
    ),
    TaskSpecification(
        "privacy", ("privacy",), "are synthetic profiles copies, and do they tell who was a training patient?"
    ),
)

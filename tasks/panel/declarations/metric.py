"""What a metric declares: its name, direction, anchors, cost and source, its words in tables, its computation."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, get_args

from gexbench.metrics.shared.arrays import Matrix

Goal = Literal["match", "higher", "lower", "skill", "diagnostic"]
Family = Literal[
    "support", "distribution", "structure", "detection", "utility", "biology", "paired", "privacy", "other"
]
Panel = Literal["core", "extended"]
Group = Literal["core", "extended", "scarce"]
"""Panel that a metric belongs to, or `scarce`: of generators fitted on a share of the training patients, in both."""
Need = Literal["labels", "pairs", "training", "members", "gene sets"]
Anchor = Literal["worst-trivial", "real-holdout", "majority", "trtr", "label-draws"]
Table = Literal["main", "ablations"]

PANEL_SCHEMA = 3
"""Of what a panel leaves beside its metrics' values (reference values, sums by cluster): a new one scores kept rows
anew and prepares folds anew; no training depends on it."""

FAMILY_WEIGHTS: Mapping[Family, float] = MappingProxyType(
    {"support": 1.0, "distribution": 1.0, "structure": 1.0, "detection": 1.0, "utility": 1.0, "biology": 1.0}
)
"""Weights of the families in the overall score; families outside stand beside it."""

_NAME = re.compile(r"([a-z][a-z0-9_]{0,63}\.)?[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, as its computation, tables, scores and records know it.

    A value is stored under ``name``, or under ``name[label]`` where ``per_label`` is set (one value per label
    column of the cohort). The name of a metric of another package begins with the package's: ``package.name``.

    goal: ``match`` (as close as possible to the ceiling), ``higher``, ``lower``, ``skill`` (0 = the floor's
        level, 1 = perfect, negative allowed; never part of the overall score), ``diagnostic`` (no direction).
    range: smallest and largest possible value; infinities allowed.
    cost: words for the growth of time and memory.
    reference: where the metric was published; "this suite" where it was not.
    floor, ceiling: a number, or the reference that sets it: ``worst-trivial`` (the worse of gene-shuffle and
        class-mean, per metric and fold), ``real-holdout``, ``majority``, ``trtr``, ``label-draws``.
    version: a new one makes new records; raise it when the same rows give another value.
    needs: ``labels`` (of the rows), ``pairs`` (synthetic row i belongs to real row i, or several draws of it),
        ``training`` (real training rows), ``members`` (training and test patients that are exchangeable),
        ``gene sets`` (of a user's file). A metric without ``training`` never
        sees real training rows.
    unit: of the value, "1" for a pure number.
    short, detail: head of its column, and a word that tells it from columns with the same head; by default the name.
    tables: those that show it beside the table of all metrics; of a metric per label, the finest label.
    compute: `Comparison` → its value, or `Findings` with figures beside it; with the keyword argument ``label`` where
        ``per_label`` is set. None where a step of its task computes it together with others.

    Raises ValueError that lists every contradiction at once.
    """

    name: str
    title: str
    family: Family
    goal: Goal
    range: tuple[float, float]
    cost: str
    reference: str
    floor: Anchor | float | None = None
    ceiling: Anchor | float | None = None
    version: int = 1
    needs: tuple[Need, ...] = ()
    unit: str = "1"
    panel: Group = "core"
    in_overall: bool = False
    per_label: bool = False
    short: str = ""
    detail: str = ""
    tables: tuple[Table, ...] = ()
    compute: Callable[..., "float | Findings"] | None = None

    def __post_init__(self) -> None:
        problems = [*_vocabulary_problems(self), *_goal_problems(self)]
        if problems:
            raise ValueError(f"metric {self.name!r}: " + "; ".join(problems))
        for name in ("needs", "tables"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not self.short:
            object.__setattr__(self, "short", in_words(self.name))

    def key(self, label: str | None = None) -> str:
        """What its value is stored under: ``name``, or ``name[label]``."""
        return self.name if label is None else f"{self.name}[{label}]"

    @property
    def package(self) -> str:
        """Package that it comes from, as its name has it; empty for a metric of the suite."""
        return self.name.rpartition(".")[0]


def in_words(name: str) -> str:
    """A name as a heading, without its package."""
    return name.rpartition(".")[2].replace("_", " ")


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """What a computation leaves: metric values, per-class values, figures that stand beside a metric.

    per_class, extra: by name; evaluation puts the label behind a name of ``per_class`` where the step has one.
    per_row: metric → (n_test,) values whose mean is the metric, NaN for a row that takes no part.
    gates: figure of a gate → its numbers, see ``gates.verdicts``.
    """

    values: Mapping[Metric, float]
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    extra: Mapping[str, float] = field(default_factory=dict)
    per_row: Mapping[Metric, Matrix] = field(default_factory=dict)
    gates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def _vocabulary_problems(spec: Metric) -> list[str]:
    problems = []
    if not _NAME.fullmatch(spec.name):
        problems.append("the name must match [a-z][a-z0-9_]{0,63}, with a package and a dot before it or not")
    choices: tuple[tuple[str, object, tuple[str, ...]], ...] = (
        ("family", spec.family, get_args(Family)),
        ("goal", spec.goal, get_args(Goal)),
        ("panel", spec.panel, get_args(Group)),
    )
    problems += [
        f"{part} {value!r} is none of {', '.join(known)}" for part, value, known in choices if value not in known
    ]
    for part, anchor in (("floor", spec.floor), ("ceiling", spec.ceiling)):
        if isinstance(anchor, str) and anchor not in get_args(Anchor):
            problems.append(f"{part} {anchor!r} is none of {', '.join(get_args(Anchor))}")
    for part, given, known in (("needs", spec.needs, get_args(Need)), ("tables", spec.tables, get_args(Table))):
        unknown = sorted(set(given) - set(known))
        if unknown:
            problems.append(f"{part} {unknown} are unknown; known: {', '.join(known)}")
    problems += [
        f"{part} is empty" for part in ("title", "cost", "unit", "reference") if not getattr(spec, part).strip()
    ]
    if spec.version < 1:
        problems.append(f"version {spec.version} is below 1")
    low, high = spec.range
    if not low < high:
        problems.append(f"range ({low}, {high}) is empty")
    for part, anchor in (("floor", spec.floor), ("ceiling", spec.ceiling)):
        if isinstance(anchor, float | int) and not (math.isfinite(anchor) and low <= anchor <= high):
            problems.append(f"{part} {anchor} lies outside the range ({low}, {high})")
    return problems


def _goal_problems(spec: Metric) -> list[str]:
    problems = []
    if spec.goal == "match" and (spec.ceiling is None or spec.floor is not None):
        problems.append("goal 'match' takes a ceiling and no floor")
    if spec.goal == "skill" and (spec.floor is None or spec.ceiling is not None):
        problems.append("goal 'skill' takes a floor and no ceiling")
    if spec.goal == "diagnostic" and (spec.floor is not None or spec.ceiling is not None):
        problems.append("goal 'diagnostic' takes neither floor nor ceiling")
    if spec.in_overall and spec.goal not in ("match", "higher", "lower"):
        problems.append(f"goal {spec.goal!r} cannot enter the overall score; set in_overall to False")
    if spec.in_overall and spec.goal in ("higher", "lower") and (spec.floor is None or spec.ceiling is None):
        problems.append("a metric of the overall score needs a floor and a ceiling")
    if spec.in_overall and spec.family not in FAMILY_WEIGHTS:
        problems.append(f"the family {spec.family!r} stands beside the overall score, never in it")
    if spec.in_overall and spec.floor == "label-draws":
        problems.append("label-draws is the floor of skills only")
    if isinstance(spec.floor, float | int) and isinstance(spec.ceiling, float | int):
        rises = spec.floor < spec.ceiling
        if spec.floor == spec.ceiling or (spec.goal == "higher") != rises:
            problems.append(f"floor {spec.floor} and ceiling {spec.ceiling} contradict the goal {spec.goal!r}")
    if spec.per_label and "labels" not in spec.needs:
        problems.append("per_label needs 'labels'")
    return problems

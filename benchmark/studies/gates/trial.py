"""One repetition: patients of a known distribution, rows made in several ways, and the verdicts of the gates."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.gates.class_copula import class_copula_rows
from gexbench.metrics.space import fit_space
from gexbench.tasks.panel.declarations.rows import PartLabels, RealRows
from gexbench.tasks.panel.gates import verdicts
from gexbench.tasks.panel.questions.privacy import Figures, attack_figures, copy_figures
from gexbench.tasks.panel.questions.privacy_grounds import compared, pools

GENES, FACTORS = 40, 5
CLASSES = np.array(["a", "b"])
TRAIN, VALIDATION = 2.4, 0.6
"""Patients per audit patient; test patients are as many as audit patients."""
FOLDS = (1, 3, 5)

Rows = NDArray[np.float64]
Parts = dict[str, Rows]


def _drawn(labels: NDArray[np.str_], rng: np.random.Generator) -> Rows:
    world = np.random.default_rng(0)
    centres, loadings = world.normal(5, 1, (len(CLASSES), GENES)), world.normal(0, 0.4, (FACTORS, GENES))
    hidden = rng.normal(size=(len(labels), FACTORS)) @ loadings
    return np.asarray(centres[np.searchsorted(CLASSES, labels)] + hidden + rng.normal(0, 0.5, (len(labels), GENES)))


def simulated_fold(size: int, rng: np.random.Generator) -> RealRows:
    """Patients of a fold with ``size`` audit patients, classes of 60 and 40 %."""
    sizes = {"train": round(TRAIN * size), "validation": round(VALIDATION * size), "test": size, "audit": size}
    labels = {part: CLASSES[(np.arange(each) % 5 >= 3).astype(int)] for part, each in sizes.items()}
    rows = {part: _drawn(each, rng).astype(np.float32) for part, each in labels.items()}
    ids = {part: np.array([f"{part}{row}" for row in range(each)]) for part, each in sizes.items()}
    return RealRows(
        genes=tuple(f"G{gene}" for gene in range(GENES)),
        train=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        audit=rows["audit"],
        train_ids=ids["train"],
        validation_ids=ids["validation"],
        test_ids=ids["test"],
        audit_ids=ids["audit"],
        labels={"class": PartLabels(**labels)},
        finest="class",
        left_out={},
        set_rows=np.arange(size),
        floor=None,
        exchangeable=True,
    )


def _labels(fold: RealRows) -> dict[str, NDArray[np.str_]]:
    return {"test": fold.test_labels, "train": fold.labels[fold.finest].train}


def honest(fold: RealRows, rng: np.random.Generator) -> Parts:
    """Fresh draws: nobody is remembered."""
    return {part: _drawn(labels, rng) for part, labels in _labels(fold).items()}


def class_copula(fold: RealRows, rng: np.random.Generator) -> Parts:
    """What the yardstick of membership makes, with other draws."""
    seed, known = int(rng.integers(2**31)), fold.labels[fold.finest].train
    return {part: class_copula_rows(fold.train, known, labels, seed) for part, labels in _labels(fold).items()}


def means(fold: RealRows, rng: np.random.Generator, *, donors: int, share: float) -> Parts:
    """A share of the rows are means of training rows of their class, spread restored; the others are honest."""
    made, known = honest(fold, rng), fold.labels[fold.finest].train
    for part, labels in _labels(fold).items():
        for at in np.flatnonzero(rng.random(len(labels)) < share):
            own = fold.train[known == labels[at]]
            centre = own.mean(axis=0, dtype=np.float64)
            chosen = own[rng.choice(len(own), donors, replace=False)].mean(axis=0)
            made[part][at] = centre + np.sqrt(donors) * (chosen - centre)
    return made


def _means(donors: int, share: float) -> Callable[[RealRows, np.random.Generator], Parts]:
    def make(fold: RealRows, rng: np.random.Generator) -> Parts:
        return means(fold, rng, donors=donors, share=share)

    return make


MAKERS: Mapping[str, Callable[[RealRows, np.random.Generator], Parts]] = {
    "honest": honest,
    "class copula": class_copula,
    "5 % copies": _means(1, 0.05),
    "10 % copies": _means(1, 0.10),
    "20 % copies": _means(1, 0.20),
    "30 % means of six": _means(6, 0.30),
    "means of six": _means(6, 1.0),
}


def repetition(size: int, number: int) -> dict[str, str]:
    """`MAKER:FOLDS` → the gates that fail on the first folds, joined by `+`; `few` where patients are too few."""
    figures: dict[str, list[Figures]] = {name: [] for name in MAKERS}
    for index in range(max(FOLDS)):
        rng = np.random.default_rng([size, number, index])
        fold = simulated_fold(size, rng)
        space = fit_space(fold.train)
        rows = [space.standardise(getattr(fold, part), part) for part in ("train", "validation", "test", "audit")]
        known, who = pools(*rows), compared(fold, space, index)
        for name, make in MAKERS.items():
            parts = {part: space.standardise(made, part) for part, made in make(fold, rng).items()}
            figures[name].append(copy_figures(parts, known) | attack_figures(parts, who))
    return {
        f"{name}:{count}": _outcome(figures[name][:count])
        for name in MAKERS
        for count in FOLDS
        if count <= len(figures[name])
    }


def _outcome(folds: list[Figures]) -> str:
    found = verdicts(folds, reference=False)
    failed = [verdict.gate for verdict in found if verdict.state == "failed"]
    if failed:
        return "+".join(failed)
    return "few" if any(verdict.state == "too few patients" for verdict in found) else "passed"

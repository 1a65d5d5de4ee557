"""Cheats: rows that no honest generator would make, each from a reference's rows and one change to them.

A cheat that spoils honest rows starts from the very rows of real-holdout, so that the difference between the two is
what the change does and nothing else. (Rows of a fitted generator would bring that generator's own faults along.)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.benchmark.cells.training import compact
from gexbench.benchmark.studies.cheats.few_donors import averaged_rows, blended_rows, mosaic_rows
from gexbench.benchmark.studies.cheats.many_donors import (
    averages,
    cluster_copulas,
    gated_averages,
    herded_averages,
    mixed_rows,
)
from gexbench.benchmark.studies.cheats.smoothing import bootstrapped_rows, neighbour_averages
from gexbench.tasks.panel.declarations.rows import RealRows
from gexbench.tasks.seeds import derive_seed

HONEST = "real-holdout"
DROPPED_SHARE = 0.1
"""A class that is dropped holds at least this share of the training patients."""

Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows (n, genes) in the cohort's unit; labels: (n,) finest label of the patient whose condition asked for each."""

    rows: Rows
    labels: NDArray[np.str_]


Change = Callable[[Part, RealRows, np.random.Generator], Rows]
"""Rows (n, genes) in place of a part's; a pure function of the part, the real fold and the random generator."""


@dataclass(frozen=True, slots=True)
class Cheat:
    """A row of the page.

    Attributes:
        name: key of its records.
        title: what it does, one line.
        source: the reference generator whose rows it starts from.
        repeat: index of that reference's seed.
        change: what it does to these rows; None leaves them.
        version: a new one makes new records.
    """

    name: str
    title: str
    source: str
    repeat: int = 0
    change: Change | None = None
    version: int = 1

    @property
    def spoils_honest_rows(self) -> bool:
        """Whether it starts from the rows of real-holdout and changes them."""
        return self.source == HONEST and self.change is not None


def noisy(part: Part, fold: RealRows, rng: np.random.Generator, *, sds: float) -> Rows:
    """Normal noise of `sds` training sds per gene added; values below the unit's floor are set to it."""
    sd = fold.train.std(axis=0, dtype=np.float64).astype(np.float32)
    rows: Rows = part.rows + np.float32(sds) * sd * rng.standard_normal(part.rows.shape, dtype=np.float32)
    if fold.floor is not None:
        np.maximum(rows, np.float32(fold.floor), out=rows)
    return rows


def shrunk(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Every row pulled half-way to the mean of its class's training rows: a quarter of the variance within classes."""
    rows, train_labels = part.rows.copy(), fold.labels[fold.finest].train
    for name in np.unique(part.labels):
        mine = part.labels == name
        centre = fold.train[train_labels == name].mean(axis=0, dtype=np.float64)
        rows[mine] = (rows[mine] + centre) / 2
    return rows


def dropped_class(fold: RealRows) -> str:
    """The smallest class with at least a tenth of the training patients; the largest class where none has."""
    names, counts = np.unique(fold.labels[fold.finest].train, return_counts=True)
    enough = counts >= DROPPED_SHARE * counts.sum()
    at = np.flatnonzero(enough)[counts[enough].argmin()] if enough.any() else counts.argmax()
    return str(names[at])


def class_dropped(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Rows of `dropped_class` replaced by rows of the same part that other classes asked for."""
    gone = part.labels == dropped_class(fold)
    rows = part.rows.copy()
    rows[gone] = part.rows[rng.choice(np.flatnonzero(~gone), size=int(gone.sum()))]
    return rows


def labels_swapped(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """The same rows, each handed to a patient of another class (where no class holds more than half of the patients).

    In the order of the classes every row moves on by the size of the largest class.
    """
    order = np.argsort(part.labels, kind="stable")
    largest = int(np.unique(part.labels, return_counts=True)[1].max())
    rows = np.empty_like(part.rows)
    rows[order] = part.rows[np.roll(order, largest)]
    return rows


def gene_saturated(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """The gene of median training variance held at its training maximum."""
    variances = fold.train.var(axis=0, dtype=np.float64)
    gene = int(np.argsort(variances, kind="stable")[len(variances) // 2])
    rows = part.rows.copy()
    rows[:, gene] = fold.train[:, gene].max()
    return rows


def train_copied(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Rows for training patients replaced by training rows of the same class; those for test patients stay."""
    if len(part.rows) != len(fold.train) or not np.array_equal(part.labels, fold.labels[fold.finest].train):
        return part.rows
    order, copies = np.argsort(part.labels, kind="stable"), np.empty_like(part.rows)
    mixed = rng.permutation(len(order))
    copies[order] = fold.train[mixed[np.argsort(part.labels[mixed], kind="stable")]]
    return copies


def validation_copied(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Validation rows of the class; of a class without one the rows stay."""
    rows, labels = part.rows.copy(), fold.labels[fold.finest].validation
    for name in np.intersect1d(part.labels, labels):
        mine = part.labels == name
        rows[mine] = fold.validation[rng.choice(np.flatnonzero(labels == name), size=int(mine.sum()))]
    return rows


def train_blend(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Each row mixed with a training row of its class so that it is as far from either, means and covariances kept."""
    return blended_rows(part.rows, part.labels, fold, rng)


def train_trio(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Each row averaged with two training rows of its class, drawn apart so that means and covariances are kept."""
    return averaged_rows(part.rows, part.labels, fold, rng, others=2)


def train_mosaic(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Modules of genes from each row and from a training row of its class, about equally far from either."""
    return mosaic_rows(part.rows, part.labels, fold, rng)


def smoothed_bootstrap(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Each row with noise of half an sd of its class's covariance, shrunk so that the covariance is kept."""
    return bootstrapped_rows(part.rows, part.labels, fold, rng)


def nearest_average(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """The mean of the training rows of the class nearest to each row, itself among them, spread kept."""
    return neighbour_averages(part.rows, part.labels, fold, rng)


def of_many(made: Callable[[NDArray[np.str_], RealRows, np.random.Generator], Rows]) -> Change:
    """A change that reads the labels of a part alone."""

    def change(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
        return made(part.labels, fold, rng)

    return change


def test_rows_read(part: Part, fold: RealRows, rng: np.random.Generator, *, noise: float) -> Rows:
    """Rows for test patients replaced by their own test rows plus normal noise; those for training patients stay."""
    draws = len(part.rows) // len(fold.test)
    if len(part.rows) % len(fold.test) or not np.array_equal(part.labels, np.repeat(fold.test_labels, draws)):
        return part.rows
    return noisy(Part(np.repeat(fold.test, draws, axis=0), part.labels), fold, rng, sds=noise)


def all_equal(part: Part, fold: RealRows, rng: np.random.Generator) -> Rows:
    """Every row is the mean of all training rows."""
    return np.tile(fold.train.mean(axis=0, dtype=np.float64).astype(np.float32), (len(part.rows), 1))


CHEATS: tuple[Cheat, ...] = (
    Cheat("train-copy", "training samples of the same type", "train-copy"),
    Cheat(
        "train-copy-noise-0.5", "training samples plus noise of 0.5 sd", "train-copy", change=partial(noisy, sds=0.5)
    ),
    Cheat("train-copy-noise-1", "training samples plus noise of 1 sd", "train-copy", change=partial(noisy, sds=1.0)),
    Cheat("train-blend", "two training samples of the type mixed, its spread kept", "train-copy", change=train_blend),
    Cheat("train-trio", "the mean of three training samples of the type, spread kept", "train-copy", change=train_trio),
    Cheat("train-mosaic", "modules of genes from two training samples of the type", "train-copy", change=train_mosaic),
    Cheat(
        "smoothed-bootstrap",
        "training samples plus correlated noise of 0.5 sd of the type, spread kept",
        "train-copy",
        change=smoothed_bootstrap,
    ),
    Cheat(
        "nearest-average",
        "the mean of five neighbouring training samples of the type, spread kept",
        "train-copy",
        change=nearest_average,
    ),
    *(
        Cheat(
            f"average-{donors}",
            f"the mean of {donors} training samples of the type, marginals restored",
            "class-gaussian",
            change=of_many(partial(averages, donors=donors)),
        )
        for donors in (6, 12, 24)
    ),
    Cheat(
        "gated-average",
        "the mean of three training samples, redrawn while a copy gate flags it, marginals restored",
        "class-gaussian",
        change=of_many(gated_averages),
    ),
    Cheat(
        "herded-average",
        "the mean of six training samples nearest to a validation sample of five tries, marginals restored",
        "class-gaussian",
        change=of_many(herded_averages),
    ),
    Cheat(
        "validation-average",
        "the mean of six validation samples of the type, marginals restored",
        "class-gaussian",
        change=of_many(partial(averages, donors=6, part="validation")),
    ),
    Cheat(
        "cluster-copula",
        "a Gaussian copula per cluster of about 30 training samples",
        "class-gaussian",
        change=of_many(cluster_copulas),
    ),
    Cheat(
        "mixture",
        "a class copula with 4 % each of training samples and of means of two and three",
        "class-gaussian",
        change=of_many(mixed_rows),
    ),
    Cheat(
        "test-reader", "test samples plus noise of 0.1 sd", "class-gaussian", change=partial(test_rows_read, noise=0.1)
    ),
    Cheat("validation-copy", "validation samples of the same type", "class-gaussian", change=validation_copied),
    Cheat(
        "train-part-copy",
        "honest samples for test patients, training samples for the downstream classifiers",
        "class-gaussian",
        change=train_copied,
    ),
    Cheat("class-mean", "the mean of the type's training samples", "class-mean"),
    Cheat("shrunk-variance", "real samples pulled half-way to their type's mean", HONEST, change=shrunk),
    Cheat("class-dropped", "real samples, a type of at least 10 % replaced by others", HONEST, change=class_dropped),
    Cheat("labels-swapped", "real samples, each of the wrong type", HONEST, change=labels_swapped),
    Cheat("gene-saturated", "real samples, one gene held at its maximum", HONEST, change=gene_saturated),
    Cheat("all-equal", "the mean of all training samples", "class-mean", change=all_equal),
    Cheat("gene-shuffle", "every gene permuted over training patients", "gene-shuffle"),
)
"""Every cheat, in the order of the page."""

REFERENCES: tuple[Cheat, ...] = (
    Cheat(HONEST, "real audit samples of the same type: the ceiling", HONEST),
    Cheat("class-gaussian", "a normal distribution per type: the baseline", "class-gaussian"),
    Cheat("oracle", "exact draws from the true distribution", "oracle"),
)
"""What the cheats are read against; the oracle on the simulated cohort only."""


def cheat_arrays(
    cheat: Cheat, arrays: Mapping[str, NDArray[Any]], fold: RealRows, fingerprint: str, place: str
) -> dict[str, NDArray[Any]]:
    """What a cell of the cheat leaves, from what a cell of its source left.

    Args:
        cheat: the cheat.
        arrays: `test` and `train` (n, genes), `paired` (n_test, draws, genes), and the ids of each.
        fold: the real fold.
        fingerprint: of the cohort.
        place: track and index of the fold, `random/0`.
    """
    if cheat.change is None:
        return dict(arrays)
    finest = fold.labels[fold.finest]
    label = dict(zip([*fold.train_ids, *fold.test_ids], [*finest.train, *finest.test], strict=True))
    changed = dict(arrays)
    for name in ("test", "train", "paired"):
        given = arrays[name]
        draws = given.shape[1] if given.ndim == 3 else 1
        labels = np.repeat(np.asarray([label[who] for who in arrays[f"{name}_ids"]]), draws)
        seed = derive_seed(cohort=fingerprint, fold=place, cheat=cheat.name, purpose=name)
        part = Part(given.reshape(-1, given.shape[-1]).astype(np.float32), labels)
        rows = cheat.change(part, fold, np.random.default_rng(seed)).reshape(given.shape)
        changed[name] = compact(rows) if given.ndim == 3 else rows
    return changed

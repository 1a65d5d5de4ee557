"""The real and the synthetic rows of a fold, and the shared work on the real side: what metrics compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.biology import RealBiology
from gexbench.metrics.classifiers import Fitted
from gexbench.metrics.gates.copies import Pool
from gexbench.metrics.membership import Ground, Placements
from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.space import Space
from gexbench.metrics.structure import Correlations


class PartLabels(NamedTuple):
    """Labels of one column, by role of the patients; each (n,)."""

    train: NDArray[np.str_]
    validation: NDArray[np.str_]
    test: NDArray[np.str_]
    audit: NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class RealRows:
    """The real patients of a fold, in the cohort's unit.

    train, validation, test, audit: float32 (n, genes), rows aligned with the ids and labels. No generator sees audit
        rows: they show what honest rows look like.
    labels: label column → labels of each part; finest: the finest of these columns.
    left_out: label column → classes that take no part in its classification (under 25 patients in the cohort).
    set_rows: indices into test, the rows that set metrics compare (per class min(test, audit)).
    floor: lowest value of the unit; None = it has none, and no zero fraction.
    test_groups: patient of each test row; None = every row is a patient of its own.
    test_clusters: cluster of each test row, such as its tissue-source site; None = every patient is one.
    exchangeable: whether training and test patients were dealt at random, so that membership has a null; None = not
        known (a user's own folds): the rows are asked.
    """

    genes: tuple[str, ...]
    train: NDArray[np.float32]
    validation: NDArray[np.float32]
    test: NDArray[np.float32]
    audit: NDArray[np.float32]
    train_ids: NDArray[np.str_]
    validation_ids: NDArray[np.str_]
    test_ids: NDArray[np.str_]
    audit_ids: NDArray[np.str_]
    labels: Mapping[str, PartLabels]
    finest: str
    left_out: Mapping[str, tuple[str, ...]]
    set_rows: NDArray[np.intp]
    floor: float | None
    test_groups: NDArray[np.str_] | None = None
    test_clusters: NDArray[np.str_] | None = None
    exchangeable: bool | None = False

    def __post_init__(self) -> None:
        problems = []
        for name in PartLabels._fields:
            rows, ids = getattr(self, name), getattr(self, f"{name}_ids")
            if rows.shape != (len(ids), len(self.genes)):
                problems.append(f"{name} is {rows.shape} for {len(ids)} ids and {len(self.genes)} genes")
            problems += [
                f"{column}: {len(labels)} {name} labels for {len(ids)} ids"
                for column, parts in self.labels.items()
                if len(labels := getattr(parts, name)) != len(ids)
            ]
        if self.finest not in self.labels:
            problems.append(f"finest {self.finest!r} is none of the label columns {', '.join(self.labels)}")
        problems += [
            f"{len(names)} {field} for {len(self.test_ids)} test ids"
            for field in ("test_groups", "test_clusters")
            if (names := getattr(self, field)) is not None and len(names) != len(self.test_ids)
        ]
        rows = self.set_rows
        if not len(rows) or rows.min() < 0 or rows.max() >= len(self.test_ids) or len(set(rows.tolist())) < len(rows):
            problems.append("set_rows must be different rows of test")
        if problems:
            raise ValueError("real rows: " + "; ".join(problems))

    @property
    def test_labels(self) -> NDArray[np.str_]:
        """Finest label of each test row, shape (n_test,)."""
        return self.labels[self.finest].test

    @property
    def test_patients(self) -> NDArray[np.str_]:
        """Patient of each test row, shape (n_test,)."""
        return self.test_ids if self.test_groups is None else self.test_groups

    @property
    def clusters(self) -> NDArray[np.str_]:
        """Cluster of each test row, shape (n_test,): rows of one cluster are drawn together by a bootstrap."""
        return self.test_patients if self.test_clusters is None else self.test_clusters


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticRows:
    """What a generator made, in the cohort's unit.

    test (n_test, genes) and train (n_train, genes): row i from the condition of the fold's i-th test or training
    patient; paired (n_test, 19, genes) float16: draws for every test patient, None when they were not kept;
    fitted_ids: the training patients that the generator was fitted on, None for all of the fold's.
    """

    test: NDArray[Any]
    train: NDArray[Any]
    paired: NDArray[Any] | None
    fitted_ids: NDArray[np.str_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Whom an attack compares. own: (n,) place of the test row that has a patient's own condition, or that of the
    test patient with whom an audit patient is compared; yardstick: what a class copula reveals, None where an honest
    generator reveals nothing."""

    ground: Ground
    own: NDArray[np.intp]
    yardstick: Placements | None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """What metrics that need ``training`` read: the rows that ``fit`` saw, and what depends on them.

    rows, validation, audit: standardised; of the last two at most ``row_samples.MOST_ROWS`` rows. pools: `training`,
    `validation` and `test` → rows with the limits of copies that audit rows set. compared: `training`, `validation`,
    `paired` and `test` → whom membership attacks compare; empty where patients were not dealt at random, and
    not_exchangeable says why. label_crps: CRPS of every test row against all training rows of its class, shape
    (n_test,), and label_crps_mean: its mean;
    classifiers: label column → logistic regression on ``rows``, for the panel ``extended`` only.
    """

    rows: Matrix
    validation: Matrix
    audit: Matrix
    label_crps: Matrix
    label_crps_mean: float
    pools: Mapping[str, Pool] = field(default_factory=dict)
    compared: Mapping[str, Compared] = field(default_factory=dict)
    not_exchangeable: str | None = None
    classifiers: Mapping[str, Fitted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ClassifierReferences:
    """Classifiers of real rows that the panel ``extended`` adds to the reference values, by name and key.

    release: real patients per class → accuracy of a classifier of these alone.
    """

    values: Mapping[str, Mapping[str, float]]
    release: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Shared work of a fold on its real ``rows``.

    real: standardised test rows of ``set_rows``, real_pcs: their components; radii, pc_radii: distances to the
    k-th neighbour for every k of ``neighbours``, (ks, rows); grid: sorted columns of the training rows,
    (n_train, genes) in the cohort's unit; correlations: (genes, genes) of ``real``; biology: what the biology metrics
    need of ``set_rows``; test: all standardised test rows; training: None where training rows are withheld.
    reference_values: ``trtr``, ``majority`` and ``shuffled_labels`` utilities of the core panel (the last by logistic
    regression alone: boosting on noise takes longest); extended: those of ``extended``, None when the fold was
    prepared for ``core``. cacheable: the part worth keeping as JSON, accepted back by ``prepare(cached=…)``. notes:
    what is computed on a sample of the rows, in words for records.
    """

    rows: RealRows
    seed: int
    space: Space
    test: Matrix
    real: Matrix
    real_pcs: Matrix
    neighbours: tuple[int, ...]
    grid: NDArray[np.float32]
    radii: Matrix
    pc_radii: Matrix
    correlations: Correlations
    biology: RealBiology
    training: TrainingRows | None
    reference_values: dict[str, dict[str, float]]
    cacheable: dict[str, Any]
    extended: ClassifierReferences | None = None
    notes: tuple[str, ...] = ()

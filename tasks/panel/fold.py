"""The real and the synthetic side of a fold, and the work on the real side that all generators share."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics import memorisation, support
from gexbench.metrics.biology import RealBiology
from gexbench.metrics.catalogue.specification import PANEL_SCHEMA, Panel
from gexbench.metrics.classifiers import Fitted
from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.shared.row_samples import MOST_ROWS, sampled, sampled_places
from gexbench.metrics.shared.row_samples import notes as sampling_notes
from gexbench.metrics.space import Space, fit_space
from gexbench.metrics.structure import Correlations, correlations
from gexbench.tasks.panel.gene_sets import GeneSets, usable_sets
from gexbench.tasks.panel.label_draws import label_draws, mean_by_class

NEIGHBOURS = 5


@dataclass(frozen=True, slots=True, eq=False)
class RealFold:
    """The real patients of a fold, in the cohort's unit.

    train, validation, test: float32 (n, genes), rows aligned with the ids and labels.
    labels: label column → (train, validation, test) labels; finest: the finest of these columns.
    left_out: label column → classes that take no part in its classification (under 25 patients in the cohort).
    set_rows: indices into test, the rows that set metrics compare (per class min(test, validation)).
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
    train_ids: NDArray[np.str_]
    validation_ids: NDArray[np.str_]
    test_ids: NDArray[np.str_]
    labels: Mapping[str, tuple[NDArray[np.str_], NDArray[np.str_], NDArray[np.str_]]]
    finest: str
    left_out: Mapping[str, tuple[str, ...]]
    set_rows: NDArray[np.intp]
    floor: float | None
    test_groups: NDArray[np.str_] | None = None
    test_clusters: NDArray[np.str_] | None = None
    exchangeable: bool | None = False

    def __post_init__(self) -> None:
        problems = []
        for part, name in enumerate(("train", "validation", "test")):
            rows, ids = getattr(self, name), getattr(self, f"{name}_ids")
            if rows.shape != (len(ids), len(self.genes)):
                problems.append(f"{name} is {rows.shape} for {len(ids)} ids and {len(self.genes)} genes")
            problems += [
                f"{column}: {len(parts[part])} {name} labels for {len(ids)} ids"
                for column, parts in self.labels.items()
                if len(parts[part]) != len(ids)
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
            raise ValueError("real fold: " + "; ".join(problems))

    @property
    def test_patients(self) -> NDArray[np.str_]:
        """Patient of each test row, shape (n_test,)."""
        return self.test_ids if self.test_groups is None else self.test_groups

    @property
    def clusters(self) -> NDArray[np.str_]:
        """Cluster of each test row, shape (n_test,): rows of one cluster are drawn together by a bootstrap."""
        return self.test_patients if self.test_clusters is None else self.test_clusters


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticFold:
    """What a generator made, in the cohort's unit.

    test (n_test, genes) and train (n_train, genes): row i from the condition of the fold's i-th test or training
    patient; paired (n_test, 19, genes) float16: draws for every test patient, None when they were not kept;
    privacy (members + non-members, genes) and privacy_ids: a row from the condition of each of as many training as
    test patients per class, and the ids of these patients, None when they were not kept; fitted_ids: the training
    patients that the generator was fitted on, None for all of the fold's.
    """

    test: NDArray[Any]
    train: NDArray[Any]
    paired: NDArray[Any] | None
    privacy: NDArray[Any] | None = None
    privacy_ids: NDArray[np.str_] | None = None
    fitted_ids: NDArray[np.str_] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingRows:
    """What metrics that need ``training`` read: the rows that ``fit`` saw, and what depends on them.

    rows, validation: standardised; of validation at most ``row_samples.MOST_ROWS`` rows. donor_thresholds: of
    validation rows against training rows, (donors,), the first is that of copies; validation_donor_thresholds: of test
    rows against validation rows; label_draws: CRPS of label-matched draws for every test row, shape (n_test,), and
    label_draws_crps: its mean;
    classifiers: label column → logistic regression on ``rows``, for the panel ``extended`` only.
    """

    rows: Matrix
    validation: Matrix
    donor_thresholds: Matrix
    validation_donor_thresholds: Matrix
    label_draws: Matrix
    label_draws_crps: float
    classifiers: Mapping[str, Fitted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class ExtendedReferences:
    """What the panel ``extended`` adds to the reference values, by name and key, and recalls by class.

    release: real patients per class → accuracy of a classifier of these alone.
    """

    values: Mapping[str, Mapping[str, float]]
    per_class: Mapping[str, Mapping[str, Mapping[str, float]]]
    release: Mapping[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedFold:
    """Shared work of a fold.

    real: standardised test rows of ``set_rows``, real_pcs: their components; radii, pc_radii: distances to the
    k-th neighbour (k = ``neighbours``); correlations: (genes, genes) of ``real``; biology: what the biology metrics
    need of ``set_rows``; test: all standardised test rows; training: None where training rows are withheld.
    reference_values and reference_per_class: ``trtr``, ``majority`` and ``shuffled_labels`` utilities of the core panel
    (the last by logistic regression alone: boosting on noise takes longest); extended: those of ``extended``, None when
    the fold was prepared for ``core``. cacheable: the part worth keeping as JSON, accepted back by
    ``prepare(cached=…)``. notes: what is computed on a sample of the rows, in words for records.
    """

    fold: RealFold
    seed: int
    space: Space
    test: Matrix
    real: Matrix
    real_pcs: Matrix
    neighbours: int
    radii: Matrix
    pc_radii: Matrix
    correlations: Correlations
    biology: RealBiology
    training: TrainingRows | None
    reference_values: dict[str, dict[str, float]]
    reference_per_class: dict[str, dict[str, dict[str, float]]]
    cacheable: dict[str, Any]
    extended: ExtendedReferences | None = None
    notes: tuple[str, ...] = ()


def prepare(
    fold: RealFold,
    *,
    seed: int,
    panel: Panel = "core",
    cached: Mapping[str, Any] | None = None,
    gene_sets: GeneSets | None = None,
) -> PreparedFold:
    """Do the shared work of a fold; ``cached`` is an earlier ``cacheable``, ignored when it is of other data.

    panel: the largest panel to be computed; the parts of ``core`` and ``extended`` are cached apart, so that a fold
    cached for ``core`` saves that part of ``extended``. gene_sets: for the pathway metrics, matched to the fold's
    genes by name. Scaling, components and kernel width are fitted on real training rows only.
    """
    from gexbench.tasks.panel.extended_utility import real_classifiers
    from gexbench.tasks.panel.utility import references

    sizes = (len(fold.train), len(fold.validation), len(fold.test), len(fold.set_rows), len(fold.genes))
    if len(fold.set_rows) > MOST_ROWS:
        kept = sampled_places(fold.test_ids[fold.set_rows], MOST_ROWS)
        fold = replace(fold, set_rows=fold.set_rows[kept])
    space = fit_space(fold.train)
    train, test = space.standardise(fold.train, "train"), space.standardise(fold.test, "test")
    real = np.asarray(test[fold.set_rows])
    pcs = space.project(real)
    of_genes = correlations(real)
    neighbours = min(NEIGHBOURS, len(real) - 1)
    key = fingerprint(fold, seed)
    if cached is None or cached.get("fingerprint") != key:
        cached = {"fingerprint": key, **references(fold, train, test, seed)}
    training, extended = _training_rows(fold, space, train, test, seed), None
    if panel == "extended":
        cached = {**cached, "extended": _extended_part(fold, train, test, seed, cached)}
        part = cached["extended"]
        extended = ExtendedReferences(part["values"], part["per_class"], part["release"])
        training = replace(training, classifiers=real_classifiers(fold, train, seed))
    return PreparedFold(
        fold=fold,
        seed=seed,
        space=space,
        test=test,
        real=real,
        real_pcs=pcs,
        neighbours=neighbours,
        radii=support.radii(real, neighbours),
        pc_radii=support.radii(pcs, neighbours),
        correlations=of_genes,
        biology=_biology(fold, of_genes, gene_sets),
        training=training,
        reference_values={name: dict(values) for name, values in cached["values"].items()},
        reference_per_class={name: dict(values) for name, values in cached["per_class"].items()},
        cacheable=dict(cached),
        extended=extended,
        notes=tuple(sampling_notes(*sizes, classes=_classes(fold))),
    )


def _classes(fold: RealFold) -> int:
    """Classes of the finest label that a classifier is asked to tell apart."""
    return len(set(fold.labels[fold.finest][0].tolist()) - set(fold.left_out.get(fold.finest, ()))) or 1


def _extended_part(
    fold: RealFold, train: Matrix, test: Matrix, seed: int, core: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Reference values of ``extended``: the part kept in ``core`` when it is of these data, else made."""
    from gexbench.tasks.panel.extended_utility import extended_references

    key, kept = fingerprint(fold, seed, "extended"), core.get("extended")
    if kept is not None and kept.get("fingerprint") == key:
        return dict(kept)
    return {"fingerprint": key, **extended_references(fold, train, test, seed, core)}


def _biology(fold: RealFold, of_genes: Correlations, gene_sets: GeneSets | None) -> RealBiology:
    membership = None if gene_sets is None else usable_sets(gene_sets, fold.genes)[1]
    labels = fold.labels[fold.finest][2][fold.set_rows]
    return RealBiology(fold.test[fold.set_rows], labels, of_genes, membership)


def _training_rows(fold: RealFold, space: Space, rows: Matrix, test: Matrix, seed: int) -> TrainingRows:
    validation = space.standardise(fold.validation, "validation")
    train_labels, _, test_labels = fold.labels[fold.finest]
    draws = label_draws(rows, train_labels, test, test_labels, seed)
    held_out = sampled(validation, fold.validation_ids)
    return TrainingRows(
        rows=rows,
        validation=held_out,
        donor_thresholds=_donor_thresholds(held_out, rows),
        validation_donor_thresholds=_donor_thresholds(sampled(test, fold.test_ids), held_out),
        label_draws=draws,
        label_draws_crps=mean_by_class(draws, test_labels),
    )


def _donor_thresholds(fresh: Matrix, known: Matrix) -> Matrix:
    return memorisation.donor_thresholds(fresh, known, donors=min(memorisation.DONORS, len(known) - 1))


def fingerprint(fold: RealFold, seed: int, panel: Panel = "core") -> str:
    """SHA-256 of the data, names, labels, schema and metric versions that a panel's reference values depend on."""
    from gexbench.metrics.catalogue.built_in import panel_specifications

    digest = hashlib.sha256(repr((PANEL_SCHEMA, seed, fold.genes, fold.finest, sorted(fold.left_out.items()))).encode())
    specifications = [spec for spec in panel_specifications(panel) if spec.family == "utility"]
    digest.update(repr([(spec.name, spec.version) for spec in specifications]).encode())
    for name in ("train", "test"):
        rows = np.ascontiguousarray(getattr(fold, name))
        digest.update(repr((name, rows.shape, rows.dtype.str)).encode())
        digest.update(rows.tobytes())
        digest.update("\x1f".join(getattr(fold, f"{name}_ids").tolist()).encode())
    for column, (train, _, test) in sorted(fold.labels.items()):
        digest.update("\x1f".join([column, *train.tolist(), "", *test.tolist()]).encode())
    return digest.hexdigest()

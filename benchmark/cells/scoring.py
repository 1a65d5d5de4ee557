"""Second stage of a cell: score kept rows against the real fold."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.benchmark.cells.training import Clock, Report
from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.cohorts.cohort import MINIMUM_CLASS_SIZE, Cohort
from gexbench.tasks.cohorts.dealing import FOLD_SEED
from gexbench.tasks.cohorts.folds import ROLES, Fold, equal_size_rows, rows_of
from gexbench.tasks.panel.declarations.metric import Panel
from gexbench.tasks.panel.declarations.rows import PartLabels, Prepared, RealRows, SyntheticRows
from gexbench.tasks.panel.evaluation import PanelResult, evaluate
from gexbench.tasks.panel.gene_sets import GeneSets
from gexbench.tasks.panel.preparation import prepare
from gexbench.tasks.seeds import derive_seed


def real_fold(cohort: Cohort, fold: Fold, smallest_class: int = MINIMUM_CLASS_SIZE) -> RealRows:
    """The real side of a fold as arrays for the metric panel; smaller classes of the cohort are not classified."""
    rows = {part: rows_of(cohort, getattr(fold, part)) for part in ROLES}
    labels = {
        column: PartLabels(**{part: names[at] for part, at in rows.items()})
        for column, names in ((column, cohort.labels(column)) for column in cohort.label_columns)
    }
    finest = cohort.finest_label
    expression: dict[str, Any] = {part: cohort.expression[at] for part, at in rows.items()}
    ids: dict[str, Any] = {f"{part}_ids": cohort.samples[at] for part, at in rows.items()}
    return RealRows(
        genes=cohort.genes,
        **expression,
        **ids,
        labels=labels,
        finest=finest,
        left_out={column: cohort.small_classes(column, smallest_class) for column in cohort.label_columns},
        set_rows=equal_size_rows(fold, labels[finest].test, labels[finest].audit),
        floor=cohort.unit.floor,
        test_groups=_patients(cohort)[rows["test"]],
        test_clusters=_clusters(cohort, fold)[rows["test"]],
        exchangeable={"random": True, "site": False}.get(fold.track),
    )


def _patients(cohort: Cohort) -> NDArray[np.str_]:
    """Patient of every sample, shape (n,), each named by its first sample."""
    _, first, codes = np.unique(cohort.groups, return_index=True, return_inverse=True)
    return np.asarray(cohort.samples[first[codes]])


def _clusters(cohort: Cohort, fold: Fold) -> NDArray[np.str_]:
    """Cluster of every sample, shape (n,): its site, else its patient.

    A site has the same name in all folds, so a bootstrap draws its patients together. Records hold no patient names:
    patients are numbered within the fold in the order of their hashed names.
    """
    if cohort.site_column is not None:
        return cohort.labels(cohort.site_column)
    _, codes = np.unique(cohort.groups, return_inverse=True)
    ranks = np.empty(codes.max() + 1, dtype=np.intp)
    ranks[hash_order(FOLD_SEED, np.unique(cohort.groups))] = np.arange(len(ranks))
    return np.array([f"{fold.index}.{rank}" for rank in ranks[codes]])


def prepare_fold(
    cohort: Cohort,
    fold: Fold,
    fingerprint: str,
    cached: Mapping[str, Any] | None = None,
    panel: Panel = "core",
    gene_sets: GeneSets | None = None,
    smallest_class: int = MINIMUM_CLASS_SIZE,
) -> Prepared:
    """Work shared by all generators of a fold, for a panel; `cached` is the stored part of an earlier preparation."""
    seed = derive_seed(cohort=fingerprint, fold=f"{fold.track}/{fold.index}", purpose="score")
    return prepare(real_fold(cohort, fold, smallest_class), seed=seed, cached=cached, panel=panel, gene_sets=gene_sets)


def score(
    prepared: Prepared, arrays: Mapping[str, NDArray[Any]], panel: str, conditional: bool, report: Report
) -> tuple[PanelResult, dict[str, float]]:
    """Scores of kept rows, with the wall and CPU seconds taken.

    Raises:
        ValueError: kept rows that do not belong to the patients of this fold.
    """
    for part, ids in (("test", prepared.rows.test_ids), ("train", prepared.rows.train_ids)):
        if not np.array_equal(arrays[f"{part}_ids"], ids):
            raise ValueError(f"kept rows '{part}' do not belong to the patients of this fold")
    clock = Clock()
    synthetic = SyntheticRows(
        test=arrays["test"],
        train=arrays["train"],
        paired=arrays.get("paired"),
        fitted_ids=arrays.get("fitted_ids"),
    )

    def progress(step: int, steps: int) -> None:
        report("score", step, steps, {})

    result = evaluate(prepared, synthetic, panel=panel, conditional=conditional, progress=progress)
    wall, cpu = clock.lap()
    return result, {"wall": wall, "cpu": cpu}

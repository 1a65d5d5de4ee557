"""Kept rows of a cell beside the real rows of the same patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gexbench.benchmark.storage.store import Store
from gexbench.leaderboards.records import Record
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError, examples


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRows:
    """Rows of the test patients, in one order.

    Attributes:
        real, synthetic: (n_test, genes) in the cohort's unit.
        labels: (n_test,) finest label.
    """

    real: NDArray[np.float32]
    synthetic: NDArray[np.float32]
    labels: NDArray[np.str_]


def record_with_rows(records: Sequence[Record], row: str, fold: int) -> Record:
    """The finished record of a leaderboard's row and fold, for its first seed.

    Raises:
        InputError: no such row, or no finished cell on this fold; lists the existing ones.
    """
    mine = [r for r in records if r.row == row and r.state == "ok"]
    if not mine:
        there = sorted({record.row for record in records if record.state == "ok"})
        raise InputError(
            f"--rows {row!r}: the leaderboard has no finished cell of this row (rows: {examples(there, 40)})"
        )
    found = [record for record in mine if record.fold.index == fold]
    if not found:
        folds = ", ".join(map(str, sorted({record.fold.index for record in mine})))
        raise InputError(f"--fold {fold}: {row} has no finished cell on this fold (folds: {folds})")
    return min(found, key=lambda record: record.repeat)


def matched_rows(record: Record, store: Store, cohort: Cohort) -> MatchedRows:
    """The stored rows of a record's cell, with the real rows of the same test patients.

    Raises:
        InputError: the cohort differs from the record's, or the rows are not stored.
    """
    stated = record.cohort.fingerprint
    if cohort.fingerprint() != stated:
        raise InputError(
            f"cohort {cohort.name} is not the cohort of the records (fingerprint {stated[:12]}…); give that "
            "cohort with --cohort"
        )
    kept = store.read_rows(record.keys.rows)
    if kept is None:
        raise InputError(
            f"{store.folder}: holds no kept rows of {record.row}, fold {record.fold.index} (a record that was taken "
            "with --reuse "
            "has none); name the results folder of the run that trained it, or train it again with `gexbench run` "
            "under another --results"
        )
    arrays, _ = kept
    place = {str(name): at for at, name in enumerate(cohort.samples)}
    at = [place[str(name)] for name in arrays["test_ids"]]
    labels = cohort.clinical[cohort.label_columns[0]].to_numpy(dtype=str)
    return MatchedRows(cohort.expression[at], arrays["test"], labels[at])

"""Ids that a file lists more than once."""

from collections.abc import Collection
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.reading import ExpressionFile

Duplicates = Literal["error", "first", "mean"]


def unique_expression(
    given: ExpressionFile, duplicates: Duplicates, deciding: Collection[str] = (), unit: str | None = None
) -> ExpressionFile:
    """Each sample once: an error, its first row, or the mean of its rows in the file's unit.

    Args:
        given: the expression, whose samples may repeat.
        duplicates: the rule.
        deciding: columns in which the rows of a sample must agree, see `unique_clinical`.
        unit: the unit of the values; None takes the one that the file states.

    Raises:
        InputError: repeated samples with `duplicates="error"`, the mean of counts, rows that contradict each other.
    """
    ids = pd.Index(given.samples)
    if ids.is_unique:
        return given
    if duplicates == "error":
        raise _repeated(ids, given.name, "samples")
    if duplicates == "mean" and (unit or given.unit) == "counts":
        raise InputError(
            f"{given.name}: --duplicates mean turns counts into fractions; use --duplicates first, or sum the counts "
            "of a sample's runs beforehand"
        )
    if problems := _contradictions(given.columns.set_axis(ids, axis=0), given.name, deciding):
        raise InputError(problems)
    first = ~ids.duplicated()
    values = given.values[first]
    if duplicates == "mean":
        codes, _ = pd.factorize(ids)
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        sums = np.add.reduceat(given.values[order].astype(np.float64), starts, axis=0)
        values = (sums / np.diff(np.append(starts, len(codes)))[:, None]).astype(np.float32)
    counts = given.counts[first] if given.counts is not None and duplicates == "first" else None
    notes = given.notes
    if counts is None and given.counts is not None:
        notes = (*notes, Note("read counts not kept, since the expression is averaged", len(given.genes)))
    return replace(
        given, samples=given.samples[first], values=values, columns=given.columns[first], counts=counts, notes=notes
    )


def unique_clinical(
    table: pd.DataFrame, name: str, duplicates: Duplicates, deciding: Collection[str] = ()
) -> pd.DataFrame:
    """Each id once: an error (for equal rows too), or its first row.

    Args:
        table: indexed by id.
        name: of the file, for messages.
        duplicates: the rule.
        deciding: columns (labels, patient, site) in which the rows of an id must agree: a sample is of one class.

    Raises:
        InputError: repeated ids with `duplicates="error"`, rows that contradict each other.
    """
    if not table.index.is_unique and duplicates == "error":
        raise _repeated(table.index, name, "ids")
    if problems := _contradictions(table, name, deciding):
        raise InputError(problems)
    return table[~table.index.duplicated()]


def _contradictions(table: pd.DataFrame, name: str, deciding: Collection[str]) -> list[str]:
    """Ids whose rows hold several values of a deciding column; a missing value contradicts none."""
    repeated = table[table.index.duplicated(keep=False)]
    problems = []
    for column in (column for column in repeated if column in deciding):
        values = repeated[column].astype(object).map(str, na_action="ignore")
        sizes = values.groupby(level=0, sort=False).nunique()
        several = sizes.index[sizes > 1]
        if len(several):
            said = examples(f"{one}: {' and '.join(values.loc[one].dropna().unique())}" for one in several)
            problems.append(
                f"{name}: {len(several)} ids have rows that differ in {column!r} ({said}); keep the correct row of each"
            )
    return problems


def _repeated(ids: pd.Index, name: str, kind: str) -> InputError:
    twice = ids[ids.duplicated()].unique()
    return InputError(
        f"{name}: {len(twice)} {kind} appear more than once ({examples(twice)}); keep one row each, or use "
        "--duplicates first or --duplicates mean"
    )

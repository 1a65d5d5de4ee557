"""Ids that a file lists more than once."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.reading import ExpressionFile

Duplicates = Literal["error", "first", "mean"]


def unique_expression(given: ExpressionFile, duplicates: Duplicates) -> ExpressionFile:
    """Each sample once: an error, its first row, or the mean of its rows in the file's unit.

    Raises:
        InputError: repeated samples, with `duplicates="error"`.
    """
    ids = pd.Index(given.samples)
    if ids.is_unique:
        return given
    if duplicates == "error":
        raise _repeated(ids, given.name, "samples")
    first = ~ids.duplicated()
    values = given.values[first]
    if duplicates == "mean":
        codes, _ = pd.factorize(ids)
        order = np.argsort(codes, kind="stable")
        starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
        sums = np.add.reduceat(given.values[order].astype(np.float64), starts, axis=0)
        values = (sums / np.diff(np.append(starts, len(codes)))[:, None]).astype(np.float32)
    return replace(given, samples=given.samples[first], values=values, columns=given.columns[first], counts=None)


def unique_clinical(table: pd.DataFrame, name: str, duplicates: Duplicates) -> pd.DataFrame:
    """Each id once: an error, or its first row.

    Raises:
        InputError: repeated ids, with `duplicates="error"`.
    """
    if not table.index.is_unique and duplicates == "error":
        raise _repeated(table.index, name, "ids")
    return table[~table.index.duplicated()]


def _repeated(ids: pd.Index, name: str, kind: str) -> InputError:
    twice = ids[ids.duplicated()].unique()
    return InputError(
        f"{name}: {len(twice)} {kind} appear more than once ({examples(twice)}); keep one row each, or use "
        "--duplicates first or --duplicates mean"
    )

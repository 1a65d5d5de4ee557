"""Problems in the columns of a table of samples or patients."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gexbench.tasks.errors import examples

ZERO = "\0"
"""Ends a text in HDF5: nothing that holds it can be stored."""
_NO_VALUES = (bytes, list, tuple, dict, set, np.ndarray)


def column_problems(table: pd.DataFrame, name: str) -> list[str]:
    """Columns with names that cannot be stored, zero bytes, or values that are neither text, numbers nor dates.

    Args:
        table: one row per sample or patient.
        name: of the file, for messages.
    """
    problems = []
    wrong = [column for column in table if "/" in str(column) or column == "_index"]
    if wrong:
        problems.append(f"{name}: column names must not contain '/' or be '_index' ({examples(wrong)}); rename them")
    problems += zero_bytes(table.columns, name, "column names")
    for column in table:
        values = _distinct(table[column])
        odd = [value for value in values if isinstance(value, _NO_VALUES)]
        if odd:
            problems.append(
                f"{name}: column {column!r} holds {type(odd[0]).__name__} values ({str(odd[0])[:40]}); convert them "
                "to text or numbers, or drop the column"
            )
        problems += zero_bytes(values, name, f"values of column {column!r}")
    return problems


def zero_bytes(values: Sequence[Any] | pd.Index, name: str, what: str) -> list[str]:
    """Text with a zero byte, which is damaged and cannot be stored."""
    found = [value for value in values if isinstance(value, str) and ZERO in value]
    if not found:
        return []
    return [f"{name}: {len(found)} {what} hold a zero byte ({examples(map(repr, found))}); remove it"]


def _distinct(column: pd.Series) -> list[Any]:
    """The values of a column that may be no plain numbers, of categories and text each once."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return list(column.cat.categories)
    if column.dtype != object and not pd.api.types.is_string_dtype(column.dtype):
        return []
    values = column.dropna().tolist()
    return values if any(isinstance(value, _NO_VALUES) for value in values) else list(dict.fromkeys(values))

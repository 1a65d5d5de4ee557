"""Training logs as small parquet files, and numbers that JSON can hold."""

import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from gexbench.leaderboards.records.logs import MOST_VALUES

MOST_NUMBERS = 10_000
"""Of an array that is kept as a list."""


class BadLog(ValueError):
    """A malformed log; the message says why."""


def log_table(columns: Mapping[str, Sequence[float]]) -> bytes | None:
    """A log (`FitReport.log`) as parquet: float64 columns, `step` first; None without any rows.

    Raises:
        BadLog: columns of unequal length, no `step`, or values that are not numbers.
    """
    if not columns or not any(len(values) for values in columns.values()):
        return None
    if (values := sum(map(len, columns.values()))) > MOST_VALUES:
        raise BadLog(f"{values:,} values are more than {MOST_VALUES:,}; log fewer steps")
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BadLog(f"its columns have unequal lengths: {lengths}")
    if "step" not in columns:
        raise BadLog("it has no column 'step'")
    try:
        frame = pd.DataFrame(dict(columns)).astype("float64")
    except (TypeError, ValueError) as error:
        raise BadLog(f"its values are not numbers ({error})") from None
    target = io.BytesIO()
    frame[["step", *frame.columns.drop("step")]].to_parquet(target, index=False)
    return target.getvalue()


def columns_of(rows: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    """Rows of values as columns of equal length, NaN where a row has none."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [float(row.get(name, math.nan)) for row in rows] for name in names}


def jsonable(content: Any) -> Any:
    """The same content with lists for arrays, numbers for their scalars, and None for numbers that are not finite."""
    if isinstance(content, np.generic | np.ndarray | torch.Tensor) and math.prod(content.shape) <= MOST_NUMBERS:
        content = content.detach().cpu().tolist() if isinstance(content, torch.Tensor) else content.tolist()
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, Mapping):
        return {key: jsonable(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [jsonable(value) for value in content]
    return content

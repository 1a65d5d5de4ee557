"""Expression brought to its unit: logarithms taken, printed floors put back, values below clipped; each counted."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.reading import ExpressionFile, with_values

Scale = Literal["linear", "ln", "log2", "log10"]
_ROWS = 256
_PRINTED = 0.006
"""A floor printed with two decimals is off by 0.005 at most."""
_SAMPLED = 200_000
_MOST_SKEW = 3.0
"""Logarithms of expression are skewed by -1 to 2, linear values by 4 to 100."""


def in_unit(given: ExpressionFile, unit: Unit, scale: Scale | None = None, *, clip: bool = False) -> ExpressionFile:
    """The expression in its unit.

    Args:
        given: as read.
        unit: of the result.
        scale: of the file's values, if it is not that of the unit.
        clip: whether values below the floor are raised to it.

    Raises:
        InputError: a scale that the unit has no use for, negative linear values, natural logarithms under a unit of
            log2.
    """
    if scale not in (None, "log2"):
        given = _converted(given, unit, scale)
    elif scale is None and given.logarithm == "ln" and unit.offset is not None:
        raise InputError(
            f"{given.name}: X holds natural logarithms (uns['log1p']), no {unit.name}; convert them with --scale ln, "
            f"or read the counts{f' with {given.counts_by} --unit counts' if given.counts_by else ''}"
        )
    given = _floor_put_back(given, unit)
    return _clipped(given, unit) if clip else given


def doubt(given: ExpressionFile, unit: Unit) -> list[str]:
    """The problem of values that are called logarithms and are shaped like linear ones."""
    if unit.offset is None or given.values.size < 1000:
        return []
    step = max(1, given.values.size // _SAMPLED)
    values = given.values.reshape(-1)[::step] if given.values.flags.c_contiguous else given.values.ravel()[::step]
    values = values[np.isfinite(values) & (values > np.float32(unit.floor or 0.0))].astype(np.float64)
    if len(values) < 500 or not values.std():
        return []
    skew = float((((values - values.mean()) / values.std()) ** 3).mean())
    if skew <= _MOST_SKEW:
        return []
    return [
        f"{given.name}: the values have the shape of linear ones, not of {unit.name}: skewness {skew:.1f}, where "
        f"logarithms stay below {_MOST_SKEW:g} (median {np.median(values):.3g}, largest {values.max():.3g}); take the "
        "logarithm with --scale linear, or confirm with --scale log2 that they are logarithms"
    ]


def _converted(given: ExpressionFile, unit: Unit, scale: Scale) -> ExpressionFile:
    offset = unit.offset
    if offset is None:
        raise InputError(
            f"--scale {scale}: converts to log2(NAME+C), but the unit is {unit.name}; state it, for example --unit "
            "'log2(tpm+1)'"
        )
    if scale == "linear" and (low := int(sum((block < 0).sum() for block in _blocks(given.values)))):
        raise InputError(f"{given.name}: {low} values are negative, so they are not linear; leave out --scale linear")
    change: Callable[[NDArray[np.float64]], NDArray[np.float64]] = {
        "linear": lambda block: np.log2(block + offset),
        "ln": lambda block: block / math.log(2),
        "log10": lambda block: block * math.log2(10),
    }[scale]
    values = np.empty_like(given.values)
    for start in range(0, len(values), _ROWS):
        values[start : start + _ROWS] = change(given.values[start : start + _ROWS].astype(np.float64))
    said = f"values converted from {scale} to {unit.name}"
    return replace(with_values(given, values, Note(said, values.size, (), False)), logarithm=None)


def _floor_put_back(given: ExpressionFile, unit: Unit) -> ExpressionFile:
    """The lowest value set to the unit's floor where it is that floor as printed, such as -9.9658 for log2(0.001)."""
    floor = unit.floor
    if not floor or not given.values.size:
        return given
    lowest = min((float(np.fmin.reduce(block, axis=None)) for block in _blocks(given.values)), default=math.nan)
    exact = np.float32(floor)
    if not 0 < abs(lowest - floor) < _PRINTED or np.float32(lowest) == exact:
        return given
    values, number = given.values.copy(), 0
    for block in _blocks(values):
        here = block == np.float32(lowest)
        number += int(here.sum())
        block[here] = exact
    return with_values(
        given, values, Note(f"values printed as {lowest:g} set to the floor of {unit.name}", number, (), False)
    )


def _clipped(given: ExpressionFile, unit: Unit) -> ExpressionFile:
    if unit.floor is None:
        raise InputError(f"--clip: the unit {unit.name} has no floor to clip to; leave the option out")
    values, number, floor = given.values.copy(), 0, np.float32(unit.floor)
    lowest = 0.0
    for block in _blocks(values):
        below = block < floor
        number += int(below.sum())
        lowest = min(lowest, float(block[below].min(initial=0.0)))
        block[below] = floor
    if not number:
        return given
    share = f"{100 * number / values.size:.2g} %"
    said = f"values below {unit.floor:g} raised to it (--clip; lowest {lowest:g}; {share} of all)"
    return with_values(given, values, Note(said, number, (), False))


def _blocks(values: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [values[start : start + _ROWS] for start in range(0, len(values), _ROWS)]

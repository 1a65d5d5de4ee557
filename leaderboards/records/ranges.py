"""Whether the values of a record lie in the ranges that its protocol states of their metrics."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic_core import InitErrorDetails, PydanticCustomError

from gexbench.leaderboards.records.parts import Measured
from gexbench.tasks.panel.protocols import PROTOCOLS

TOLERANCE = 1e-6
"""Share of a bound, or of 1, by which rounding may carry a value over it."""


def out_of_range(
    protocol: int, metrics: Mapping[str, Measured], references: Mapping[Any, Mapping[str, float]]
) -> Iterator[InitErrorDetails]:
    """The problem with every value outside its metric's range.

    Args:
        protocol: of the record.
        metrics, references: as in a record.
    """
    places = [(("metrics", key, "value"), key, measured.value) for key, measured in metrics.items()]
    for name, values in references.items():
        places += [(("reference_values", name, key), key, value) for key, value in values.items()]
    for place, key, value in places:
        limits = _range(protocol, key)
        if value is None or limits is None:
            continue
        low, high = limits
        if not low - _slack(low) <= value <= high + _slack(high):
            problem = PydanticCustomError("range", f"{value:g} lies outside the metric's range, {low:g} to {high:g}")
            yield InitErrorDetails(type=problem, loc=place, input=value)


def _range(protocol: int, key: str) -> tuple[float, float] | None:
    """Of a metric; None where the protocol, or the metric in it, is not known."""
    known = PROTOCOLS.get(protocol)
    try:
        return None if known is None else known.lookup(key).range
    except KeyError:
        return None


def _slack(bound: float) -> float:
    return TOLERANCE * max(1.0, abs(bound)) if math.isfinite(bound) else 0.0

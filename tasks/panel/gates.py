"""What a row must pass to be ranked: the verdicts of the gates over the folds of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Gate = Literal["copies", "membership", "test leak"]
GateState = Literal["passed", "failed", "too few patients"]


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What a gate says of a row.

    Attributes:
        state: `too few patients` says nothing: the row is ranked and marked.
        figure, interval: what was measured, with its 95 % interval.
        words: what the figure is.
    """

    gate: Gate
    state: GateState
    figure: float
    interval: tuple[float, float]
    words: str


def verdicts(folds: Sequence[Mapping[str, Mapping[str, float]]], *, reference: bool) -> tuple[GateVerdict, ...]:
    """A verdict per gate from the figures of each fold, as records hold them."""
    return ()

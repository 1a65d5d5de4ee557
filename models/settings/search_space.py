"""Search spaces: how a settings class declares the settings to tune; imports neither torch nor optuna."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values: numbers, text, true, false or None."""

    values: tuple[Any, ...]

    def including(self, value: Any) -> "Choice":
        """The same choice, with `value` among the values."""
        return self if self.holds(value) else Choice((*self.values, value))

    def holds(self, value: Any) -> bool:
        """Whether `value` is one of the values; 1, 1.0 and True are three different values."""
        return any(type(value) is type(each) and value == each for each in self.values)

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


@dataclass(frozen=True, slots=True)
class LogRange:
    """A positive real number, searched by its logarithm; both ends belong to it."""

    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low < self.high:
            raise ValueError(f"a logarithmic range needs 0 < low < high, not {self.low} and {self.high}")

    def including(self, value: Any) -> "LogRange":
        """The smallest such range that also holds `value`."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, logarithmic"


@dataclass(frozen=True, slots=True)
class IntRange:
    """A whole number; both ends belong to it. With `log`, searched by its logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high or (self.log and self.low < 1):
            raise ValueError(f"a range of whole numbers needs low < high, not {self.low} and {self.high}")

    def including(self, value: Any) -> "IntRange":
        """The smallest such range that also holds `value`."""
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def __str__(self) -> str:
        return f"{self.low} to {self.high}{', logarithmic' if self.log else ''}"


Dimension = Choice | LogRange | IntRange
SearchSpace = Mapping[str, Dimension]
"""Setting → the values it may take in a search."""

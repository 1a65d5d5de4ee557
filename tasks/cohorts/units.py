"""Units of expression and their floors."""

import math
import re
from dataclasses import dataclass

from gexbench.tasks.errors import InputError

_LOG = re.compile(r"log2\((?P<name>[a-z][a-z0-9_]*)\+(?P<offset>\d+(?:\.\d+)?)\)")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of expression: `counts`, `log2(NAME+C)` or `other`."""

    name: str

    def __post_init__(self) -> None:
        if self.name not in {"counts", "other"} and not self._match():
            raise InputError(
                f"unknown unit {self.name!r}: use 'counts', 'other' or 'log2(NAME+C)', for example 'log2(rsem+1)'"
            )
        match = self._match()
        if match and float(match["offset"]) <= 0:
            raise InputError(f"unit {self.name!r}: the constant added must be above 0")

    def _match(self) -> re.Match[str] | None:
        return _LOG.fullmatch(self.name)

    @property
    def floor(self) -> float | None:
        """The lowest value the unit allows: 0 for counts, log2(C) for log2(NAME+C), None for `other`."""
        if self.name == "counts":
            return 0.0
        match = self._match()
        return math.log2(float(match["offset"])) if match else None

    @property
    def offset(self) -> float | None:
        """C of log2(NAME+C); None for other units."""
        match = self._match()
        return float(match["offset"]) if match else None

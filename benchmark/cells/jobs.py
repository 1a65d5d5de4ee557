"""Jobs that workers do, and how they end; imports no torch."""

from dataclasses import dataclass
from typing import Literal

from gexbench.benchmark.sweeps.cells import Cell
from gexbench.tasks.cohorts.folds import Fold

STATES = ("ok", "failed", "timeout", "out of memory", "diverged", "unavailable", "skipped")
"""How a cell can end: `unavailable` says the generator itself, of this cohort; `skipped` is never started, because
the generator cannot be imported here."""


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work: prepare a fold's real side, train and sample a cell, or score its kept rows."""

    kind: Literal["prepare", "train", "score"]
    fold: Fold
    cell: Cell | None = None

    @property
    def name(self) -> str:
        """A name for progress lines."""
        return f"{self.kind} {self.place}"

    @property
    def place(self) -> str:
        """The cell's slot, or the fold."""
        return self.cell.slot if self.cell else f"{self.fold.track}-{self.fold.index}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `ok`, or another state with its reason and traceback.

    Attributes:
        state: one of `STATES`.
        reason, traceback: of any state but `ok`.
        output: the last lines that the worker's processes printed, of any state but `ok`.
        disk_full: the store could not be written to, so that no further cell can end well.
        lost_rows: kept rows that were to be scored are corrupt or gone.
    """

    state: str
    reason: str | None = None
    traceback: str | None = None
    output: tuple[str, ...] = ()
    disk_full: bool = False
    lost_rows: bool = False

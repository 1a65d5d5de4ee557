"""Jobs that workers do, and how they end; imports no torch."""

from dataclasses import dataclass
from typing import Literal

from gexbench.benchmark.sweeps.cells import Cell
from gexbench.leaderboards.records.parts import State
from gexbench.tasks.cohorts.folds import Fold


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work: prepare a fold's real side, train and sample a cell, or score its kept rows."""

    kind: Literal["prepare", "train", "score"]
    fold: Fold
    cell: Cell | None = None

    @property
    def name(self) -> str:
        """Name shown in progress lines."""
        return f"{self.kind} {self.place}"

    @property
    def place(self) -> str:
        """The cell's slot, or the fold."""
        return self.cell.slot if self.cell else f"{self.fold.track}-{self.fold.index}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `ok`, or another state with its reason and traceback.

    Attributes:
        state: how it ended; a trial can also be pruned.
        reason, traceback: for any state but `ok`.
        output: the last lines printed by the worker's processes, for any state but `ok`.
        unwritten: bytes for which the store had no room; 0 when that is not what went wrong.
        lost_rows: kept rows to be scored are corrupt or missing.
        value: of a trial that ended ok: what the search minimises.
    """

    state: State | Literal["pruned"]
    reason: str | None = None
    traceback: str | None = None
    output: tuple[str, ...] = ()
    unwritten: int = 0
    lost_rows: bool = False
    value: float | None = None

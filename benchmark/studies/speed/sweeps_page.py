"""Page of what a sweep costs beside its cells, and of the faults that it survives; see ``sweeps``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gexbench.benchmark.studies.speed.page import machine_text
from gexbench.benchmark.studies.speed.sweep_faults import DISTURBANCES, FAULTS, ISOLATION, TESTS
from gexbench.leaderboards.formatting import markdown_table
from gexbench.tasks.files.atomic import write_text

NAME = "sweep-speed"
Line = tuple[str, str, str]
"""What was measured, what it took, and the aim."""
INTRODUCTION = """# What a sweep costs and what it survives

For users who plan large sweeps, and for developers: overhead of the scheduler, and every fault it is tested against.

Measured by `python -m gexbench.benchmark.studies sweeps --out docs/clusters` with cells that do nothing, on a cohort of
240 patients and 40 genes.
"""
METHODS = """How it is measured:

- *Overhead of a cell*: wall-clock time from the end of one cell to the end of the next in a sweep with one worker,
  minus the fit, sample and score times stated in its record. For the first cell it counts from the start of the
  sweep, so it includes the start of the worker, its imports and the fold's shared work.
- *Forked*: on the CPU with one thread, a training runs in a forked copy of a worker that holds the data.
- *Spawned*: a worker with CUDA or several threads cannot be forked; it is replaced after every foreign generator.
- *Cached sweep*: `gexbench run` as a user types it, from the start of Python to the printed table, median of 3.
- *In-line*: schedule, store and the leaderboard's folder, without a worker process.
- *Two workers*: cells that only compute, from the end of the first cell to the end of the last.
"""
QUIET = 0.7
"""Load below which the cores count as free."""


class Cost(Protocol):
    """Something that a sweep costs."""

    def lines(self) -> Iterator[Line]:
        """What the terminal and the page say of it."""


@dataclass(frozen=True, slots=True)
class WorkerCost:
    """Wall-clock seconds beside fit, sample and score.

    Attributes:
        kind: fork or spawn; what: built in or foreign generator.
        first: of the first cell, from the start of the sweep; later: of every later one.
    """

    kind: str
    what: str
    first: float
    later: tuple[float, ...]

    def lines(self) -> Iterator[Line]:
        """One line."""
        worker = {"fork": "forked", "spawn": "spawned"}.get(self.kind, self.kind)
        median = sorted(self.later)[len(self.later) // 2]
        spread = f"median of {len(self.later)}, {min(self.later):.3f} to {max(self.later):.3f}"
        yield (
            f"overhead of a cell, {worker}, {self.what} generator",
            f"{median:.3f} s ({spread}); the first {self.first:.1f} s",
            "under 0.3 s after the first",
        )


@dataclass(frozen=True, slots=True)
class CachedCost:
    """Seconds of a sweep whose cells are all there already, wall-clock and CPU."""

    cells: int
    wall_s: float
    cpu_s: float

    def lines(self) -> Iterator[Line]:
        """One line."""
        yield f"cached sweep of {self.cells:,} cells", f"{self.wall_s:.2f} s ({self.cpu_s:.2f} s of CPU)", "under 3 s"


@dataclass(frozen=True, slots=True)
class InLineCost:
    """Of cells that are done in-line: milliseconds per cell; bytes of resident memory.

    Attributes:
        resident: at the end; risen: since a tenth of the cells had ended.
    """

    cells: int
    wall_ms: float
    cpu_ms: float
    resident: int
    risen: int

    def lines(self) -> Iterator[Line]:
        """Time, then memory."""
        yield f"{self.cells:,} cells in-line", f"{self.wall_ms:.2f} ms each ({self.cpu_ms:.2f} ms of CPU)", "5 ms"
        megabytes, risen = self.resident / 10**6, self.risen / 10**6
        measured = f"{megabytes:.0f} MB at the end, {risen:+.1f} MB since the first tenth"
        yield "resident memory meanwhile", measured, "flat"


@dataclass(frozen=True, slots=True)
class SpeedUp:
    """How many times as fast two workers end four cells as one does; None where it was not measured."""

    times: float | None

    def lines(self) -> Iterator[Line]:
        """One line."""
        measured = "not measured: it needs two free cores"
        if self.times is not None:
            measured = f"{self.times:.2f} times as fast as one worker"
        yield "four CPU-bound cells, two workers", measured, "1.8 times"


def write_page(folder: Path, costs: Sequence[Cost], load: float) -> Path:
    """Write ``sweep-speed.md``; its path."""
    write_text(folder / f"{NAME}.md", markdown(costs, load))
    return folder / f"{NAME}.md"


def markdown(costs: Sequence[Cost], load: float) -> str:
    """The page: hardware, costs against their aims, how they were measured, and the faults with their tests.

    Args:
        costs: in the order of the page.
        load: processes that wanted a core, on average over the minute before.
    """
    upper = "other work was running, so wall-clock seconds are upper bounds"
    busy = upper if load > QUIET else "free cores"
    count = len(FAULTS) + len(DISTURBANCES)
    parts = [
        INTRODUCTION,
        f"Machine: {machine_text()}; {busy} (load {load:.1f} before the measurement).",
        markdown_table(("", "measured", "target"), [line for cost in costs for line in cost.lines()], 3),
        METHODS,
        f"## Faults survived: {count} of {count}",
        "Each has a test with real processes. The tests of generators also check that the other cells end well; those "
        "of children, kills and the cluster check that no process is left behind. "
        f"Tests of generators are in `{TESTS}/{ISOLATION}`, those of sweeps in the files named below, under `{TESTS}`.",
        _fault_table(("A generator that …", "its cell", "test"), FAULTS),
        _fault_table(("A sweep with …", "outcome", "test"), DISTURBANCES),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _fault_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return markdown_table(heads, [(*cells, f"`{test}`") for *cells, test in rows], 3)

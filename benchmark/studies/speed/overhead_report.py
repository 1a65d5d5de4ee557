"""Page of what a sweep costs beside its cells, and of the faults that it survives; see ``overhead``."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gexbench.benchmark.machine.environment import hardware
from gexbench.tasks.files.atomic import write_text

INTRODUCTION = """# What a sweep costs and what it survives

For users who plan large sweeps, and for developers: overhead of the scheduler, and every fault it is tested against.

Measured by `python -m gexbench.benchmark.studies.speed.overhead --out docs/clusters` with cells that do nothing, on a
cohort of 240 patients and 40 genes.
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

TESTS = "tests/benchmark"
ONE = "test_a_generator_that_goes_wrong_costs_its_own_cell[{}]"
ENDLESS = "test_a_generator_that_does_not_end_costs_its_own_cell[{}]"
STAY = "test_children_that_stay_are_ended_with_their_cell"
PATCH = "test_what_a_foreign_generator_does_to_its_process_spoils_no_other_cell"
FAULTS: tuple[tuple[str, str, str], ...] = (
    ("raises", "failed", ONE.format("raise")),
    ("calls `sys.exit`", "failed", ONE.format("sys-exit")),
    ("calls `os._exit`", "failed", ONE.format("exit")),
    ("segfaults", "failed", ONE.format("segfault")),
    ("hangs with every signal blocked", "timeout", ENDLESS.format("hang")),
    ("allocates without limit", "out of memory", ENDLESS.format("allocate")),
    ("returns NaN", "diverged", ONE.format("nan")),
    ("returns samples of the wrong shape", "failed", ONE.format("shape")),
    ("returns wrong gene names", "failed", ONE.format("genes")),
    ("returns too few samples", "failed", ONE.format("few")),
    ("returns no `Samples`", "failed", ONE.format("type")),
    ("writes to its inputs", "failed", ONE.format("write")),
    ("leaves child processes behind and succeeds", "ok, with a warning", STAY),
    ("leaves child processes behind and dies", "failed", ONE.format("orphans")),
    ("prints a gigabyte", "failed", ONE.format("print")),
    ("changes torch in its process", "ok", PATCH),
    ("reports that it cannot work on the cohort", "unavailable", ONE.format("unavailable")),
    ("cannot be imported", "skipped", "test_a_broken_plug_in_is_skipped_with_its_reason"),
)
"""What a generator does, the state of its cell, and the test in `test_isolation.py`."""

DISTURBANCES: tuple[tuple[str, str, str], ...] = (
    (
        "kill −9 at 3 random moments (20 in the slow tests)",
        "the same table, byte for byte",
        "test_cli.py::test_killed_at_any_moment_the_same_command_gives_the_same_table",
    ),
    (
        "Ctrl-C",
        "the running cells finish; resumable",
        "test_cli.py::test_an_interrupt_lets_running_cells_end_and_resumes",
    ),
    (
        "Ctrl-C twice",
        "stops at once; resumable",
        "test_cli.py::test_a_second_interrupt_ends_the_sweep_at_once_and_it_resumes",
    ),
    (
        "a file system that fills up",
        "one message, exit code 1, every entry readable; resumable",
        "test_store_cap.py::test_a_full_disk_is_a_clear_error_and_the_same_command_resumes",
    ),
    (
        "a limit on file size",
        "one message, exit code 1, every entry readable",
        "test_store_cap.py::test_a_limit_on_files_is_a_clear_error",
    ),
    (
        "another sweep on the same store",
        "both end with the same records",
        "test_store_cap.py::test_two_processes_on_one_store_do_not_collide",
    ),
    (
        "a corrupt entry in its store",
        "treated as missing, reported and recomputed",
        "test_runner.py::test_corrupt_rows_are_trained_again_and_reported",
    ),
    (
        "a killed node of its Ray cluster",
        "the same table as with one worker and with four",
        "test_ray.py::test_one_worker_four_workers_and_a_cluster_that_loses_a_node_give_the_same_table",
    ),
)
"""What is done to a sweep from outside, what comes of it, and the test."""


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

    @property
    def median(self) -> float:
        """Of the later cells."""
        return sorted(self.later)[len(self.later) // 2]

    def sentence(self) -> str:
        """For a terminal."""
        return (
            f"{self.kind}, {self.what}: first cell {self.first:.2f} s, later ones {self.median:.3f} s "
            f"(median of {len(self.later)}; {min(self.later):.3f} to {max(self.later):.3f})"
        )


@dataclass(frozen=True, slots=True)
class CachedCost:
    """Seconds of a sweep whose cells are all there already, wall-clock and CPU."""

    cells: int
    wall_s: float
    cpu_s: float

    def sentence(self) -> str:
        """For a terminal."""
        return (
            f"a sweep of {self.cells} cells that are there already: {self.wall_s:.2f} s ({self.cpu_s:.2f} s of CPU), "
            "median of 3"
        )


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

    def sentence(self) -> str:
        """For a terminal."""
        return (
            f"{self.cells} cells in-line: {self.wall_ms:.2f} ms each ({self.cpu_ms:.2f} ms of CPU); resident memory "
            f"{self.resident / 10**6:.0f} MB, of it {self.risen / 10**6:.0f} MB since the first tenth"
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What `overhead` measured.

    Attributes:
        workers: by kind of worker and generator; cached: of a sweep whose cells are there.
        in_line: of the scheduler; speed_up: of two workers against one, None where it was not measured.
        load: processes that wanted a core, on average over the minute before.
    """

    workers: Sequence[WorkerCost]
    cached: CachedCost
    in_line: InLineCost
    speed_up: float | None
    load: float


def write_report(folder: Path, figures: Figures) -> None:
    """Write ``sweep-speed.md``."""
    write_text(folder / "sweep-speed.md", markdown(figures))


def markdown(figures: Figures) -> str:
    """The page: hardware, figures against their aims, how they were measured, and the faults with their tests."""
    machine = hardware()
    busy = "other work was running, so wall-clock seconds are upper bounds" if figures.load > QUIET else "free cores"
    place = (
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_bytes'] / 2**30:.0f} GiB; "
        f"{busy} (load {figures.load:.1f} before the measurement); "
        f"OMP_NUM_THREADS: {os.environ.get('OMP_NUM_THREADS', 'not set')}."
    )
    parts = [INTRODUCTION, place, "\n".join(_figures(figures)), METHODS]
    count = len(FAULTS) + len(DISTURBANCES)
    parts += [
        f"## Faults survived: {count} of {count}",
        "Each has a test with real processes. The tests of generators also check that the other cells end well; those "
        "of children, kills and the cluster check that no process is left behind. "
        "Tests of generators are in `test_isolation.py`, those of sweeps in the files named below, all under "
        f"`{TESTS}`.",
        "\n".join(_table(("A generator that …", "its cell", "test"), FAULTS)),
        "\n".join(_table(("A sweep with …", "outcome", "test"), DISTURBANCES)),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _figures(figures: Figures) -> Iterator[str]:
    yield from ("| | measured | target |", "|---|---|---|")
    for cost in figures.workers:
        worker = {"fork": "forked", "spawn": "spawned"}.get(cost.kind, cost.kind)
        spread = f"median of {len(cost.later)}, {min(cost.later):.3f} to {max(cost.later):.3f}"
        yield (
            f"| overhead of a cell, {worker}, {cost.what} generator | {cost.median:.3f} s ({spread}); "
            f"the first {cost.first:.1f} s | under 0.3 s after the first |"
        )
    there, spent = figures.cached, figures.in_line
    yield f"| cached sweep of {there.cells:,} cells | {there.wall_s:.2f} s ({there.cpu_s:.2f} s of CPU) | under 3 s |"
    yield f"| {spent.cells:,} cells in-line | {spent.wall_ms:.2f} ms each ({spent.cpu_ms:.2f} ms of CPU) | 5 ms |"
    yield (
        f"| resident memory meanwhile | {spent.resident / 10**6:.0f} MB at the end, {spent.risen / 10**6:+.1f} MB "
        "since the first tenth | flat |"
    )
    faster = "not measured: it needs two free cores"
    if figures.speed_up is not None:
        faster = f"{figures.speed_up:.2f} times as fast as one worker"
    yield f"| four CPU-bound cells, two workers | {faster} | 1.8 times |"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |"
    yield "|" + "---|" * len(titles)
    for *cells, test in rows:
        yield f"| {' | '.join(cells)} | `{test}` |"

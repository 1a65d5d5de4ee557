"""What a sweep costs beside its cells.

Measures the start of workers and the wall-clock time around cells that do nothing, of built-in and of foreign
generators, with workers that are forked and workers that are spawned; a sweep whose cells are all there already; the
scheduler's share of cells that are done in-line; and how much sooner two workers end four cells that only compute.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import psutil
import typer
from rich.console import Console

from gexbench.benchmark.cells.development import Development
from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.commands import options
from gexbench.benchmark.running.pool import Executor, Progress
from gexbench.benchmark.running.progress import Display
from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.studies.speed.sweeps_page import CachedCost, Cost, InLineCost, SpeedUp, WorkerCost, write_page
from gexbench.benchmark.sweeps.cells import Cell
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import ANCHORS, Sweep, sweep_of
from gexbench.leaderboards.records import Record, parse_record
from gexbench.leaderboards.records.parts import Keys
from gexbench.models.registry import Entry, Registry, registry
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import save_cohort
from gexbench.tasks.data_directory import VARIABLE, cohort_folder
from gexbench.tasks.simulated.cohort import simulated_cohort

EXAMPLES = ("--out docs/clusters", "--cells 3 --cached 20 --in-line 100 --busy")
NAME = "tiny"
GENERATOR = """
import numpy as np
from gexbench.models.contract import Generator, Samples

class Nothing(Generator):
    def fit(self, train, validation, *, seed, progress=None):
        self.genes, self.mean = train.genes, train.expression.mean(0).numpy()
    def sample(self, conditions, draws=1, *, seed):
        rows = np.random.default_rng(seed).normal(self.mean, 1.0, (len(conditions) * draws, len(self.genes)))
        return Samples.of(np.maximum(rows, 0), conditions, draws, self.genes)
    def state(self): return {}, {}
    def restore(self, tensors, facts, device): ...

class Computing(Nothing):
    def fit(self, train, validation, *, seed, progress=None):
        super().fit(train, validation, seed=seed)
        sum(number * number for number in range(200_000_000))
"""


class Clocked(Display):
    """A silent display that notes when every cell ended."""

    def __init__(self) -> None:
        super().__init__(Console(file=Path(os.devnull).open("w")))  # noqa: SIM115 (as long as the display)
        self.ends: list[tuple[Cell, float]] = []

    def cell_done(self, cell: Cell, outcome: Outcome) -> None:
        """Note the moment."""
        self.ends.append((cell, time.perf_counter()))


def measured(cohort: Cohort, what: str, entry: Entry, cells: int, results: Path, kind: str) -> WorkerCost:
    """Overhead of a sweep of one generator with so many training seeds, one worker, an empty store."""
    sweep = Sweep(cohort=cohort.name, folds=(0,), repeats=cells, generators=(entry.name,))
    made = plan(sweep, Registry((entry,)), cohort, cohort.fingerprint())
    runner = Runner(made, cohort, results, NAME, fork=kind == "fork")
    display = Clocked()
    began = time.perf_counter()
    runner.run(1, display)
    spent, last = [], began
    for cell, end in display.ends:
        record = parse_record(runner.store.read_json("records", cell.score_key), cell.slot)
        spent.append(end - last - sum(record.times_s.model_dump(exclude_none=True).values()))
        last = end
    return WorkerCost(kind, what, spent[0], tuple(spent[1:]))


def cached_sweep(cohort: Cohort, cells: int, results: Path) -> CachedCost:
    """Seconds of `gexbench run` when all of its cells are there already: the middle one of three runs."""
    seeds = cells // (5 * len(ANCHORS))
    first = sweep_of(registry(), generators=ANCHORS, cohort=cohort.name, folds=(0,))
    runner = Runner(plan(first, registry(), cohort, cohort.fingerprint()), cohort, results, NAME)
    runner.run(2, Clocked())
    known = {cell.entry.name: runner.store.read_json("records", cell.score_key) for cell in runner.plan.cells}
    every = sweep_of(registry(), generators=ANCHORS, cohort=cohort.name, folds=tuple(range(5)), repeats=seeds)
    for cell in plan(every, registry(), cohort, cohort.fingerprint()).cells:
        _copied(runner.store, parse_record(known[cell.entry.name], cell.slot), cell)
    command = [sys.executable, "-m", "gexbench.benchmark.cli", "run", "--cohort", cohort.name, "--folds", "all"]
    command += ["--generators", ",".join(ANCHORS), "--seeds", str(seeds), "--results", str(results)]
    seconds = []
    for _ in range(3):
        wall, cpu = time.perf_counter(), _cpu_of_children()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append((time.perf_counter() - wall, _cpu_of_children() - cpu))
    return CachedCost(cells, *sorted(seconds)[1])


def _cpu_of_children() -> float:
    used = os.times()
    return used.children_user + used.children_system


def _copied(store: Store, record: Record, cell: Cell) -> None:
    """Store a record of another cell as this one's."""
    fold = record.fold.model_copy(update={"index": cell.fold.index, "hash": cell.fold.hash()})
    keys = Keys(rows=cell.train_key, record=cell.score_key)
    copied = record.model_copy(update={"fold": fold, "repeat": cell.repeat, "keys": keys})
    store.write_json("records", cell.score_key, copied.content())


class InLine:
    """Stands in for a pool: every job ends at once, in this process, with a record that says nothing.

    Args:
        store: takes the records.
        cells: of the sweep; resident memory is noted when a tenth of them and when all have ended.
    """

    def __init__(self, store: Store, cells: int) -> None:
        self.store, self.cells = store, cells
        self.resident: list[int] = []

    def run(
        self,
        next_job: Callable[[], Job | None],
        done: Callable[[Job, Outcome], None],
        progress: Progress,
        stopping: Callable[[], bool],
    ) -> None:
        """As `Pool.run`."""
        ended = 0
        while (job := next_job()) is not None:
            progress(0, job, "start", 0, 0, {})
            if job.kind == "score" and job.cell is not None:
                key = job.cell.score_key
                self.store.write_json("records", key, {"state": "ok", "keys": {"record": key}})
            done(job, Outcome("ok"))
            ended += job.kind == "score"
            if job.kind == "score" and ended in {max(1, self.cells // 10), self.cells}:
                self.resident.append(psutil.Process().memory_info().rss)


class InLineRunner(Runner):
    """A runner without worker processes."""

    def _executor(self, workers: int, jobs: int, display: Display, development: Development) -> Executor[Job]:
        self.executor = InLine(self.store, len(self.plan.cells))
        return self.executor


def scheduled(cohort: Cohort, cells: int, results: Path) -> InLineCost:
    """What the schedule, the store and the leaderboard's folder cost for so many cells that do nothing."""
    entry = registry()["class-mean"]
    sweep = Sweep(cohort=cohort.name, folds=(0,), repeats=cells, generators=(entry.name,))
    made = plan(sweep, Registry((entry,)), cohort, cohort.fingerprint())
    runner = InLineRunner(made, cohort, results, NAME)
    wall, cpu = time.perf_counter(), time.process_time()
    runner.run(1, Clocked())
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    resident = runner.executor.resident
    return InLineCost(cells, 1000 * wall / cells, 1000 * cpu / cells, resident[-1], resident[-1] - resident[0])


def speed_up(cohort: Cohort, entry: Entry, results: Path) -> SpeedUp:
    """How many times as soon two workers end four cells as one worker does, from the first cell's end to the last."""
    seconds = []
    for workers in (1, 2):
        sweep = Sweep(cohort=cohort.name, folds=(0,), repeats=4 + workers, generators=(entry.name,))
        made = plan(sweep, Registry((entry,)), cohort, cohort.fingerprint())
        display = Clocked()
        Runner(made, cohort, results / str(workers), NAME).run(workers, display)
        seconds.append(display.ends[-1][1] - display.ends[workers - 1][1])
    return SpeedUp(seconds[0] / seconds[1])


def main(
    cells: Annotated[int, typer.Option(help="Cells of every sweep that is run.", min=2)] = 10,
    cached: Annotated[int, typer.Option(help="Cells of the sweep that is there already.", min=20)] = 1000,
    in_line: Annotated[int, typer.Option(help="Cells that the scheduler hands out in-line.", min=1)] = 10_000,
    kinds: Annotated[str, typer.Option(help="fork, spawn or both, comma-separated.")] = "fork,spawn",
    alone: Annotated[bool, typer.Option("--alone/--busy", help="Whether two cores are free for the speed-up.")] = True,
    out: Annotated[Path | None, typer.Option(help="Folder for the page sweep-speed.md.", file_okay=False)] = None,
) -> None:
    """Measure what a sweep costs beside its cells: workers around cells that do nothing, cells that are there already.

    Works in a temporary folder, prints each cost, and writes the page where it is asked for.
    """
    of_kinds, load = options.chosen(kinds, ("fork", "spawn"), "kind"), os.getloadavg()[0]
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as folder:
        for cost in _costs(Path(folder), of_kinds, cells, cached, in_line, alone):
            costs.append(cost)
            for what, took, aim in cost.lines():
                print(f"{what}: {took} (aim: {aim})")
    if out is not None:
        print(f"result: {write_page(out, costs, load)}")


def _costs(place: Path, kinds: Sequence[str], cells: int, cached: int, in_line: int, alone: bool) -> Iterator[Cost]:
    """Each as it is measured, in the order of the page."""
    os.environ[VARIABLE] = str(place / "data")
    cohort = simulated_cohort(patients=240, genes=40, seed=1, name=NAME)
    save_cohort(cohort, cohort_folder(NAME))
    (place / "gexbench_nothing.py").write_text(GENERATOR)
    sys.path.insert(0, str(place))
    foreign, computing = (
        Entry(name.lower(), f"gexbench_nothing:{name}", "test", (), "for tests") for name in ("Nothing", "Computing")
    )
    for kind in kinds:
        for what, entry in (("built in", registry()["class-mean"]), ("foreign", foreign)):
            yield measured(cohort, what, entry, cells, place / f"{kind}-{entry.name}", kind)
    yield cached_sweep(cohort, cached, place / "cached")
    yield scheduled(cohort, in_line, place / "in-line")
    yield speed_up(cohort, computing, place / "speed-up") if alone else SpeedUp(None)

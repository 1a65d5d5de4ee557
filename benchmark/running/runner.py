"""Run a plan: what exists already, what to do in which order, and the resulting leaderboard."""

import json
import math
import re
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from gexbench.benchmark.cells.development import Development, expression_given
from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.cells.record import failure_record
from gexbench.benchmark.machine.exits import STOPPED
from gexbench.benchmark.machine.processes import capped_workers
from gexbench.benchmark.running.cell_pool import cell_pool
from gexbench.benchmark.running.lanes import Lanes
from gexbench.benchmark.running.pool import Executor
from gexbench.benchmark.running.progress import Display
from gexbench.benchmark.running.progress_file import PROGRESS, Shown
from gexbench.benchmark.running.ray_pool import Cluster, RayPool
from gexbench.benchmark.running.schedule import Schedule
from gexbench.benchmark.storage.kept_records import kept_record, kept_state
from gexbench.benchmark.storage.reuse import Reused
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.storage.store_cap import Evicted, evict, in_use
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.atomic import check_room, write_changed, write_text

FINAL_STATES = frozenset({"ok", "unavailable"})
"""Final states; a cell in any other state is retried by the next run."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """How a run ended.

    Attributes:
        states: number of cells by state; cached: cells that were there already.
        stopped: whether it was stopped before its end.
        corrupt: entries of the store that could not be read.
        evicted: kept rows removed from the store.
    """

    states: dict[str, int]
    cached: int
    stopped: bool
    corrupt: tuple[str, ...]
    evicted: Evicted


class Runner:
    """Runs a plan in a results folder and keeps its leaderboard's records up to date.

    `results/store` holds rows, training logs, records and fold preparations by content key, shared by all sweeps;
    `results/leaderboards/NAME` holds `sweep.json`, the records and the training logs of exactly the sweep's cells;
    those of other cells are dropped only with `replace`. Kept rows leave the store when it is larger than `store_cap`
    bytes, but for those of cells that are still to be scored. Trainings run in forked processes unless `fork` is False
    (None: where they can, see `processes.can_fork`). With a `cluster` cells run there; this process writes the store.
    Cells among `reused` are taken into the store as they are, without rows.
    """

    def __init__(
        self,
        plan: Plan,
        cohort: Cohort,
        results: Path,
        name: str,
        *,
        keep_models: bool = False,
        replace: bool = False,
        store_cap: float = math.inf,
        fork: bool | None = None,
        cluster: Cluster | None = None,
        reused: Reused | None = None,
    ) -> None:
        self.plan = plan
        self.cohort = cohort
        self.results = results
        self.folder = results / "leaderboards" / name
        self.store = Store(results / "store")
        self.keep_models = keep_models
        self.replace = replace
        self.store_cap = store_cap
        self.fork, self.cluster = fork, cluster
        self.reused = reused or Reused()

    def state_of(self, cell: Cell) -> str:
        """`cached`, `reused`, `rows kept`, `skipped`, the state of a failed attempt, or `to do`."""
        state = kept_state(self.store, cell.score_key)
        if self.reused.has(cell) and state != "ok":
            return "reused"
        if state in FINAL_STATES:
            return "cached"
        if self.store.has_rows(cell.train_key):
            return "rows kept"
        if cell.skip is not None:
            return "skipped"
        return "to do" if state is None else state

    def run(
        self, workers: int, display: Display, retry: Collection[str] = (), train: bool = True, force: bool = False
    ) -> RunSummary:
        """Run what is missing.

        Args:
            workers: cells side by side; on cuda, cells that are scored beside the trainings (`lanes`).
            display: where progress goes.
            retry: with states, only cells whose last attempt ended in one of them.
            train: False scores kept rows only.
            force: score again also where a record with this key exists.

        Raises:
            DiskFull: the store could not be written to.
        """
        self.store.make()
        self.store.sweep_temporaries()
        self._begin()
        self.reused.put(self.store, self.plan.cells)
        cells, cached = self._missing(retry, force)
        expected = cached + len(cells)
        ends = _Ends(self, display, {cell.slot: cell.train_key for cell in cells})
        for cell in [cell for cell in cells if cell.skip and not self.store.has_rows(cell.train_key)]:
            cells.remove(cell)
            ends.add(cell, Outcome("skipped", cell.skip))
        schedule = Schedule.of(self.plan, self.store, cells, train)

        def done(job: Job, outcome: Outcome) -> None:
            if outcome.lost_rows and job.cell is not None:
                self.store.drop_corrupt_rows(job.cell.train_key)
            before = schedule.size
            for cell, final in schedule.ended(job, outcome):
                ends.add(cell, final)
            if outcome.lost_rows:
                display.further(schedule.size - before)
            display.job_done(job, outcome)
            if outcome.unwritten:  # this cell's failure alone, unless there is no room for another's rows either
                check_room(self.results, outcome.unwritten)

        total = schedule.size
        keep = in_use(self.store, ends.waiting.values())
        shown = Shown(self.folder / PROGRESS, display)
        given = Development.of(self.cohort, self.store.folder / "running")
        with keep, shown, given as development, Interrupts(display) as interrupts:
            executor = self._executor(workers, total, display, development)

            def next_job(takes: Callable[[Job], bool] = lambda job: True) -> Job | None:
                job = schedule.next_job(takes)
                if job is not None and job.kind == "train" and job.cell is not None:
                    development.put(self.cohort, expression_given(job.cell))
                return job

            with display.started(total, cached, expected):
                if total:
                    executor.run(next_job, done, shown.progress, lambda: interrupts.stopping)
        return RunSummary(ends.states, cached, interrupts.stopping, tuple(self.store.corrupt), ends.evicted)

    def _missing(self, retry: Collection[str], force: bool) -> tuple[list[Cell], int]:
        """Cells without a record that stands, and the number of those with one, which are put into the folder."""
        cells = []
        cached = 0
        for cell in self.plan.cells:
            record = kept_record(self.store, cell.score_key)
            state = None if record is None else record["state"]
            if record is not None and state in FINAL_STATES and state not in retry and not force:
                self._publish(cell, record)
                cached += 1
            elif not retry or state in retry:
                cells.append(cell)
        return cells, cached

    def _executor(self, workers: int, jobs: int, display: Display, development: Development) -> Executor[Job]:
        if self.cluster is not None:
            size = min(workers, max(jobs, 1))
            return RayPool(
                self.cluster, self.plan, self.cohort, self.store, development, size, self.keep_models, display.say
            )
        size = capped_workers(workers, jobs, display.say)
        lanes = Lanes.of(self.plan, self.store, size) if self.plan.sweep.device == "cuda" else None
        return cell_pool(
            self.plan,
            self.results,
            development.folder,
            size if lanes is None else len(lanes.lanes),
            keep_models=self.keep_models,
            fork=self.fork,
            side_by_side=None if lanes is None else lanes.side_by_side,
            places=lanes,
        )

    def _begin(self) -> None:
        records = self.folder / "records"
        records.mkdir(parents=True, exist_ok=True)
        kept = {f"{cell.slot}.json" for cell in self.plan.cells}
        dropped = sorted(path for path in records.glob("*.json") if path.name not in kept)
        if dropped and not self.replace:
            raise InputError(
                f"leaderboard {self.folder.name!r} holds {len(dropped)} records that are not part of this sweep "
                f"({examples(path.stem for path in dropped)}); give this sweep another --name, add what they were "
                "made with (--generators, --settings tuned, --train-fractions; what exists is skipped), or drop them "
                "with --replace"
            )
        for path in dropped:
            path.unlink()
            (self.folder / "training" / f"{path.stem}.parquet").unlink(missing_ok=True)
        write_text(self.folder / "sweep.json", _json(self.plan.sweep.model_dump(mode="json")))

    def _publish(self, cell: Cell, record: dict[str, Any]) -> None:
        """Put a cell's record, and its training log where one is kept, into the leaderboard's folder."""
        log, target = self.store.read_log(cell.train_key), self.folder / "training" / f"{cell.slot}.parquet"
        if log is not None:
            target.parent.mkdir(exist_ok=True)
            write_changed(target, log)
        path = self.folder / "records" / f"{cell.slot}.json"
        if not _holds(path, record):  # reading is several times as quick as making the text
            write_text(path, _json(record))

    def finish(self, cell: Cell, outcome: Outcome) -> None:
        """Store the record of a cell that has ended, where its worker has not, and publish it."""
        record = kept_record(self.store, cell.score_key) if outcome.state == "ok" else None
        if record is None:
            record = failure_record(cell, self.plan, self.cohort, outcome).content()
            if outcome.state != "skipped":  # that may change with what is installed, and costs nothing to find out
                self.store.write_json("records", cell.score_key, record)
        self._publish(cell, record)


class _Ends:
    """Cells that have ended, counted and shown; the store is kept under its cap after each.

    Args:
        waiting: slot → train key of the cells that are still to end.
    """

    def __init__(self, runner: Runner, display: Display, waiting: dict[str, str]) -> None:
        self.runner, self.display, self.waiting = runner, display, waiting
        self.states: dict[str, int] = {}
        self.evicted = evict(runner.store, runner.store_cap, waiting.values())

    def add(self, cell: Cell, outcome: Outcome) -> None:
        self.states[outcome.state] = self.states.get(outcome.state, 0) + 1
        self.runner.finish(cell, outcome)
        self.display.cell_done(cell, outcome)
        del self.waiting[cell.slot]
        self.evicted += evict(self.runner.store, self.runner.store_cap, self.waiting.values())


class Interrupts:
    """Ctrl-C once: finish running jobs, start no new ones. Twice: stop immediately. Both leave a resumable state."""

    def __init__(self, display: Display, running: str = "cells") -> None:
        self.display = display
        self.running = running
        self.stopping = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.stopping:
            self.display.say("stopped immediately; run the same command to resume")
            raise SystemExit(STOPPED)
        self.stopping = True
        self.display.say(f"finishing the running {self.running}; press Ctrl-C again to stop immediately")

    def __enter__(self) -> "Interrupts":
        self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)


_LIST_OF_NUMBERS = re.compile(r"\[\n\s*([-+.\w]+(?:,\n\s*[-+.\w]+)*)\n\s*\]")
"""A list of numbers as `json` indents it; no text holds a line break, so that none can look like one."""


def _holds(path: Path, content: Any) -> bool:
    try:
        return bool(json.loads(path.read_bytes()) == content)
    except (OSError, ValueError):
        return False


def _json(content: Any) -> str:
    """Indented JSON with every list of numbers on one line."""
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
    return _LIST_OF_NUMBERS.sub(lambda found: "[" + re.sub(r",\n\s*", ", ", found[1]) + "]", text) + "\n"

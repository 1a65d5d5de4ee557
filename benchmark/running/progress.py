"""Progress of a sweep: a live display on a terminal, plain lines elsewhere."""

import datetime
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.sweeps.cells import Cell

_NAMED = 46
"""Columns for what a worker does: the longest built-in name with its phase, fold and seed."""

_BAR = 8

_QUIET_S = 5.0
"""Seconds between two plain lines, at the least; a sixtieth of the time so far in longer sweeps."""

_PHASES = {"start": "starting", "fit": "training", "sample": "sampling", "score": "scoring"}


class Placed(Protocol):
    """A job that names its place in the plan."""

    @property
    def place(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Running:
    """What a worker is doing: the cell or fold, the phase, the step out of all steps, and the values it reports.

    Attributes:
        since: monotonic seconds at which the phase began.
    """

    place: str
    phase: str
    step: int
    steps: int
    values: Mapping[str, float]
    since: float

    @property
    def steps_per_s(self) -> float:
        """Steps per second of the phase so far; 0 before the first."""
        return self.step / max(time.monotonic() - self.since, 1e-9)

    def note(self) -> str:
        """The throughput and the first three values, for people."""
        speed = self.steps_per_s
        fast = [f"{speed:.3g}" if speed < 100 else f"{speed:,.0f}"] if self.phase == "fit" and self.step else []
        shown = [f"{name} {value:.3g}" for name, value in list(self.values.items())[:3]]
        return "  ".join([*(f"{each} steps/s" for each in fast), *shown])


def duration(seconds: float) -> str:
    """A length of time in seconds, minutes or hours, for people."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class _Headline:
    """The counts of a display, on their own line."""

    def __init__(self, display: "Display") -> None:
        self.display = display

    def __rich__(self) -> Text:
        return Text(self.display.headline(), no_wrap=True, overflow="ellipsis")


class _TimeLeft(ProgressColumn):
    """The time left as `Display.left_s` and `gexbench status` give it."""

    def __init__(self, display: "Display") -> None:
        super().__init__()
        self.display = display

    def render(self, task: Task) -> Text:
        """The time left in h:mm:ss."""
        left = self.display.left_s()
        return Text("time left unknown" if left is None else f"left {datetime.timedelta(seconds=round(left))}")


class Display:
    """Shows cells done, running, failed and cached, the time left, and each worker's phase, losses and throughput.

    On a terminal a live display; elsewhere a plain line every few seconds, and one per cell that failed.
    """

    counted = "cells"

    def __init__(self, console: Console) -> None:
        self.console = console
        self.jobs = Progress(
            BarColumn(bar_width=30), MofNCompleteColumn(), TextColumn("jobs"), TimeElapsedColumn(), _TimeLeft(self),
            console=console,
        )  # fmt: skip
        named = min(_NAMED, console.width // 2)
        rest = max(8, console.width - named - _BAR - 3)
        self.workers = Progress(
            TextColumn("  {task.description}", table_column=Column(width=named, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=_BAR),
            TextColumn("{task.fields[note]}", table_column=Column(max_width=rest, no_wrap=True, overflow="ellipsis")),
            console=console,
        )  # fmt: skip
        self._rows: dict[int, int] = {}
        self.running: dict[int, Running] = {}
        self._done: dict[str, int] = {}
        self._cached = self._expected = 0
        self._total = self.jobs.add_task("sweep", total=1)
        self._began = self._said = time.monotonic()

    @contextmanager
    def started(self, total: int, cached: int, cells: int | None = None) -> Iterator[None]:
        """Show progress of `total` jobs; `cached` of `cells` are there already (None: every job is a cell)."""
        self._cached, self._expected = cached, total if cells is None else cells
        self.jobs.update(self._total, total=max(total, 1), completed=0 if total else 1)
        if cached:
            self.say(f"{cached} cells were computed before and are skipped")
        if total and self.console.is_terminal:
            with Live(Group(_Headline(self), self.jobs, self.workers), console=self.console, refresh_per_second=4):
                yield
        else:
            yield
            if total:
                self._say_progress()

    def say(self, text: str) -> None:
        """A line above the display; without a terminal it begins with the time."""
        clock = "" if self.console.is_terminal else f"{datetime.datetime.now():%H:%M:%S}  "
        self.console.print(f"{clock}{text}", markup=False, highlight=False)

    def progress(
        self, worker: int, job: Placed | None, phase: str, step: int, steps: int, values: dict[str, float]
    ) -> None:
        """Show what a worker is doing."""
        if worker not in self._rows:
            self._rows[worker] = int(self.workers.add_task("", total=None, note=""))
        before = self.running.pop(worker, None)
        if job is not None:
            same = before is not None and (before.place, before.phase) == (job.place, phase)
            since = before.since if before is not None and same else time.monotonic()
            self.running[worker] = Running(job.place, phase, step, steps, dict(values), since)
        note = self.running[worker].note() if job is not None else ""
        description = "idle" if job is None else f"{phase} {job.place}"
        self.workers.update(
            self._rows[worker],  # type: ignore[arg-type]
            description=description,
            total=steps or None,
            completed=step,
            note=note,
        )
        self._say_progress_when_due()

    def further(self, jobs: int) -> None:
        """Jobs that have turned out to be necessary."""
        self.jobs.update(self._total, total=(self.jobs.tasks[0].total or 0) + jobs)

    def job_done(self, job: Job, outcome: Outcome) -> None:
        """Count a job; a training that failed takes its score with it."""
        lost_score = job.kind == "train" and outcome.state != "ok"
        self.jobs.update(self._total, advance=2 if lost_score else 1)

    def cell_done(self, cell: Cell, outcome: Outcome) -> None:
        """Report a cell's end."""
        self._done[outcome.state] = self._done.get(outcome.state, 0) + 1
        if outcome.state != "ok":
            self.say(f"{cell.slot}: {outcome.state}: {outcome.reason}")
        self._say_progress_when_due()

    def _say_progress_when_due(self) -> None:
        """Without a terminal, a line every few seconds."""
        now = time.monotonic()
        if not self.console.is_terminal and now - self._said >= max(_QUIET_S, (now - self._began) / 60):
            self._say_progress()

    def _say_progress(self) -> None:
        self._said = time.monotonic()
        if not self.console.is_terminal:
            self.say(self.line())

    def line(self) -> str:
        """Cells that have ended, those not ok, one that is running, and the time left."""
        ended = self._cached + sum(self._done.values())
        parts = [f"{ended}/{self._expected} {self.counted}"]
        parts += [f"{number} {state}" for state, number in sorted(self._done.items()) if state != "ok"]
        if ended == self._expected:
            return ", ".join(parts)
        for first in list(self.running.values())[:1]:
            more = f" and {len(self.running) - 1} more" if len(self.running) > 1 else ""
            parts.append(f"{_PHASES.get(first.phase, first.phase)} {first.place}{more}")
        left = self.left_s()
        return ", ".join([*parts, "time left unknown" if left is None else f"about {duration(left)} left"])

    def headline(self) -> str:
        """Cells by the state in which they ended, cached and running ones."""
        counts = ", ".join(f"{number} {state}" for state, number in sorted(self._done.items()))
        cached = f", {self._cached} cached" if self._cached else ""
        running = f", {len(self.running)} running" if self.running else ""
        return f"{self.counted}: {counts or '0 done'}{cached}{running}"

    def left_s(self) -> float | None:
        """Seconds left, when the jobs to do take as long as those that have ended; None before the first end."""
        task = self.jobs.tasks[0]
        elapsed = time.monotonic() - self._began
        return elapsed / task.completed * ((task.total or 0) - task.completed) if task.completed else None

    def snapshot(self) -> dict[str, Any]:
        """What it shows, JSON-able: for `gexbench status` in another terminal."""
        running = [
            {
                "place": each.place,
                "phase": each.phase,
                "step": each.step,
                "steps": each.steps,
                "note": each.note(),
            }
            for _, each in sorted(self.running.items())
        ]
        return {
            "pid": os.getpid(),
            "ended": dict(self._done),
            "cached": self._cached,
            "elapsed_s": time.monotonic() - self._began,
            "left_s": self.left_s(),
            "running": running,
        }

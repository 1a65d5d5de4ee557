"""Progress of a sweep: a live display on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gexbench.benchmark.jobs import Job, Outcome
from gexbench.benchmark.sweep import Cell


class Placed(Protocol):
    """A job that names its place in the plan."""

    @property
    def place(self) -> str: ...


class Display:
    """Shows cells done, running, failed and cached, the time left, and each worker's phase and losses."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.jobs = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("jobs"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=console,
        )
        self.workers = Progress(
            TextColumn("  {task.description:<44}"), BarColumn(bar_width=20), TextColumn("{task.fields[note]}"),
            console=console,
        )  # fmt: skip
        self._rows: dict[int, int] = {}
        self._done: dict[str, int] = {}
        self._cached = 0
        self._total = self.jobs.add_task("sweep", total=1)
        self._began = time.monotonic()

    @contextmanager
    def started(self, total: int, cached: int) -> Iterator[None]:
        """Show progress of `total` jobs; `cached` cells are there already."""
        self._cached = cached
        self.jobs.update(self._total, total=max(total, 1), completed=0 if total else 1, description=self._headline())
        if cached:
            self.say(f"{cached} cells are there already under the same key and are skipped")
        if total and self.console.is_terminal:
            with Live(Group(self.jobs, self.workers), console=self.console, refresh_per_second=4):
                yield
        else:
            yield

    def say(self, text: str) -> None:
        """A line above the display."""
        self.console.print(text, markup=False, highlight=False)

    def progress(
        self, worker: int, job: Placed | None, phase: str, step: int, steps: int, values: dict[str, float]
    ) -> None:
        """Show what a worker is doing."""
        if worker not in self._rows:
            self._rows[worker] = int(self.workers.add_task("", total=None, note=""))
        note = "  ".join(f"{name} {value:.3g}" for name, value in list(values.items())[:3])
        description = "idle" if job is None else f"{phase} {job.place}"
        self.workers.update(
            self._rows[worker],  # type: ignore[arg-type]
            description=description,
            total=steps or None,
            completed=step,
            note=note,
        )

    def job_done(self, job: Job, outcome: Outcome) -> None:
        """Count a job; a training that failed takes its score with it."""
        lost_score = job.kind == "train" and outcome.state != "ok"
        self.jobs.update(self._total, advance=2 if lost_score else 1, description=self._headline())

    def cell_done(self, cell: Cell, outcome: Outcome) -> None:
        """Report a cell's end."""
        self._done[outcome.state] = self._done.get(outcome.state, 0) + 1
        if outcome.state != "ok":
            self.say(f"{cell.slot}: {outcome.state}: {outcome.reason}")
        elif not self.console.is_terminal:
            minutes = (time.monotonic() - self._began) / 60
            self.say(f"[{minutes:5.1f} min] {cell.slot}: ok ({sum(self._done.values())} cells done)")

    def _headline(self) -> str:
        counts = ", ".join(f"{number} {state}" for state, number in sorted(self._done.items()))
        cached = f", {self._cached} cached" if self._cached else ""
        return f"cells: {counts or '0 done'}{cached}"

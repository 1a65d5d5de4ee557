"""Progress of a study: a bar in a terminal, elsewhere a line for each step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Report = Callable[[str, int, int], None]
"""Called with what is under way, steps done and steps in all."""


@contextmanager
def progress_shown(console: Console) -> Iterator[Report]:
    """Shows what it is told until it is left."""
    columns = (TextColumn("{task.description:<44}"), BarColumn(30), MofNCompleteColumn())
    times = (TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, *times, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(what: str, done: int, steps: int) -> None:
            bar.update(task, description=what, completed=done, total=steps)
            if not console.is_terminal:
                console.print(f"[{done}/{steps}] {what}", markup=False, highlight=False)

        yield report

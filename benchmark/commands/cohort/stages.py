"""Progress of a command that works in stages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def stages(console: "Console") -> Iterator[Callable[[str, int, int], None]]:
    """Show a live bar per stage on a terminal, elsewhere a line per finished stage."""
    import time

    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:<28}"), BarColumn(bar_width=30), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars: dict[str, TaskID] = {}
        began: dict[str, float] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage], began[stage] = progress.add_task(stage, total=total), time.monotonic()
            progress.update(bars[stage], completed=done, total=total)
            if done == total and not console.is_terminal:
                console.print(f"{stage}: {time.monotonic() - began[stage]:.1f} s", highlight=False)

        yield report

"""The console that everything which reaches a terminal passes through."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from gexbench.tasks.files.plain_text import plain_lines


class PlainConsole(Console):
    """A console that shows names, messages and values of others without their control sequences."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of what is shown; only the console's own ones control the terminal."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain_lines(segment.text))

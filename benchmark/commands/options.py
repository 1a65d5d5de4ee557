"""Options that several verbs share."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

Results = Annotated[
    Path,
    typer.Option("--results", help="Results folder: store/ and leaderboards/.", file_okay=False, show_default=True),
]
DEFAULT_RESULTS = Path("gexbench-results")
WIDE = 150


def console() -> "Console":
    """A console of the terminal's width; output that goes to a file or a pipe is not cut at 80 columns."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=WIDE)


def leaderboard_folder(results: Path, name: str) -> Path:
    """The folder of a leaderboard: NAME under `results`, or NAME itself when it is a folder with records.

    Raises:
        InputError: when there is none; lists those that exist.
    """
    from gexbench.tasks.errors import InputError, examples

    for folder in (results / "leaderboards" / name, Path(name)):
        if (folder / "records").is_dir():
            return folder
    existing = sorted(path.name for path in (results / "leaderboards").glob("*") if path.is_dir())
    raise InputError(
        f"no leaderboard {name!r} in {results} (there: {examples(existing, 10) or 'none'}); "
        "make one with `gexbench run`"
    )

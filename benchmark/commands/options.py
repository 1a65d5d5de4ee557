"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path,
    typer.Option("--results", help="Results folder: store/ and leaderboards/.", file_okay=False, show_default=True),
]
DEFAULT_RESULTS = Path("gexbench-results")


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

"""`gexbench report`: rebuild a leaderboard's tables from its records alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder

NARROW = 115
EPILOG = """[bold]Examples[/bold]\n
gexbench report simulated-quick\n
gexbench report leaderboards/published/tcga/v1\n
gexbench report simulated-quick --formats tex,parquet     for a paper, and for a data frame\n
gexbench report leaderboards/published/tcga/v3 --formats tex --out paper
"""


def report(
    name: Annotated[
        str, typer.Argument(help="Name of a leaderboard in the results folder, or a folder with records/.")
    ],
    note: Annotated[str | None, typer.Option(help="A sentence for the header. (default: the one it has)")] = None,
    formats: Annotated[
        str, typer.Option(help="Comma-separated: md, csv, html, parquet, tex (booktabs). (default: md,csv,html)")
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the tables. (default: the leaderboard's own)", file_okay=False)
    ] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Rebuild leaderboard.md, .csv and .html from records and print the table."""
    from gexbench.leaderboards.pages.rendering import FORMATS
    from gexbench.leaderboards.publishing.folders import SUMS

    console, folder = options.console(), leaderboard_folder(results, name)
    chosen = options.chosen(formats, FORMATS, "format")
    if chosen and out is None and (folder / SUMS).is_file():
        problem = f"{folder} is published and holds md, csv and html alone; name another folder with --out"
        raise typer.BadParameter(problem, param_hint="--formats")
    if out is not None and (out / SUMS).is_file():
        raise typer.BadParameter(f"{out} is published and never changes; name another folder", param_hint="--out")
    write_and_show(console, folder, note, chosen, out)


def write_and_show(
    console: Any, folder: Path, note: str | None, formats: Sequence[str] = (), out: Path | None = None
) -> None:
    """Write the tables of a leaderboard folder, print the summary and, last, where the files are.

    The note is kept in `note.json`, so that a later report has the same header.

    Args:
        formats: of the tables; none = those that every leaderboard has.
        out: folder for the tables; None = the leaderboard's own.
    """
    from gexbench.leaderboards.comparing.table import leaderboard, summary
    from gexbench.leaderboards.pages.rendering import DEFAULT_FORMATS, write
    from gexbench.leaderboards.publishing.folders import SUMS
    from gexbench.leaderboards.records import RecordError, read_records
    from gexbench.leaderboards.records.logs import read_logs
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.files.atomic import write_text

    stored, published = folder / "note.json", (folder / SUMS).is_file()
    if published and note is not None:
        raise InputError(f"{folder} is published, and its note with it; leave --note out, or publish the next version")
    if note is not None:
        write_text(stored, json.dumps({"note": note}) + "\n")
    elif stored.exists():
        note = _stored_note(stored)
    try:
        records = read_records(folder / "records")
        board = leaderboard(records, note)
        logs = read_logs(folder, records)
    except RecordError as error:
        raise InputError(error.problems) from None
    target = folder if out is None else out
    if published and out is None:
        _refreshed(folder)
        written = [folder / f"leaderboard.{kind}" for kind in DEFAULT_FORMATS]
    else:
        written = write(board, target, records, formats or DEFAULT_FORMATS, logs)
    frame = summary(board)
    console.print(_table(frame, console.width))
    first, *others = [str(written[0]), *(path.name for path in written[1:])]
    files = f"{', '.join([first, *others[:-1]])} and {others[-1]}" if others else first
    console.print(f"leaderboard: {files}; records: {folder / 'records'}", soft_wrap=True)


def _refreshed(folder: Path) -> None:
    """The tables of a published folder anew, which holds its records, its note and their checksums fast."""
    from gexbench.leaderboards.publishing.folders import PublishedError, refresh
    from gexbench.tasks.errors import InputError

    try:
        refresh(folder)
    except PublishedError as error:
        raise InputError(error.problems) from None


def _stored_note(path: Path) -> str:
    from gexbench.tasks.errors import InputError

    try:
        return str(json.loads(path.read_text())["note"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.parent.name}/{path.name}: cannot be read ({error}); give the --note again") from None


def _table(frame: Any, width: int) -> Any:
    """The summary as a rich table; a narrow terminal gets it without the families' columns."""
    from rich.table import Table
    from rich.text import Text

    if width < NARROW:
        frame = frame[[column for column in frame.columns if not str(column).endswith("↑") or "overall" in str(column)]]
    table = Table(box=None, pad_edge=False)
    for column in frame.columns:
        table.add_column(str(column), no_wrap=True)
    for row in frame.itertuples(index=False):
        table.add_row(*(Text(str(value)) for value in row))
    return table

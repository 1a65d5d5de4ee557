"""`gexbench report`: rebuild a leaderboard's tables from its records alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder
from gexbench.benchmark.commands.terminal.tables import print_table
from gexbench.tasks.files.input_paths import read_regular

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
    note: Annotated[
        str | None, typer.Option(help="A sentence for the table's header. (default: keep the present one)")
    ] = None,
    formats: Annotated[
        str,
        typer.Option(help="Formats, comma-separated: md, csv, html, parquet, tex (booktabs). (default: md,csv,html)"),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Output folder. (default: the leaderboard's folder)", file_okay=False)
    ] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Rebuild a leaderboard's tables from its records and print the main table."""
    from gexbench.leaderboards.pages.rendering import FORMATS
    from gexbench.leaderboards.publishing.folders import SUMS

    console, folder = options.console(), leaderboard_folder(results, name)
    chosen = options.chosen(formats, FORMATS, "format")
    if chosen and out is None and (folder / SUMS).is_file():
        problem = f"{folder} is published and holds only md, csv and html; give another folder with --out"
        raise typer.BadParameter(problem, param_hint="--formats")
    if out is not None and (out / SUMS).is_file():
        raise typer.BadParameter(f"{out} is published and never changes; give another folder", param_hint="--out")
    write_and_show(console, folder, note, chosen, out)


def write_and_show(
    console: Any,
    folder: Path,
    note: str | None,
    formats: Sequence[str] = (),
    out: Path | None = None,
    remarks: Sequence[str] = (),
) -> None:
    """Write the tables of a leaderboard folder, print the summary and, as the last line, the paths of the files.

    The note is stored in `note.json` for later reports.

    Args:
        formats: of the tables; none = those that every leaderboard has.
        out: folder for the tables; None = the leaderboard's own.
        remarks: lines to print below the summary.
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
        raise InputError(f"{folder} is published and keeps its note; leave --note out, or publish a new version")
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
    families = [f"{family} ↑" for family in board.families]
    print_table(
        console,
        list(frame.columns),
        frame.to_numpy().tolist(),
        groups=(["generator"], ["overall ↑"], ["rank"], ["95 % interval"], ["standing"], ["cells"], families),
        elsewhere="see the files below for all of them",
    )
    for remark in remarks:
        console.print(remark, markup=False, highlight=False)
    others = f"also written: {', '.join(path.name for path in written[1:])}; " if written[1:] else ""
    console.print(f"{others}records: {folder / 'records'}", markup=False, highlight=False)
    console.print(f"leaderboard: {written[0]}", soft_wrap=True)


def _refreshed(folder: Path) -> None:
    """Rewrite the tables of a published folder, whose records and note are fixed by their checksums."""
    from gexbench.leaderboards.publishing.folders import PublishedError, refresh
    from gexbench.tasks.errors import InputError

    try:
        refresh(folder)
    except PublishedError as error:
        raise InputError(error.problems) from None


def _stored_note(path: Path) -> str:
    from gexbench.tasks.errors import InputError

    try:
        return str(json.loads(read_regular(path))["note"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path.parent.name}/{path.name}: cannot be read ({error}); give --note again") from None

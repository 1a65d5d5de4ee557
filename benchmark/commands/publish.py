"""`gexbench publish` and `gexbench verify`: immutable leaderboards that anyone can check."""

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder

if TYPE_CHECKING:
    from gexbench.benchmark.sweeps.sweep import Sweep
    from gexbench.leaderboards.records import Record

PUBLISH_EPILOG = """[bold]Examples[/bold]\n
gexbench publish simulated-quick published/simulated/v1\n
gexbench publish tcga-cpu leaderboards/published/tcga/v3 --note 'The cohort may not be redistributed.'
"""
VERIFY_EPILOG = """[bold]Examples[/bold]\n
gexbench verify leaderboards/published/tcga/v1\n
gexbench verify leaderboards/published/*/*
"""


def publish(
    name: Annotated[
        str, typer.Argument(help="Name of a leaderboard in the results folder, or a folder with records/.")
    ],
    folder: Annotated[Path, typer.Argument(help="New folder; must not exist yet.")],
    note: Annotated[str | None, typer.Option(help="A sentence for the table's header.")] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Publish even if cells of the sweep have no record.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Copy a leaderboard into a new folder, ready to be cited.

    The folder holds the records, the sweep's specification, training logs, tables, figures, the cohort's card, the
    software and hardware environments, CITATION.cff, a citation text and the checksum of every file. It is never
    changed afterwards: publish corrections as a new version.
    """
    from gexbench.benchmark.sweeps.sweep import read_sweep
    from gexbench.leaderboards.publishing.folders import PublishedError
    from gexbench.leaderboards.publishing.folders import publish as made
    from gexbench.leaderboards.records import RecordError, read_records
    from gexbench.tasks.errors import InputError

    console, source = options.console(), leaderboard_folder(results, name)
    sweep = read_sweep(source)
    try:
        found = read_records(source / "records")
        _complete(sweep, found, partial)
        fingerprint = found[0].cohort.fingerprint
        texts = {
            "cohort.txt": _card(sweep.cohort, fingerprint),
            "environment.json": _environment(found),
            **_citation(sweep, fingerprint, folder.name),
        }
        records = made(source, folder, texts, note)
    except (PublishedError, RecordError) as error:
        raise InputError(error.problems) from None
    console.print(f"published {len(records)} records; check them with `gexbench verify`: {folder}", soft_wrap=True)


def verify(
    folders: Annotated[list[Path], typer.Argument(help="Published folders.", file_okay=False)],
) -> None:
    """Check the files of published leaderboards against their checksums and rebuild their tables from the records."""
    from gexbench.leaderboards.publishing.folders import verify as checked

    console, bad = options.console(), 0
    for folder in folders:
        found = checked(folder)
        bad += bool(found.problems)
        for text in (*found.problems, *found.remarks):
            console.print(f"{folder}: {text}", markup=False)
        if not found.problems:
            console.print(f"{folder}: all checksums match, and the tables follow from the records", soft_wrap=True)
    if bad:
        raise typer.Exit(1)


def _complete(sweep: "Sweep", records: list["Record"], partial: bool) -> None:
    """Refuse a sweep with cells that have no record: of its generators, and of every other row that has one.

    Raises:
        InputError: names the rows that lack cells.
    """
    from gexbench.models import registry
    from gexbench.tasks.errors import InputError, examples

    seeds = {record.row: sweep.repeats for record in records} | sweep.seeds_of_rows(registry())
    there = {(record.row, record.fold.index, record.repeat) for record in records}
    wanted = {(row, fold, repeat) for row in seeds for fold in sweep.folds for repeat in range(seeds[row])}
    lacking = wanted - there
    if lacking and not partial:
        named = examples(dict.fromkeys(name for name, _, _ in sorted(lacking)))
        raise InputError(
            f"{len(lacking)} cells have no record ({named}); finish the sweep, or publish it as it is with --partial"
        )


def _card(cohort: str, fingerprint: str) -> str:
    from gexbench.benchmark.commands.cohort.card import show
    from gexbench.benchmark.commands.terminal.console import PlainConsole
    from gexbench.tasks.cards.card import card
    from gexbench.tasks.data_directory import load_cohort
    from gexbench.tasks.errors import InputError

    loaded = load_cohort(cohort)
    if loaded.fingerprint() != fingerprint:
        raise InputError(
            f"cohort {cohort} is not the cohort of the records (fingerprint {fingerprint[:12]}…); build that cohort"
        )
    console = PlainConsole(width=150, color_system=None)
    with console.capture() as captured:
        show(console, card(loaded))
    return "\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n"


def _environment(records: list["Record"]) -> str:
    """The distinct combinations of suite, software and hardware, with their numbers of records."""
    found: dict[str, int] = {}
    for record in records:
        text = json.dumps(record.model_dump(include={"suite", "versions", "hardware"}), sort_keys=True)
        found[text] = found.get(text, 0) + 1
    listed = [{"records": count, **json.loads(text)} for text, count in sorted(found.items())]
    return json.dumps(listed, indent=1, sort_keys=True) + "\n"


def _citation(sweep: "Sweep", fingerprint: str, version: str) -> dict[str, str]:
    import yaml

    today = datetime.datetime.now(datetime.UTC).date()
    title = f"gexbench leaderboard {sweep.cohort}, track {sweep.track}, budget {sweep.budget}, {version}"
    text = (
        f"The gexbench developers ({today.year}). {title} (cohort fingerprint {fingerprint[:16]}, "
        f"folds {', '.join(map(str, sweep.folds))}). Verified with `gexbench verify`."
    )
    content = {
        "cff-version": "1.2.0",
        "message": "If you use these numbers, please cite them as below.",
        "type": "dataset",
        "title": title,
        "version": version,
        "date-released": today.isoformat(),
        "license": "Apache-2.0",
        "authors": [{"name": "The gexbench developers"}],
        "abstract": text,
    }
    return {"CITATION.cff": yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "CITE.txt": text + "\n"}

"""`gexbench reproduce`: does a record's cell give the same numbers again?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results

if TYPE_CHECKING:
    from rich.console import Console

    from gexbench.benchmark.reproducing.reproduction import Reproduction
    from gexbench.leaderboards.records.records import Record

EPILOG = """[bold]Examples[/bold]\n
gexbench reproduce leaderboards/published/tcga/v3/records/cvae.random-0.0.json\n
gexbench reproduce my-model.random-0.0.json --generator my_model.py:MyModel      a record that says local
"""


def reproduce(
    record: Annotated[Path, typer.Argument(help="A record: a JSON file of a leaderboard's records folder.")],
    generator: Annotated[str | None, typer.Option(help="The file of a local generator: FILE.py:Class.")] = None,
    folds: Annotated[Path | None, typer.Option(help="The file of the folds, for the track custom.")] = None,
    gene_sets: Annotated[Path | None, options.option("gene_sets")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Train, sample and score one cell again and compare it with its record, metric by metric.

    Equal bits on the same processor, system, versions and threads; elsewhere references within 1e-6 of the value, and
    trained generators within three standard deviations between seeds (of the records beside it). Exit code 0 when all
    agree, 1 when one differs, 2 when the cohort, the fold or the generator is another one.
    """
    from gexbench.benchmark.authoring.local_generators import with_local
    from gexbench.benchmark.reproducing.reproduction import reproduction
    from gexbench.benchmark.reproducing.rerun import given_record, records_beside, rerun_of
    from gexbench.benchmark.running.progress import Display
    from gexbench.models import registry

    console = options.console()
    recorded = given_record(record)
    entries, _ = with_local(registry(), () if generator is None else (generator,))
    rerun = rerun_of(recorded, entries, folds, gene_sets)
    if recorded.content["device"] == "cuda":
        _check_device(recorded.place)
    again = rerun.run(results, Display(console))
    if again is None:
        console.print("stopped; nothing was written")
        raise typer.Exit(130)
    found = reproduction(recorded, again, records_beside(record))
    if not rerun.same_key:
        console.print("note: this suite gives the cell another key than the record's: a setting was added since")
    _show(console, found)
    path = _written(results, recorded, again, found)
    compared, differ = len(found.metrics), sum(not each.agrees for each in found.metrics)
    verdict = "agrees" if found.agrees else "differs"
    console.print(f"{verdict}: {compared - differ} of {compared} metrics agree; {path}", markup=False, soft_wrap=True)
    if not found.agrees:
        raise typer.Exit(1)


def _check_device(place: str) -> None:
    from gexbench.tasks.errors import InputError

    if options.device("auto") != "cuda":
        raise InputError(f"{place}: trained on a CUDA device, and there is none here")


def _show(console: "Console", found: "Reproduction") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("metric", "recorded", "again", "difference", "tolerance", "", box=None, pad_edge=False)
    for each in found.metrics:
        known = each.recorded is not None and each.again is not None
        difference = f"{each.again - each.recorded:.3g}" if known else "–"  # type: ignore[operator]
        numbers = ("–" if value is None else f"{value:.6g}" for value in (each.recorded, each.again))
        cells = (each.key, *numbers, difference, f"{each.tolerance:.3g}", "✓" if each.agrees else "✗")
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    for key, reason in found.not_compared.items():
        console.print(f"not compared: {key}: {reason}", markup=False)
    console.print(f"promised: {found.promise}", markup=False, highlight=False)
    if found.reason:
        console.print(found.reason, markup=False)


def _written(results: Path, recorded: "Record", again: "Record", found: "Reproduction") -> Path:
    """Keep the comparison and the second record; named by row, fold and seed."""
    import dataclasses
    import json

    from gexbench.tasks.files.atomic import write_text

    content = recorded.content
    place = f"{recorded.row}.{content['fold']['track']}-{recorded.fold}.{recorded.repeat}"
    path = results / "reproduced" / f"{content['cohort']['name']}-{content['budget']}-{place}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"agrees": found.agrees, **dataclasses.asdict(found), "record": again.content}
    write_text(path, json.dumps(report, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return path

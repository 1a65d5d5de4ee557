"""`gexbench reproduce`: rerun the cell of a record and compare."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results
from gexbench.benchmark.commands.terminal.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

    from gexbench.benchmark.reproducing.reproduction import Reproduction
    from gexbench.leaderboards.records import Record

EPILOG = """[bold]Examples[/bold]\n
gexbench reproduce leaderboards/published/tcga/v3/records/cvae.random-0.0.json\n
gexbench reproduce my-model.random-0.0.json --generator my_model.py:MyModel      record of a local generator
"""


def reproduce(
    record: Annotated[Path, typer.Argument(help="Record: a .json file in a leaderboard's records folder.")],
    generator: Annotated[str | None, typer.Option(help="File of a local generator: FILE.py:Class.")] = None,
    folds: Annotated[Path | None, typer.Option(help="File of the folds, for records of custom folds.")] = None,
    gene_sets: Annotated[Path | None, options.option("gene_sets")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Train, sample and score one cell again and compare it with its record, metric by metric.

    On the same processor, system, package versions and thread count, all bits must match. Elsewhere, references must
    agree within 1e-6 of the value (0.005 for metrics of fitted classifiers), and trained generators within three
    standard deviations between seeds (taken from the records in the same folder). Exit code: 0 if all metrics
    agree, 1 if one differs, 2 if the cohort, fold or generator is not the one of the record.
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
    if recorded.device == "cuda":
        _check_device(recorded.place)
    again = rerun.run(results, Display(console))
    if again is None:
        console.print("stopped; nothing written")
        raise typer.Exit(130)
    found = reproduction(recorded, again, records_beside(record))
    if not rerun.same_key:
        console.print("note: the cell's key differs from the record's because a setting was added since")
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
        raise InputError(f"{place}: trained on a CUDA device; none found on this machine")


def _show(console: "Console", found: "Reproduction") -> None:
    rows = []
    for each in found.metrics:
        known = each.recorded is not None and each.again is not None
        difference = f"{each.again - each.recorded:.3g}" if known else "–"  # type: ignore[operator]
        numbers = ("–" if value is None else f"{value:.6g}" for value in (each.recorded, each.again))
        rows.append((each.key, *numbers, difference, f"{each.tolerance:.3g}", "✓" if each.agrees else "✗"))
    heads = ("metric", "recorded", "again", "difference", "tolerance", "")
    print_table(console, heads, rows, groups=(["metric"], [""], ["difference"], ["tolerance"]))
    for key, reason in found.not_compared.items():
        console.print(f"not compared: {key}: {reason}", markup=False)
    console.print(f"criterion: {found.promise}", markup=False, highlight=False)
    if found.reason:
        console.print(found.reason, markup=False)


def _written(results: Path, recorded: "Record", again: "Record", found: "Reproduction") -> Path:
    """Keep the comparison and the second record; named by row, fold and seed."""
    import dataclasses
    import json

    from gexbench.tasks.files.atomic import write_text

    place = f"{recorded.row}.{recorded.fold.track}-{recorded.fold.index}.{recorded.repeat}"
    path = results / "reproduced" / f"{recorded.cohort.name}-{recorded.budget}-{place}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"agrees": found.agrees, **dataclasses.asdict(found), "record": again.content()}
    write_text(path, json.dumps(report, indent=1, sort_keys=True, allow_nan=False) + "\n")
    return path

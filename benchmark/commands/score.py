"""`gexbench score`: score kept rows again, without training."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder

EPILOG = """[bold]Examples[/bold]\n
gexbench score simulated-quick            only cells whose metrics have a new version\n
gexbench score simulated-quick --force    every cell\n
gexbench score simulated-quick --panel extended     every cell with more metrics
"""


@options.specified(
    "workers", "panel", "gene_sets", words={"panel": "core or extended. (default: the leaderboard's own)"}
)
def score(
    name: Annotated[str, typer.Argument(help="Name of a leaderboard in the results folder.")],
    force: Annotated[bool, typer.Option("--force", help="Score also where a record with this key exists.")] = False,
    results: Results = DEFAULT_RESULTS,
    *,
    typed: Mapping[str, Any],
) -> None:
    """Score the kept rows of a leaderboard again and rewrite it: a new or corrected metric needs no retraining."""
    from gexbench.benchmark.commands.report import write_and_show
    from gexbench.benchmark.running.progress import Display
    from gexbench.benchmark.running.runner import Runner
    from gexbench.benchmark.sweeps.planning import plan, with_gene_sets
    from gexbench.benchmark.sweeps.reading import Given, checked
    from gexbench.benchmark.sweeps.sweep import read_sweep
    from gexbench.models import registry
    from gexbench.tasks.data_directory import load_cohort
    from gexbench.tasks.errors import InputError, examples

    console = options.console()
    folder = leaderboard_folder(results, name)
    sweep, entries = read_sweep(folder), registry()
    wanted = checked(Given(), typed, entries)
    if "panel" in typed:
        sweep = sweep.model_copy(update={"panel": wanted.panel})
    if sweep.track == "custom":
        raise InputError(f"{name}: its folds are a user's file; score it with `gexbench run --folds FILE`")
    absent = [generator for generator in sweep.generators if generator not in entries]
    if absent:
        raise InputError(
            f"{name}: {examples(absent)} is not installed here; install its package, or score a generator of a file "
            "with the `gexbench run` that made it, which trains nothing twice"
        )
    cohort = load_cohort(sweep.cohort)
    sweep, sets = with_gene_sets(sweep, Path(wanted.gene_sets) if wanted.gene_sets else None, cohort.genes)
    made = dataclasses.replace(plan(sweep, entries, cohort, cohort.fingerprint()), gene_sets=sets)
    runner = Runner(made, cohort, results, folder.name)
    gone = [cell.slot for cell in made.cells if not runner.store.has_rows(cell.train_key)]
    unscored = [cell.slot for cell in made.cells if runner.state_of(cell) not in {"cached", "rows kept"}]
    if unscored or (force and gone):
        lost = gone if force else unscored
        raise InputError(
            f"{len(lost)} cells have no kept rows under this version ({examples(lost)}); "
            + (
                "`gexbench run` under another --results trains them (here it takes the records that are there)"
                if force
                else "`gexbench run` trains them"
            )
        )
    if gone:
        console.print(f"{len(gone)} cells have a record but no kept rows any more ({examples(gone)})", markup=False)
    summary = runner.run(wanted.workers, Display(console), train=False, force=force)
    console.print(f"scored: {json.dumps(summary.states)}; unchanged: {summary.cached}", markup=False)
    write_and_show(console, runner.folder, None)

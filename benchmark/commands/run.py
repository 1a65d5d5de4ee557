"""`gexbench run`: train, sample, score, and write the leaderboard."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results

EPILOG = """[bold]Examples[/bold]\n
gexbench run                                     every generator, simulated cohort, budget quick\n
gexbench run --cohort tcga --budget cpu          a published leaderboard (about two hours on 2 cores)\n
gexbench run --generators cvae,gemm-gan --folds 0 --settings gemm-gan.batch=32\n
gexbench run --generators my_model.py:MyModel,class-gaussian     a generator of your own, from its file\n
gexbench run --cohort tcga --budget cpu --settings tuned     default rows and tuned rows in one table\n
gexbench run --generators cvae,diffusion-label --train-fractions 0.1,0.25     fits on few patients too

gexbench run --panel extended --generators vae   more metrics, on the rows that are kept\n
gexbench run --dry-run                           what would run, and what is there already\n
gexbench run --retry failed,timeout              only cells that ended so
"""


def run(
    cohort: options.CohortOption = "simulated",
    generators: Annotated[str, typer.Option(help="Comma-separated names, `all`, or files: FILE.py:Class.")] = "all",
    budget: Annotated[str, typer.Option(help="quick, cpu or full.")] = "quick",
    panel: Annotated[
        str, typer.Option(help="core, or extended (core and more; kept rows are scored, nothing is trained twice).")
    ] = "core",
    track: options.TrackOption = "random",
    folds: options.FoldsOption = "",
    seeds: Annotated[int, typer.Option(help="Training seeds per fold.", min=1)] = 1,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            help="GENERATOR.SETTING=VALUE, may be given several times; `tuned` (or tuned:FILE) adds a row with the "
            "settings that `gexbench tune` found, for every generator that has them."
        ),
    ] = None,
    train_fractions: Annotated[
        str,
        typer.Option(
            help="Shares below 1, comma-separated: every generator is also fitted on that share of the training and "
            "validation patients, and its rows join the few real ones in training a classifier."
        ),
    ] = "",
    workers: Annotated[int, typer.Option(help="Cells side by side.", min=1)] = 2,
    threads: Annotated[int, typer.Option(help="Threads per cell; part of a cell's identity.", min=1)] = 1,
    device: options.DeviceOption = "auto",
    time_limit: Annotated[float, typer.Option(help="Seconds after which a cell is killed.", min=1)] = 3600.0,
    retry: Annotated[str, typer.Option(help="Only cells whose last attempt ended so: failed,timeout,…")] = "",
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep trained generators in store/models.")
    ] = False,
    gene_sets: options.GeneSetsOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the cells and what is there already; run nothing.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the leaderboard. (default: COHORT-BUDGET)")] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Drop records of the leaderboard that are not in this sweep.")
    ] = False,
    note: Annotated[str | None, typer.Option(help="A sentence for the leaderboard's header.")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Train every generator on shared folds, score it, and write the leaderboard.

    What exists under the same key is skipped, so the same command resumes after an interrupt. Floors, ceilings
    and the baseline (real-holdout, class-mean, gene-shuffle, class-gaussian) are part of every sweep.
    """
    from gexbench.benchmark.gene_sets import with_gene_sets
    from gexbench.benchmark.local_generators import with_local
    from gexbench.benchmark.runner import Runner
    from gexbench.benchmark.sweep import leaderboard_name, plan, sweep_of
    from gexbench.benchmark.tuned import split_options
    from gexbench.models import registry
    from gexbench.tasks.data_directory import load_cohort

    console = options.console()
    entries, names = with_local(registry(), options.listed(generators))
    folds_file = options.folds_file(folds)
    given, tuned = split_options(settings or [])
    if not console.is_terminal:
        console.print(f"loading cohort {cohort}", markup=False)
    loaded = load_cohort(cohort)
    fingerprint = loaded.fingerprint()
    sweep = sweep_of(
        entries,
        cohort=cohort,
        track="custom" if folds_file else track,
        folds=options.fold_indices(folds, budget),
        repeats=seeds,
        generators=names,
        settings=options.parse_settings(given),
        train_fractions=options.shares(train_fractions),
        budget=budget,
        panel=panel,
        threads=threads,
        device=options.device(device),
        time_limit_s=time_limit,
    )
    if tuned is not None:
        sweep = _with_tuned(sweep, tuned, results, entries, loaded, fingerprint, folds_file)
    sweep, sets = with_gene_sets(sweep, gene_sets, loaded.genes)
    made = dataclasses.replace(plan(sweep, entries, loaded, fingerprint, folds_file), gene_sets=sets)
    runner = Runner(made, loaded, results, leaderboard_name(sweep, name), keep_models=keep_models, replace=replace)
    if dry_run:
        _show_plan(console, runner)
        return
    _run(console, runner, workers, retry, note)


def _run(console: Any, runner: Any, workers: int, retry: str, note: str | None) -> None:
    from gexbench.benchmark.commands.report import write_and_show
    from gexbench.benchmark.jobs import STATES
    from gexbench.benchmark.progress import Display
    from gexbench.tasks.names import unknown

    states = options.listed(retry)
    for state in states:
        if state not in STATES[1:]:
            raise unknown(state, STATES[1:], "state of --retry")
    summary = runner.run(workers, Display(console), retry=states)
    for place in summary.corrupt:
        console.print(f"corrupt entry was made again: {place}", markup=False)
    if summary.stopped:
        console.print("stopped; the same command resumes where it stopped")
        raise typer.Exit(130)
    write_and_show(console, runner.folder, note)
    bad = {state: count for state, count in summary.states.items() if state not in {"ok", "unavailable"}}
    if bad:
        counted = ", ".join(f"{count} {state}" for state, count in sorted(bad.items()))
        console.print(
            f"{counted}: see the table's footnotes; `gexbench run --retry {','.join(sorted(bad))}` tries again"
        )
        raise typer.Exit(1)


def _with_tuned(sweep: Any, source: str, results: Path, entries: Any, cohort: Any, fingerprint: str, file: Any) -> Any:
    """The sweep with tuned settings: from the file named `source`, or from the default place when it is empty."""
    from gexbench.benchmark.sweep import chosen_folds, leaderboard_name
    from gexbench.benchmark.tuned import tuned_settings, tuning_file
    from gexbench.models.registry import resolve_settings

    of_core = sweep.model_copy(update={"panel": "core", "train_fractions": ()})
    path = Path(source) if source else tuning_file(results, leaderboard_name(of_core, None))
    found = tuned_settings(
        path,
        generators={name: resolve_settings(entries[name], sweep.budget).version for name in sweep.generators},
        cohort=sweep.cohort,
        fingerprint=fingerprint,
        budget=sweep.budget,
        folds=chosen_folds(cohort, sweep.track, sweep.folds, file),
    )
    return sweep.model_copy(update={"tuned": found})


def _show_plan(console: Any, runner: Any) -> None:
    from rich.table import Table

    table = Table("cell", "state", "key", box=None)
    counts: dict[str, int] = {}
    for cell in runner.plan.cells:
        state = runner.state_of(cell)
        counts[state] = counts.get(state, 0) + 1
        table.add_row(cell.slot, state, cell.score_key[:12])
    console.print(table, markup=False)
    total = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    console.print(f"{len(runner.plan.cells)} cells: {total}; nothing was run")

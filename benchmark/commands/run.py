"""`gexbench run`: train, sample, score, and write the leaderboard."""

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results
from gexbench.benchmark.commands.terminal.tables import print_table
from gexbench.benchmark.sweeps.option import listed

if TYPE_CHECKING:
    from rich.console import Console

    from gexbench.benchmark.running.runner import Runner
    from gexbench.benchmark.storage.estimate import Estimate
    from gexbench.models.registry import Registry

EPILOG = """[bold]Examples[/bold]\n
gexbench run                                     every generator, simulated cohort, budget quick\n
gexbench run smoke                               one fold, references and one trained generator\n
gexbench run sweep.yaml --budget cpu             a sweep from a file; options override it\n
gexbench run paper --cohort mine --dry-run       the paper's comparison: cells and estimated time\n
gexbench run --cohort tcga --budget cpu          a published leaderboard (about two hours on 2 cores)\n
gexbench run --generators cvae,gemm-gan --folds 0 --settings gemm-gan.batch=32\n
gexbench run --cohort tcga --budget cpu --seeds 1,cvae=3,gemm-gan=3     more training seeds for some generators\n
gexbench run --generators my_model.py:MyModel,class-gaussian     a generator of your own, from its file\n
gexbench run --cohort tcga --budget cpu --settings tuned     default rows and tuned rows in one table\n
gexbench run --generators cvae,diffusion-label --train-fractions 0.1,0.25     also fit on few patients

gexbench run --cohort tcga --budget cpu --generators reused,my_model.py:MyModel --reuse leaderboards/published/tcga/v6

gexbench run --panel extended --generators vae   more metrics on the kept rows\n
gexbench run --dry-run                           list the cells and estimate the time\n
gexbench run --retry failed,timeout              only cells whose last attempt failed or timed out

gexbench run sweep.yaml --executor ray --address head:6379 --workers 64     cells on a Ray cluster
"""


_PANEL = "This run"


@options.specified()
def run(
    specification: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A .yaml file, or smoke, default, paper or full. (default: default)"),
    ] = None,
    spec: Annotated[
        str | None,
        typer.Option("--spec", metavar="NAME|FILE", help="Same as the argument.", rich_help_panel=_PANEL),
    ] = None,
    retry: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Run only cells whose last attempt ended in one of these states: failed,timeout,…",
            rich_help_panel=_PANEL,
        ),
    ] = "",
    reuse: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of a leaderboard, for example a published one; repeat the option for more. Cells with the "
            "same key reuse its records instead of being computed.",
            rich_help_panel=_PANEL,
        ),
    ] = None,
    keep_models: Annotated[
        bool,
        typer.Option("--keep-models", help="Store trained generators in store/models.", rich_help_panel=_PANEL),
    ] = False,
    store_cap: Annotated[
        float | None,
        typer.Option(
            metavar="GB",
            help="Maximum size of the store in GB: the largest kept rows are removed first, except those still to be "
            "scored.",
            min=0,
            rich_help_panel=_PANEL,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="List the cells, their states and the estimated time; run nothing.",
            rich_help_panel=_PANEL,
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Drop records of the leaderboard that are not part of this sweep.", rich_help_panel=_PANEL
        ),
    ] = False,
    results: Results = DEFAULT_RESULTS,
    *,
    typed: Mapping[str, Any],
) -> None:
    """Train every generator on shared folds, score it, and write the leaderboard.

    Finished cells are skipped, so the same command resumes after an interruption. Floors, ceilings and the baseline
    (real-holdout, class-mean, gene-shuffle, class-gaussian) are part of every sweep. Options of the sweep and of a
    cell's resources correspond to keys of the specification and override them.
    """
    from gexbench.benchmark.running.preparation import checked_states, prepared
    from gexbench.benchmark.sweeps.reading import DEFAULT_SPECIFICATION, checked, given_specification
    from gexbench.models import registry
    from gexbench.tasks.errors import InputError

    if specification and spec:
        raise InputError(f"{specification} and --spec {spec}: give one of them")
    console = options.console()
    folders = [options.leaderboard_folder(results, str(folder)) for folder in reuse or ()]
    entries = registry()
    if typed.get("generators", "all") != "all":
        entries, typed = _with_named(entries, typed, folders)
    given = given_specification(specification or spec or DEFAULT_SPECIFICATION)
    wanted = checked(given, typed, entries)
    states = checked_states(listed(retry))
    if not console.is_terminal:
        console.print(f"loading cohort {wanted.cohort}", markup=False)
    runner = prepared(
        given,
        wanted,
        entries,
        results,
        folders,
        options.device(wanted.resources.device, here=wanted.executor == "local" and not dry_run),
        keep_models=keep_models,
        replace=replace,
        store_cap=math.inf if store_cap is None else store_cap,
        starts=not dry_run,
    )
    _show_reused(console, runner, folders)
    if dry_run:
        _show_plan(console, runner, wanted.workers)
        return
    _run(console, runner, wanted.workers, states, wanted.note)


def _with_named(
    entries: "Registry", typed: Mapping[str, Any], folders: Sequence[Path]
) -> tuple["Registry", Mapping[str, Any]]:
    """The generators of files that --generators names beside the registered ones, and registry keys in their place.

    Raises:
        InputError: `reused` without a folder; files that cannot be used.
    """
    from gexbench.benchmark.authoring.local_generators import with_local
    from gexbench.benchmark.sweeps.sweep import read_sweep
    from gexbench.tasks.errors import InputError

    named = typed["generators"]
    if "reused" in named:
        if not folders:
            raise InputError("--generators reused: of which leaderboard? Name its folder with --reuse")
        there = [name for folder in folders for name in read_sweep(folder).generators if name in entries]
        named = [*there, *(name for name in named if name != "reused")]
    found, names = with_local(entries, named)
    return found, {**typed, "generators": list(names)}


def _show_reused(console: "Console", runner: "Runner", folders: Sequence[Path]) -> None:
    """How many cells come from other folders, and why the other records there do not."""
    if not folders:
        return
    known, total = runner.reused, len(runner.plan.cells)
    count = sum(runner.state_of(cell) == "reused" for cell in runner.plan.cells)
    there = len(known.records) - count
    lines = [f"{count} of {total} cells are reused from {', '.join(map(str, folders))} (records and logs, no rows)"]
    lines += [f"{there} more are already in the store"] if there else []
    lines += [f"not reused: {number} × {reason}" for reason, number in sorted(known.unmatched.items())]
    if known.seeds:
        sweep = runner.plan.sweep
        counts = {**sweep.repeats_of, **known.seeds}
        wanted = ",".join([str(sweep.repeats), *(f"{name}={count}" for name, count in sorted(counts.items()))])
        lines += [f"to reuse the other training seeds as well, add --seeds {wanted}"]
    for line in lines:
        console.print(line, markup=False, highlight=False)


def _run(console: "Console", runner: "Runner", workers: int, states: Sequence[str], note: str | None) -> None:
    from gexbench.benchmark.commands.report import write_and_show
    from gexbench.benchmark.running.progress import Display

    summary = runner.run(workers, Display(console), retry=states)
    for place in summary.corrupt:
        console.print(f"corrupt entry replaced: {place}", markup=False)
    if summary.evicted.cells:
        freed, held = (size / 10**9 for size in (summary.evicted.freed, summary.evicted.held))
        console.print(
            f"kept rows of {summary.evicted.cells} cells removed from the store ({freed:.2f} GB), "
            f"which now holds {held:.2f} GB",
            markup=False,
        )
    if summary.stopped:
        console.print("stopped; run the same command to resume")
        raise typer.Exit(130)
    bad = {state: count for state, count in summary.states.items() if state not in {"ok", "unavailable", "skipped"}}
    counted = ", ".join(f"{count} {state}" for state, count in sorted(bad.items()))
    named = shlex.quote(",".join(sorted(bad)))
    remark = f"{counted}; leaderboard.md lists the reasons, and `gexbench run --retry {named}` tries again"
    write_and_show(console, runner.folder, note, remarks=[remark] if bad else [])
    if bad:
        raise typer.Exit(1)


def _show_plan(console: "Console", runner: "Runner", workers: int) -> None:
    """Print the cells of a plan with their states, an estimate of the time, and the counts last; runs nothing."""
    from gexbench.benchmark.storage.estimate import estimated

    rows = []
    counts: dict[str, int] = {}
    missing = []
    skipped: dict[str, str] = {}
    for cell in runner.plan.cells:
        state = runner.state_of(cell)
        counts[state] = counts.get(state, 0) + 1
        rows.append((cell.slot, state, cell.score_key[:12]))
        if cell.skip and state == "skipped":
            skipped[cell.entry.name] = cell.skip
        elif state not in {"cached", "reused"}:
            missing.append((cell, state == "rows kept"))
    print_table(console, ("cell", "state", "key"), rows)
    for name, reason in skipped.items():
        console.print(f"skipped: {name}: {reason}", markup=False, highlight=False)
    console.print(_sentence(estimated(runner.plan, missing, runner.store, workers)), markup=False, highlight=False)
    total = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    console.print(f"{len(runner.plan.cells)} cells: {total}; nothing run; leaderboard: {runner.folder}", soft_wrap=True)


def _sentence(estimate: "Estimate") -> str:
    from gexbench.benchmark.running.progress import duration

    if not estimate.cells:
        return "nothing left to do"
    if not estimate.covered:
        return f"no time estimate: the store has no records of the generators of these {estimate.cells} cells"
    return (
        f"about {duration(estimate.wall_s)} with {estimate.workers} workers, estimated from earlier records of "
        f"{estimate.covered} of {estimate.cells} cells to do"
    )

"""`gexbench run`: train, sample, score, and write the leaderboard."""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results

EPILOG = """[bold]Examples[/bold]\n
gexbench run                                     every generator, simulated cohort, budget quick\n
gexbench run smoke                               one fold, references and one trained generator\n
gexbench run sweep.yaml --budget cpu             a sweep from a file; options override what it says\n
gexbench run paper --cohort mine --dry-run       the paper's comparison: the cells, and an estimate of time\n
gexbench run --cohort tcga --budget cpu          a published leaderboard (about two hours on 2 cores)\n
gexbench run --generators cvae,gemm-gan --folds 0 --settings gemm-gan.batch=32\n
gexbench run --cohort tcga --budget cpu --seeds 1,cvae=3,gemm-gan=3     more training seeds for some\n
gexbench run --generators my_model.py:MyModel,class-gaussian     a generator of your own, from its file\n
gexbench run --cohort tcga --budget cpu --settings tuned     default rows and tuned rows in one table\n
gexbench run --generators cvae,diffusion-label --train-fractions 0.1,0.25     fits on few patients too

gexbench run --cohort tcga --budget cpu --generators reused,my_model.py:MyModel --reuse leaderboards/published/tcga/v6

gexbench run --panel extended --generators vae   more metrics, on the rows that are kept\n
gexbench run --dry-run                           what would run, and what is there already\n
gexbench run --retry failed,timeout              only cells that ended so

gexbench run sweep.yaml --executor ray --address head:6379 --workers 64     cells on a Ray cluster
"""


def run(
    context: typer.Context,
    specification: Annotated[
        str | None,
        typer.Argument(metavar="[SPEC]", help="A .yaml file, or smoke, default, paper or full. (default: default)"),
    ] = None,
    spec: Annotated[str | None, typer.Option("--spec", metavar="NAME|FILE", help="The same as the argument.")] = None,
    cohort: options.CohortOption = "simulated",
    generators: Annotated[
        str,
        typer.Option(
            help="Comma-separated names, files (FILE.py:Class), `all`, or `reused`: those of the sweeps of --reuse."
        ),
    ] = "all",
    budget: Annotated[str, typer.Option(help="quick, cpu or full.")] = "quick",
    panel: Annotated[
        str, typer.Option(help="core, or extended (core and more; kept rows are scored, nothing is trained twice).")
    ] = "core",
    track: options.TrackOption = "random",
    folds: options.FoldsOption = "",
    seeds: Annotated[
        str, typer.Option(help="Training seeds per fold; 1,cvae=2 gives some generators another number.")
    ] = "1",
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
    workers: Annotated[int, typer.Option(help="Cells side by side; on cuda, beside the trainings.", min=1)] = 2,
    threads: Annotated[int, typer.Option(help="Threads per cell; part of a cell's identity.", min=1)] = 1,
    device: options.DeviceOption = "auto",
    time_limit: Annotated[float, typer.Option(help="Seconds after which a cell is killed.", min=1)] = 3600.0,
    memory_gb: Annotated[
        float | None,
        typer.Option(
            help="Resident memory in GB above which a cell is killed. (default: each worker's share of the machine's)"
        ),
    ] = None,
    gpu_memory_gb: Annotated[
        float | None,
        typer.Option(
            help="GPU memory in GB that a training needs: several share a GPU where they fit. (default: what the same "
            "training took before; a GPU to itself where that is not known)"
        ),
    ] = None,
    patches: Annotated[
        str,
        typer.Option(
            help="Image patches held on the device, streamed from the cohort's file, or auto: held where they fit."
        ),
    ] = "auto",
    retry: Annotated[str, typer.Option(help="Only cells whose last attempt ended so: failed,timeout,…")] = "",
    reuse: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FOLDER",
            help="A leaderboard's folder, for example a published one; may be given several times. Its records of "
            "cells with the same key are taken as they are, not computed.",
        ),
    ] = None,
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep trained generators in store/models.")
    ] = False,
    store_cap: Annotated[
        float | None,
        typer.Option(
            help="GB that the store may hold: kept rows leave it, the largest first, but for those still to be scored.",
            min=0,
        ),
    ] = None,
    gene_sets: options.GeneSetsOption = None,
    executor: Annotated[str, typer.Option(help="local (this machine), or ray (a Ray cluster).")] = "local",
    address: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT of the cluster's head. (default: the cluster of this machine, else a new one here)"
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="List the cells, what is there already and how long it takes; run nothing."),
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
    from gexbench.benchmark.authoring.local_generators import with_local
    from gexbench.benchmark.commands.dry_run import show_plan
    from gexbench.benchmark.commands.planning import planned
    from gexbench.benchmark.running.pool import GB
    from gexbench.benchmark.running.ray_pool import Cluster, check_ray
    from gexbench.benchmark.running.runner import Runner
    from gexbench.benchmark.storage.reuse import reused
    from gexbench.benchmark.sweeps.specification import DEFAULT_SPECIFICATION, checked, given_specification
    from gexbench.models import registry
    from gexbench.tasks.errors import InputError

    if specification and spec:
        raise InputError(f"{specification} and --spec {spec}: give one of them")
    console = options.console()
    folders = [options.leaderboard_folder(results, str(folder)) for folder in reuse or ()]
    entries, names = with_local(registry(), _with_reused(options.listed(generators), folders))
    given = given_specification(specification or spec or DEFAULT_SPECIFICATION)
    wanted = checked(given, _given_options(context, names), entries)
    cluster = Cluster(wanted.address, wanted.resources.gpus) if wanted.executor == "ray" else None
    if cluster is not None and not dry_run:
        check_ray(wanted.address)
    if not console.is_terminal:
        console.print(f"loading cohort {wanted.cohort}", markup=False)
    made, loaded, board = planned(given, wanted, entries, results, options.device(wanted.resources.device))
    runner = Runner(
        made,
        loaded,
        results,
        board,
        keep_models=keep_models,
        replace=replace,
        store_cap=math.inf if store_cap is None else store_cap * GB,
        cluster=cluster,
        reused=reused(folders, made),
    )
    _show_reused(console, runner, folders)
    if dry_run:
        show_plan(console, runner, wanted.workers)
        return
    _run(console, runner, wanted.workers, retry, wanted.note)


def _given_options(context: typer.Context, generators: tuple[str, ...]) -> dict[str, Any]:
    """What the command line says of the specification: key → value, of options that were typed.

    Args:
        context: of the command.
        generators: registry keys of the generators that were typed, those of files among them.
    """
    from gexbench.benchmark.sweeps.seed_counts import parse_seeds
    from gexbench.benchmark.sweeps.tuned import split_options

    readers: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
        "cohort": ("cohort", str),
        "generators": ("generators", lambda text: "all" if text == "all" else list(generators)),
        "budget": ("budget", str),
        "panel": ("panel", str),
        "track": ("track", str),
        "folds": ("folds", options.given_folds),
        "seeds": ("seeds", parse_seeds),
        "train_fractions": ("train_fractions", lambda text: list(options.shares(text))),
        "gene_sets": ("gene_sets", str),
        "workers": ("workers", int),
        "threads": ("resources.threads", int),
        "device": ("resources.device", str),
        "time_limit": ("resources.time_limit_s", float),
        "memory_gb": ("resources.memory_gb", float),
        "gpu_memory_gb": ("resources.gpu_memory_gb", float),
        "executor": ("executor", str),
        "address": ("address", str),
        "patches": ("resources.patches", str),
        "name": ("name", str),
        "note": ("note", str),
    }
    sources = {option: context.get_parameter_source(option) for option in readers}
    typed = {
        key: read(context.params[option])
        for option, (key, read) in readers.items()
        if (source := sources[option]) is not None and source.name == "COMMANDLINE"
    }

    pairs, tuned = split_options(context.params["settings"] or [])
    return {
        **typed,
        **({"settings": options.parse_settings(pairs)} if pairs else {}),
        **({} if tuned is None else {"tuned": tuned or True}),
    }


def _with_reused(names: Sequence[str], folders: Sequence[Path]) -> tuple[str, ...]:
    """Generators that were named, those of the folders' sweeps in the place of `reused`.

    Raises:
        InputError: `reused` without a folder.
    """
    from gexbench.benchmark.sweeps.sweep import read_sweep
    from gexbench.models import registry
    from gexbench.tasks.errors import InputError

    if "reused" not in names:
        return tuple(names)
    if not folders:
        raise InputError("--generators reused: of which leaderboard? Name its folder with --reuse")
    known = registry()
    there = [name for folder in folders for name in read_sweep(folder).generators if name in known]
    return (*there, *(name for name in names if name != "reused"))


def _show_reused(console: Any, runner: Any, folders: Sequence[Path]) -> None:
    """How many cells come from other folders, and why the other records there do not."""
    if not folders:
        return
    known, total = runner.reused, len(runner.plan.cells)
    count = sum(runner.state_of(cell) == "reused" for cell in runner.plan.cells)
    there = len(known.records) - count
    lines = [f"{count} of {total} cells are taken from {', '.join(map(str, folders))}: records and logs, no rows"]
    lines += [f"{there} more are in the store already"] if there else []
    lines += [f"not taken: {number} × {reason}" for reason, number in sorted(known.unmatched.items())]
    if known.seeds:
        sweep = runner.plan.sweep
        counts = {**sweep.repeats_of, **known.seeds}
        wanted = ",".join([str(sweep.repeats), *(f"{name}={count}" for name, count in sorted(counts.items()))])
        lines += [f"the other training seeds are taken, too, with --seeds {wanted}"]
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _run(console: Any, runner: Any, workers: int, retry: str, note: str | None) -> None:
    from gexbench.benchmark.commands.report import write_and_show
    from gexbench.benchmark.running.progress import Display
    from gexbench.leaderboards.records.parts import STATES
    from gexbench.tasks.names import unknown

    states = options.listed(retry)
    for state in states:
        if state not in STATES[1:]:
            raise unknown(state, STATES[1:], "state of --retry")
    summary = runner.run(workers, Display(console), retry=states)
    for place in summary.corrupt:
        console.print(f"corrupt entry was made again: {place}", markup=False)
    if summary.evicted.cells:
        freed, held = (size / 10**9 for size in (summary.evicted.freed, summary.evicted.held))
        console.print(
            f"kept rows of {summary.evicted.cells} cells left the store ({freed:.2f} GB); it holds {held:.2f} GB",
            markup=False,
        )
    if summary.stopped:
        console.print("stopped; the same command resumes where it stopped")
        raise typer.Exit(130)
    write_and_show(console, runner.folder, note)
    bad = {state: count for state, count in summary.states.items() if state not in {"ok", "unavailable", "skipped"}}
    if bad:
        counted = ", ".join(f"{count} {state}" for state, count in sorted(bad.items()))
        named = shlex.quote(",".join(sorted(bad)))
        console.print(f"{counted}: see the table's footnotes; `gexbench run --retry {named}` tries again")
        raise typer.Exit(1)

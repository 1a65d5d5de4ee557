"""`gexbench run`: train, sample, score, and write the leaderboard."""

from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results

EPILOG = """[bold]Examples[/bold]\n
gexbench run                                     every generator, simulated cohort, budget quick\n
gexbench run --cohort tcga --budget cpu          a published leaderboard (about an hour on 2 cores)\n
gexbench run --generators cvae,gemm-gan --folds 0 --settings gemm-gan.batch=32\n
gexbench run --dry-run                           what would run, and what is there already\n
gexbench run --retry failed,timeout              only cells that ended so
"""


def run(
    cohort: Annotated[
        str, typer.Option(help="`simulated`, or a cohort built with `gexbench cohort build`.")
    ] = "simulated",
    generators: Annotated[str, typer.Option(help="Comma-separated names, or `all`.")] = "all",
    budget: Annotated[str, typer.Option(help="quick, cpu or full.")] = "quick",
    track: Annotated[str, typer.Option(help="random, or site (whole tissue-source sites held out).")] = "random",
    folds: Annotated[
        str,
        typer.Option(
            help="Comma-separated indices, `all`, or a JSON file of id lists. [default: 0,1,2 at quick, else all]"
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(help="Training seeds per fold.", min=1)] = 1,
    settings: Annotated[
        list[str] | None, typer.Option(help="GENERATOR.SETTING=VALUE; may be given several times.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Cells side by side.", min=1)] = 2,
    threads: Annotated[int, typer.Option(help="Threads per cell; part of a cell's identity.", min=1)] = 1,
    device: Annotated[str, typer.Option(help="cpu, cuda or auto (cuda where there is one).")] = "auto",
    time_limit: Annotated[float, typer.Option(help="Seconds after which a cell is killed.", min=1)] = 3600.0,
    retry: Annotated[str, typer.Option(help="Only cells whose last attempt ended so: failed,timeout,…")] = "",
    keep_models: Annotated[
        bool, typer.Option("--keep-models", help="Keep trained generators in store/models.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the cells and what is there already; run nothing.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the leaderboard. [default: COHORT-BUDGET]")] = None,
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
    from gexbench.benchmark.runner import Runner
    from gexbench.benchmark.sweep import leaderboard_name, parse_settings, plan, sweep_of
    from gexbench.models import registry
    from gexbench.tasks.data_directory import load_cohort

    console = options.console()
    entries = registry()
    folds_file = Path(folds) if folds and not _is_index_list(folds) else None
    if not console.is_terminal:
        console.print(f"loading cohort {cohort}", markup=False)
    loaded = load_cohort(cohort)
    fingerprint = loaded.fingerprint()
    sweep = sweep_of(
        entries,
        cohort=cohort,
        track="custom" if folds_file else track,
        folds=_fold_indices(folds, budget, folds_file),
        repeats=seeds,
        generators=tuple(entries) if generators == "all" else _listed(generators),
        settings=parse_settings(settings or []),
        budget=budget,
        threads=threads,
        device=_device(device),
        time_limit_s=time_limit,
    )
    made = plan(sweep, entries, loaded, fingerprint, folds_file)
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

    states = _listed(retry)
    for state in states:
        if state not in STATES:
            raise unknown(state, STATES, "state of --retry")
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


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _is_index_list(folds: str) -> bool:
    return folds == "all" or all(part.isascii() and part.isdigit() for part in _listed(folds))


def _fold_indices(folds: str, budget: str, folds_file: Path | None) -> tuple[int, ...]:
    from gexbench.tasks.folds import PARTS

    if folds_file is not None:
        import json

        from gexbench.tasks.errors import InputError

        try:
            return tuple(range(len(json.loads(folds_file.read_text()))))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"--folds {folds_file}: neither indices, `all`, nor a readable JSON file ({error})"
            ) from None
    if folds in {"", "all"}:
        return (0, 1, 2) if budget == "quick" and not folds else tuple(range(PARTS))
    return tuple(dict.fromkeys(int(part) for part in _listed(folds)))


def _device(wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if not Path("/dev/nvidiactl").exists():
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


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

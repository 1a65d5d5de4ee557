"""`gexbench tune`: search better settings of a generator, fold by fold."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results
from gexbench.benchmark.sweeps.option import listed

EPILOG = """[bold]Examples[/bold]\n
gexbench tune cvae --cohort tcga --budget cpu --trials 8     then: gexbench run … --settings tuned\n
gexbench tune cvae,wgan-gp-label --folds 0,1 --workers 2\n
gexbench tune cvae --dry-run                                 what would be searched, and what is there already\n
"""


@options.specified(
    "cohort",
    "budget",
    "track",
    "folds",
    "workers",
    "resources.threads",
    "resources.device",
    "name",
    words={
        "budget": "quick, cpu or full; of every trial.",
        "workers": "Trials side by side; a fold's trials run one after the other.",
        "resources.threads": "Threads per trial.",
        "name": "Name of the file of settings. (default: COHORT-BUDGET)",
    },
)
def tune(
    generators: Annotated[str, typer.Argument(metavar="GENERATOR", help="One or more names, comma-separated.")],
    trials: Annotated[int, typer.Option(help="Trials per fold, with those of earlier runs.", min=1)] = 8,
    objective: Annotated[
        str,
        typer.Option(
            help="What finished trials are judged by: overall-score (of the panel core on the validation patients) or "
            "validation-score (the common one, of the state that a fit keeps)."
        ),
    ] = "overall-score",
    time_limit: Annotated[
        float | None, typer.Option(help="No trial starts after so many seconds. (default: none)", min=1)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the search space and the trials to do; run nothing.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    *,
    typed: Mapping[str, Any],
) -> None:
    """Search settings of a generator for each fold, by its overall score on the validation patients.

    A trial sees the fold's training and validation patients only. Trial 0 has the default settings, so tuned
    settings are never worse than these on the validation patients. After a third of its steps a trial whose common
    validation score is worse than the median of earlier ones is given up. Every trial is kept as it ends: the same
    command goes on where it stopped.
    """
    from gexbench.benchmark.sweeps.planning import chosen_folds, resolved
    from gexbench.benchmark.sweeps.reading import Given, checked
    from gexbench.benchmark.sweeps.sweep import leaderboard_name
    from gexbench.benchmark.sweeps.tuned import objective_name
    from gexbench.benchmark.tuning.search import search_tasks
    from gexbench.models import registry
    from gexbench.tasks.data_directory import load_cohort

    judged_by = objective_name(objective)
    console = options.console()
    entries, names = registry(), listed(generators)
    wanted = checked(Given(), {**typed, "generators": list(names)}, entries)
    sweep, folds_file = resolved(wanted, entries, options.device(wanted.resources.device))
    place = leaderboard_name(sweep, wanted.name)
    if not console.is_terminal:
        console.print(f"loading cohort {sweep.cohort}", markup=False)
    loaded = load_cohort(sweep.cohort)
    tasks = search_tasks(
        {one: entries[one] for one in dict.fromkeys(names)},
        chosen_folds(loaded, sweep.track, sweep.folds, folds_file),
        fingerprint=loaded.fingerprint(),
        budget=sweep.budget,
        threads=sweep.threads,
        device=sweep.device,
        objective=judged_by,
    )
    del loaded  # every worker holds its own
    if dry_run:
        _show_plan(console, tasks, trials, results, place)
        return
    _tune(console, tasks, sweep.cohort, trials, results, place, wanted.workers, time_limit)


def _tune(
    console: Any,
    tasks: Any,
    cohort: str,
    trials: int,
    results: Path,
    place: str,
    workers: int,
    time_limit: float | None,
) -> None:
    from gexbench.benchmark.sweeps.tuned import tuning_file
    from gexbench.benchmark.tuning.searches import TrialDisplay, Tuner

    tuner = Tuner(tasks, cohort, trials, results, place)
    summary = tuner.run(workers, TrialDisplay(console), time_limit)
    _show_found(console, summary.found)
    for where, reason in summary.unavailable.items():
        console.print(f"{where}: cannot be tuned: {reason}", markup=False)
    nothing = [where for where, found in summary.found.items() if found is None]
    if nothing and not summary.stopped:
        console.print(f"no trial of {', '.join(nothing)} came to its end; the reasons stand above", markup=False)
    if summary.stopped:
        console.print("stopped; the same command goes on where it stopped")
    if tuner.path.exists():
        task = tasks[0]
        usual = tuner.path == tuning_file(DEFAULT_RESULTS, f"{cohort}-{task.budget}")
        source = "tuned" if usual else f"tuned:{tuner.path}"
        command = f"gexbench run --cohort {cohort} --budget {task.budget} --settings {source}"
        console.print(f"tuned settings: {tuner.path}; use them: {command}", markup=False, soft_wrap=True)
    if summary.stopped or nothing:
        raise typer.Exit(130 if summary.stopped else 1)


def _show_plan(console: Any, tasks: Any, trials: int, results: Path, place: str) -> None:
    from rich.table import Table

    from gexbench.benchmark.sweeps.tuned import tuning_file
    from gexbench.benchmark.tuning.search import finished_trials

    storage = tuning_file(results, place).with_suffix(".sqlite")
    space = Table("generator", "setting", "default", "values", box=None)
    for task in {task.entry.name: task for task in tasks}.values():
        for setting, values in task.space.items():
            space.add_row(task.entry.name, setting, str(task.defaults[setting]), str(values))
    console.print(space, markup=False)
    console.print()
    planned = Table("search", "trials there", "to do", box=None)
    todo = 0
    for task in tasks:
        finished = finished_trials(task, storage)
        todo += max(trials - finished, 0)
        planned.add_row(task.place, str(finished), str(max(trials - finished, 0)))
    console.print(planned, markup=False)
    console.print(f"{todo} trials to do, the default settings first; nothing was run", markup=False)


def _show_found(console: Any, found: Any) -> None:
    from rich.table import Table
    from rich.text import Text

    heads = ("search", "complete", "pruned", "failed", "default", "tuned", "settings")
    table = Table(*heads, box=None)
    for where, tuning in found.items():
        if tuning is None:
            continue
        default, trials = tuning.default_validation_score, tuning.trials
        scores = ("–" if default is None else f"{default:.5g}", f"{tuning.validation_score:.5g}")
        settings = ", ".join(f"{key}={_short(value)}" for key, value in tuning.settings.items())
        counts = (str(trials.complete), str(trials.pruned), str(trials.failed))
        table.add_row(where, *counts, *scores, Text(settings))
    console.print(table, markup=False)
    console.print("default, tuned: 1 - overall score, or the validation score; lower is better", markup=False)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

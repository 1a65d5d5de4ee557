"""`gexbench tune`: tune a generator's settings, fold by fold."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results
from gexbench.benchmark.commands.terminal.tables import print_table

if TYPE_CHECKING:
    from gexbench.tasks.cohorts.cohort import Cohort

EPILOG = """[bold]Examples[/bold]\n
gexbench tune cvae --cohort tcga --budget cpu --trials 8     then run with --settings tuned\n
gexbench tune cvae,wgan-gp-label --folds 0,1 --workers 2\n
gexbench tune cvae --dry-run                                 show the search space and pending trials\n
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
        "budget": "Budget of each trial: quick, cpu or full.",
        "workers": "Parallel trials; the trials of a fold run one after another.",
        "resources.threads": "Threads per trial.",
        "name": "Name of the settings file. (default: COHORT-BUDGET)",
    },
)
def tune(
    generators: Annotated[str, typer.Argument(metavar="GENERATOR", help="One or more generators, comma-separated.")],
    trials: Annotated[int, typer.Option(help="Trials per fold, including those of earlier runs.", min=1)] = 8,
    objective: Annotated[
        str,
        typer.Option(
            help="Criterion: overall-score (panel core on the validation patients) or validation-score (the "
            "common one, "
            "at the checkpoint that the fit keeps)."
        ),
    ] = "overall-score",
    time_limit: Annotated[
        float | None, typer.Option(help="Start no trial after this many seconds. (default: no limit)", min=1)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the search space and the pending trials; run nothing.")
    ] = False,
    results: Results = DEFAULT_RESULTS,
    *,
    typed: Mapping[str, Any],
) -> None:
    """Tune a generator's settings per fold, by its overall score on the validation patients.

    Trials see only the fold's training and validation patients. Trial 0 uses the default settings, so tuned settings
    are never worse than the defaults on the validation patients. After a third of its steps, a trial is pruned if its
    common validation score is worse than the median of earlier trials. Every finished trial is stored, so the same
    command resumes after an interruption.
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
    entries = registry()
    names = options.chosen(generators, tuple(entries), "generator")
    wanted = checked(Given(), {**typed, "generators": list(names)}, entries)
    sweep, folds_file = resolved(wanted, entries, options.device(wanted.resources.device))
    place = leaderboard_name(sweep, wanted.name)
    if not console.is_terminal:
        console.print(f"loading cohort {sweep.cohort}", markup=False)
    loaded = load_cohort(sweep.cohort)
    tasks = search_tasks(
        {one: entries[one] for one in names},
        chosen_folds(loaded, sweep.track, sweep.folds, folds_file),
        fingerprint=loaded.fingerprint(),
        budget=sweep.budget,
        threads=sweep.threads,
        device=sweep.device,
        objective=judged_by,
    )
    if dry_run:
        _show_plan(console, tasks, trials, results, place)
        return
    _tune(console, tasks, loaded, trials, results, place, wanted.workers, time_limit)


def _tune(
    console: Any,
    tasks: Any,
    cohort: "Cohort",
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
        console.print(f"no trial of {', '.join(nothing)} finished; see the reasons above", markup=False)
    if summary.stopped:
        console.print("stopped; run the same command to resume")
    if tuner.path.exists():
        task = tasks[0]
        usual = tuner.path == tuning_file(DEFAULT_RESULTS, f"{cohort.name}-{task.budget}")
        source = "tuned" if usual else f"tuned:{tuner.path}"
        command = f"gexbench run --cohort {cohort.name} --budget {task.budget} --settings {source}"
        console.print(f"tuned settings: {tuner.path}; to use them: {command}", markup=False, soft_wrap=True)
    if summary.stopped or nothing:
        raise typer.Exit(130 if summary.stopped else 1)


def _show_plan(console: Any, tasks: Any, trials: int, results: Path, place: str) -> None:
    from gexbench.benchmark.sweeps.tuned import tuning_file
    from gexbench.benchmark.tuning.search import finished_trials

    storage = tuning_file(results, place).with_suffix(".sqlite")
    space = [
        (task.entry.name, setting, str(task.defaults[setting]), str(values))
        for task in {task.entry.name: task for task in tasks}.values()
        for setting, values in task.space.items()
    ]
    print_table(console, ("generator", "setting", "default", "values"), space)
    console.print()
    finished = [finished_trials(task, storage) for task in tasks]
    planned = [
        (task.place, str(there), str(max(trials - there, 0))) for task, there in zip(tasks, finished, strict=True)
    ]
    print_table(console, ("search", "finished", "to do"), planned)
    todo = sum(max(trials - there, 0) for there in finished)
    console.print(f"{todo} trials to do, the default settings first; nothing run", markup=False)


def _show_found(console: Any, found: Any) -> None:
    rows = []
    for where, tuning in found.items():
        if tuning is None:
            continue
        default, trials = tuning.default_validation_score, tuning.trials
        scores = ("–" if default is None else f"{default:.5g}", f"{tuning.validation_score:.5g}")
        settings = ", ".join(f"{key}={_short(value)}" for key, value in tuning.settings.items())
        counts = (str(trials.complete), str(trials.pruned), str(trials.failed))
        rows.append((where, *counts, *scores, settings))
    heads = ("search", "complete", "pruned", "failed", "default", "tuned", "settings")
    print_table(console, heads, rows, groups=(["search"], ["default", "tuned"], ["settings"]))
    console.print("default, tuned: 1 - overall score, or validation score; lower is better", markup=False)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)

"""`gexbench score`: score kept rows again, without training."""

import json
from typing import Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder

EPILOG = """[bold]Examples[/bold]\n
gexbench score simulated-quick            only cells whose metrics have a new version\n
gexbench score simulated-quick --force    every cell
"""


def score(
    name: Annotated[str, typer.Argument(help="Name of a leaderboard in the results folder.")],
    workers: Annotated[int, typer.Option(help="Cells side by side.", min=1)] = 2,
    force: Annotated[bool, typer.Option("--force", help="Score also where a record with this key exists.")] = False,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Score the kept rows of a leaderboard again and rewrite it: a new or mended metric needs no retraining."""
    from gexbench.benchmark.commands.report import write_and_show
    from gexbench.benchmark.progress import Display
    from gexbench.benchmark.runner import Runner
    from gexbench.benchmark.sweep import Sweep, plan
    from gexbench.models import registry
    from gexbench.tasks.data_directory import load_cohort
    from gexbench.tasks.errors import InputError, examples

    console = options.console()
    folder = leaderboard_folder(results, name)
    try:
        sweep = Sweep.model_validate_json((folder / "sweep.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{folder.name}/sweep.json: cannot be read ({error})") from None
    if sweep.track == "custom":
        raise InputError(f"{name}: its folds are a user's file; score it with `gexbench run --folds FILE`")
    cohort = load_cohort(sweep.cohort)
    made = plan(sweep, registry(), cohort, cohort.fingerprint())
    runner = Runner(made, cohort, results, folder.name)
    gone = [cell.slot for cell in made.cells if runner.state_of(cell) not in {"cached", "rows kept"}]
    if gone:
        raise InputError(
            f"{len(gone)} cells have no kept rows under this version ({examples(gone)}); `gexbench run` trains them"
        )
    summary = runner.run(workers, Display(console), train=False, force=force)
    console.print(f"scored: {json.dumps(summary.states)}; unchanged: {summary.cached}", markup=False)
    write_and_show(console, runner.folder, None)

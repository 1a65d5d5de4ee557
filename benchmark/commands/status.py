"""`gexbench status`: progress of a sweep, read from its folder."""

from typing import Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder
from gexbench.benchmark.commands.terminal.tables import print_table

EPILOG = """[bold]Example[/bold]\n
gexbench status simulated-quick      while `gexbench run` works in another terminal
"""


def status(
    name: Annotated[str, typer.Argument(help="Name of a leaderboard in the results folder.")],
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Show which cells of a sweep are done, failed or missing, and what is running now."""
    from gexbench.benchmark.running.progress_file import PROGRESS, shown_lines
    from gexbench.benchmark.sweeps.sweep import read_sweep
    from gexbench.leaderboards.records import RecordError, read_records
    from gexbench.models import registry
    from gexbench.tasks.errors import InputError

    folder = leaderboard_folder(results, name)
    sweep = read_sweep(folder)
    try:
        records = read_records(folder / "records") if any((folder / "records").iterdir()) else []
    except RecordError as error:
        raise InputError(error.problems) from None
    states: dict[str, dict[str, int]] = {}
    for record in records:
        of_generator = states.setdefault(record.row, {})
        of_generator[record.state] = of_generator.get(record.state, 0) + 1
    rows = []
    done = 0
    expected = {row: len(sweep.folds) * seeds for row, seeds in sweep.seeds_of_rows(registry()).items()}
    for row in expected:
        found = states.get(row, {})
        other = {state: count for state, count in found.items() if state != "ok"}
        missing = expected[row] - sum(found.values())
        done += expected[row] - missing
        listed = ", ".join(f"{count} {state}" for state, count in sorted(other.items()))
        rows.append((row, str(found.get("ok", 0)), str(missing), listed or "–"))
    console = options.console()
    print_table(console, ("generator", "ok", "missing", "other"), rows)
    for record in records:
        if record.state not in {"ok", "unavailable"}:
            console.print(f"{record.place}: {record.state}: {record.reason}", markup=False, highlight=False)
    for line in shown_lines(folder / PROGRESS):
        console.print(line, markup=False, highlight=False)
    console.print(f"{done} of {sum(expected.values())} cells have a record in {folder / 'records'}")

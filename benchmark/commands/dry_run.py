"""What `gexbench run --dry-run` shows: every cell, whether it is there, and how long the rest takes."""

from typing import Any

from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.storage.estimate import Estimate, estimated


def show_plan(console: Any, runner: Runner, workers: int) -> None:
    """Print the cells of a plan with their states, an estimate of the time, and the counts last; runs nothing."""
    from rich.table import Table

    table = Table("cell", "state", "key", box=None)
    counts: dict[str, int] = {}
    missing = []
    skipped: dict[str, str] = {}
    for cell in runner.plan.cells:
        state = runner.state_of(cell)
        counts[state] = counts.get(state, 0) + 1
        table.add_row(cell.slot, state, cell.score_key[:12])
        if cell.skip and state == "skipped":
            skipped[cell.entry.name] = cell.skip
        elif state not in {"cached", "reused"}:
            missing.append((cell, state == "rows kept"))
    console.print(table, markup=False)
    for name, reason in skipped.items():
        console.print(f"skipped: {name}: {reason}", markup=False, highlight=False)
    console.print(_sentence(estimated(runner.plan, missing, runner.store, workers)), markup=False, highlight=False)
    total = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    console.print(
        f"{len(runner.plan.cells)} cells: {total}; nothing was run; leaderboard: {runner.folder}", soft_wrap=True
    )


def _sentence(estimate: Estimate) -> str:
    if not estimate.cells:
        return "nothing is left to do"
    if not estimate.covered:
        return f"no estimate of time: the store holds no record of any of the {estimate.cells} cells' generators"
    return (
        f"about {_duration(estimate.wall_s)} with {estimate.workers} workers, from earlier records that cover "
        f"{estimate.covered} of {estimate.cells} cells to do"
    )


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

"""Rows that take no rank and no tests: diverged, collapsed, not converged."""

from collections.abc import Sequence

import numpy as np

from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.records import Record
from gexbench.leaderboards.records.logs import SCORE
from gexbench.leaderboards.statistics import fold_mean

LEAST_RECALL = 0.3
RECALL = ("recall", "recall_genes")
"""Metric that tells a collapse, by the protocols' names."""
TAIL, FALL, LEAST_CHECKPOINTS = 0.25, 0.1, 4
CONVERGED = "converged"
"""Fact that a generator may report of its training: false says that it was stopped too early."""
RULES = (
    "A row takes no rank and no tests if one of its cells diverged; if its mean recall is below "
    f"{LEAST_RECALL:g} (collapsed); or if most of its finished cells are not converged: the generator says so itself, "
    f"or the common validation score is lowest at the last checkpoint, lower than before the last "
    f"{TAIL:.0%} of the training by more than {FALL:.0%} of the whole fall."
)


def unranked(grid: Grid) -> list[str]:
    """Why each generator takes no rank, in the order of the grid; empty where nothing speaks against one.

    See `RULES`; protocol 1 ranks every such row.
    """
    if not grid.protocol.asks_convergence:
        return [""] * len(grid.generators)
    recall = _recall(grid)
    reasons = []
    for number in range(len(grid.generators)):
        cells = [grid.records[int(cell)] for cell in np.flatnonzero(grid.generator == number)]
        reasons.append(_reason([record for record in cells if record is not None], recall[number]))
    return reasons


def still_falling(curve: Sequence[float | None]) -> bool:
    """Whether a validation score, lower is better, was best at its last checkpoint and far from level.

    Args:
        curve: at equally spaced checkpoints, None where it was not finite; with fewer than four nothing is said.
    """
    values = np.array([np.inf if value is None else value for value in curve], dtype=np.float64)
    finite = values[np.isfinite(values)]
    if len(values) < LEAST_CHECKPOINTS or len(finite) < LEAST_CHECKPOINTS or values[-1] > values.min():
        return False
    before = values[: len(values) - max(1, round(TAIL * len(values)))].min()
    return bool(before - values[-1] > FALL * (finite[0] - values[-1]))


def not_converged(record: Record) -> bool:
    """Whether the training of a finished cell was stopped too early, by its generator or by its curve."""
    return record.diagnostics.get(CONVERGED) is False or still_falling(record.curves.get(SCORE, ()))


def _reason(records: Sequence[Record], recall: float) -> str:
    diverged = [record for record in records if record.state == "diverged"]
    if diverged:
        return f"no rank and no tests: diverged in {len(diverged)} of {len(records)} cells"
    if recall < LEAST_RECALL:
        return f"no rank and no tests: collapsed, with a mean recall below {LEAST_RECALL:g}"
    finished = [record for record in records if record.state == "ok"]
    early = sum(map(not_converged, finished))
    if 2 * early > len(finished):
        return f"no rank and no tests: not converged in {early} of {len(finished)} cells"
    return ""


def _recall(grid: Grid) -> list[float]:
    key = next((name for name in RECALL if name in grid.keys), None)
    if key is None:
        return [np.nan] * len(grid.generators)
    return [float(value) for value in fold_mean(grid.by_fold(grid.values[:, grid.keys.index(key)]))]

"""Leaderboards as pandas frames."""

from pathlib import Path

import pandas as pd

from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.rendering import wide
from gexbench.leaderboards.records import RecordError, read_records
from gexbench.tasks.errors import InputError


def load_leaderboard(folder: str | Path) -> pd.DataFrame:
    """The main table of a leaderboard, computed from its records as `leaderboard.csv` is.

    Args:
        folder: with `records/`, for example `gexbench-results/leaderboards/simulated-quick` or a published leaderboard.

    Returns:
        One row per generator in table order: `generator`, `standing` (ranked, reference, below the line), `rank`,
        `overall_score_mean` and `overall_score_half_width`, the same of each metric family; of every metric
        `METRIC_mean` and `METRIC_half_width` in the metric's unit and, where it has one, `METRIC_score_mean`; cells,
        seconds and memory; version, conditions and settings; notes; cohort, fingerprint, track, budget, panel, folds.
        Scores run from 0 to 1, higher is better; half-widths are of 95 % intervals over folds. What was not measured
        is NaN.

    Raises:
        InputError: no records there, damaged records, or records that cannot share a table.
    """
    try:
        return wide(leaderboard(read_records(Path(folder) / "records")))
    except RecordError as error:
        raise InputError(error.problems) from None

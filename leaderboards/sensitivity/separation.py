"""Which metrics tell models apart: the gap between the labelled rows of a table, in standard errors."""

from itertools import combinations

import numpy as np
import pandas as pd

from gexbench.leaderboards.records import RecordError
from gexbench.leaderboards.sensitivity.points import Points
from gexbench.leaderboards.statistics import fold_mean, standard_error
from gexbench.tasks.panel.catalogue import split_key

LEAST_GAP = 2.0
"""Largest gap between two rows, in standard errors, below which a metric tells no models apart."""
LEAST_ROWS = 3


def separation(points: Points) -> pd.DataFrame:
    """The gap of every scored key over the ranked rows that see labels and have default settings.

    Returns:
        One row per key, smallest ratio first: key, metric, family, rows (the two that it tells apart best), gap (of
        their means over folds, in the metric's unit), error (of that gap: the root of the sum of both squared standard
        errors, which are corrected for shared training patients), ratio.

    Raises:
        RecordError: fewer than three such rows, or one fold.
    """
    rows = np.flatnonzero(points.labelled & points.default)
    if len(rows) < LEAST_ROWS or points.values.shape[1] < 2:
        raise RecordError(
            f"{len(rows)} ranked rows with labels and default settings on {points.values.shape[1]} folds; a gap needs "
            f"{LEAST_ROWS} rows and 2 folds"
        )
    pairs = list(combinations(rows.tolist(), 2))
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    found = []
    for at, key in enumerate(points.keys):
        means, errors = fold_mean(points.values[:, :, at]), standard_error(points.values[:, :, at], points.share)
        gaps, widths = np.abs(means[first] - means[second]), np.hypot(errors[first], errors[second])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(gaps > 0, gaps / widths, 0.0)
        widest = int(np.nanargmax(ratios))
        apart = f"{points.names[first[widest]]}, {points.names[second[widest]]}"
        numbers = (gaps[widest], widths[widest], ratios[widest])
        found.append((key, split_key(key)[0], points.families[at], apart, *map(float, numbers)))
    frame = pd.DataFrame(found, columns=["key", "metric", "family", "rows", "gap", "error", "ratio"])
    return frame.sort_values(["ratio", "key"], ignore_index=True)


def not_separating(found: pd.DataFrame) -> tuple[str, ...]:
    """Metrics none of whose keys has a gap of two standard errors: shown and not scored by a protocol."""
    largest = found.groupby("metric", sort=False)["ratio"].max()
    return tuple(str(name) for name in largest.index[largest < LEAST_GAP])

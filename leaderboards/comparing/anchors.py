"""Ceilings and floors of the downstream tasks: real rows, shuffled labels, the most frequent class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.comparing.normalisation import stated_references
from gexbench.leaderboards.comparing.selection import CEILING
from gexbench.leaderboards.statistics import FloatArray, fold_mean, half_width

SHUFFLED = "shuffled_labels"
TASK = "tstr_"
"""Metrics that are shown: the ceilings and floors of the other tasks are those of TSTR by logistic regression."""
TITLES: Mapping[str, str] = {
    "trtr": "real rows (TRTR, ceiling)",
    SHUFFLED: "real rows, shuffled labels",
    "majority": "majority class (floor)",
}
LEGEND = (
    "Means over folds with 95 % intervals, classifiers trained on the real training rows of a fold and tested on its "
    "test rows. With shuffled labels, the training patients' labels are exchanged at random: what a classifier reaches "
    "that has nothing to learn. Scores use TRTR and the majority class alone."
)


def anchor_rows(grid: Grid, share: float) -> pd.DataFrame:
    """Values from the folds' records of real-holdout, if any of them includes shuffled labels.

    Args:
        grid: cells and keys.
        share: n_test / n_train.

    Returns:
        One row per metric key of TSTR, in the order of the table: key, and for each of `TITLES` its mean over folds and
        NAME_half_width, NaN where no fold states it. Empty for records that state no shuffled labels.
    """
    columns = ["key", *(text for name in TITLES for text in (name, f"{name}_half_width"))]
    if CEILING not in grid.generators:
        return pd.DataFrame(columns=columns)
    at = grid.generators.index(CEILING)
    stated = [stated_references(grid, at, fold) for fold in range(len(grid.folds))]
    if not any(SHUFFLED in values for values in stated):
        return pd.DataFrame(columns=columns)
    known = {key for values in stated for anchor in values.values() for key in anchor}
    keys = [key for key in grid.keys if key in known and key.startswith(TASK)]
    frame: dict[str, list[str] | FloatArray] = {"key": keys}
    for name in TITLES:
        values = np.array([[each.get(name, {}).get(key, np.nan) for each in stated] for key in keys], dtype=float)
        frame |= {name: fold_mean(values), f"{name}_half_width": half_width(values, share)}
    return pd.DataFrame(frame, columns=columns)

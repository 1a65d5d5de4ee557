"""The share of copies of a row of the table, from the shares that its records hold."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from gexbench.leaderboards.statistics import FloatArray
from gexbench.tasks.panel.questions.privacy import COPIED, MADE

COPIES = "copy_share"
OF_TRAINING = tuple(f"{part}{made}" for made in MADE for part in COPIED if "validation" not in part)
"""Of the rows for test and for training patients: those made from one, two or three training rows."""
OF_VALIDATION = tuple(f"{part}{made}" for made in MADE for part in COPIED if "validation" in part)
"""The same of validation rows."""
COPY_METRICS = (*OF_TRAINING, *OF_VALIDATION)
PAIRS_TOO = "Rows made of two or three of these count as copies."
"""Note for records that hold the shares of pairs and trios; earlier records count copies of single rows only."""


def pairs_known(keys: Iterable[str]) -> bool:
    """Whether these metric keys hold more than copies of one row."""
    return not {*keys}.isdisjoint(name for name in COPY_METRICS if not name.endswith(COPIES))


def worst_share(shares: Mapping[str, FloatArray], reference: NDArray[np.bool_]) -> FloatArray:
    """(generators,) the largest of the means over folds of `COPY_METRICS`, NaN where none is known.

    The mean of the folds' largest would be biased upwards. Of references only copies of training rows count:
    `real-holdout` consists of validation rows.
    """
    trained: FloatArray = np.fmax.reduce([shares[name] for name in OF_TRAINING])
    return np.where(reference, trained, np.fmax.reduce([trained, *(shares[name] for name in OF_VALIDATION)]))

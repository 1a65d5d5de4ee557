"""The share of copies of a row of the table, from the three shares that its records hold."""

import numpy as np
from numpy.typing import NDArray

from gexbench.leaderboards.statistics import FloatArray

COPIES = "copy_share"
COPY_METRICS = (COPIES, "train_copy_share", "validation_copy_share")
"""Copies of training rows among the rows of test and of training patients, and of validation rows among the former."""


def worst_share(
    training: FloatArray, of_train: FloatArray, validation: FloatArray, reference: NDArray[np.bool_]
) -> FloatArray:
    """(generators,) the largest of the means over folds of `COPY_METRICS`, NaN where none is known.

    The mean of the folds' largest would be biased upwards. Of references only copies of training rows count:
    `real-holdout` consists of validation rows.
    """
    trained: FloatArray = np.fmax(training, of_train)
    return np.where(reference, trained, np.fmax(trained, validation))

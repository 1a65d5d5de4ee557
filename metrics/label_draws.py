"""The reference of conditional skills: real training rows of the patient's class as draws."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.paired import patient_crps
from gexbench.metrics.shared.arrays import Matrix

DRAWS = 19


def label_draws(
    train: Matrix, train_labels: NDArray[Any], test: Matrix, test_labels: NDArray[Any], seed: int
) -> Matrix:
    """Fair CRPS, for every test row, of 19 training rows of its class, drawn without replacement, seeded; (n_test,).

    A class with 2 to 18 training rows is drawn whole; a smaller one falls back on all training rows.
    """
    generator = np.random.default_rng(seed)
    found = np.empty(len(test))
    for name in np.unique(test_labels):
        mine = np.flatnonzero(test_labels == name)
        pool = np.flatnonzero(train_labels == name)
        if len(pool) < 2:
            pool = np.arange(len(train))
        draws = min(DRAWS, len(pool))
        chosen = np.argsort(generator.random((len(mine), len(pool))), axis=1)[:, :draws]
        found[mine] = patient_crps(train[pool[chosen]].astype(np.float32), test[mine])
    return found


def mean_by_class(values: Matrix, labels: NDArray[Any]) -> float:
    """Mean of (n,) values, summed class by class, so that its last bits do not depend on how the classes are mixed."""
    return sum(float(values[labels == name].sum()) for name in np.unique(labels)) / len(values)

"""Draws for a patient against that patient's true expression: what the condition says beyond the label.

draws: (n, m, genes), m draws for each of n patients; truth: (n, genes), both standardised.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix, as_array, as_matrix, row_chunks

_CHUNK = 64


def checked_draws(draws: Any, truth: Any) -> tuple[NDArray[Any], Matrix]:
    """Draws of any float type and float64 truth. Raises ValueError when their patients or genes differ."""
    d, y = as_array(draws), as_matrix(truth, "truth")
    if d.ndim != 3 or d.shape[0] != y.shape[0] or d.shape[2] != y.shape[1] or d.shape[1] < 1:
        raise ValueError(f"draws {d.shape} must be patients × draws × genes for truth {y.shape}")
    return d, y


def crps(draws: Any, truth: Any) -> float:
    """Fair continuous ranked probability score, mean over patients and genes; lower is better.

    mean_i|x_i - y| - sum_{i<j}|x_i - x_j| / (m (m - 1)), in the unit of the values: unbiased in the number of
    draws, so single values may fall below 0. Ferro 2014, equation 6. O(n m log m genes). Needs m >= 2.
    """
    return float(patient_crps(draws, truth).mean())


def patient_crps(draws: Any, truth: Any) -> Matrix:
    """Fair CRPS of every patient, mean over genes, shape (n,); see ``crps``."""
    d, y = checked_draws(draws, truth)
    m = d.shape[1]
    if m < 2:
        raise ValueError(f"the fair CRPS needs at least 2 draws per patient, not {m}")
    # With x sorted, sum_{i<j} (x_j - x_i) = sum_i (2 i - m + 1) x_i.
    weights = 2.0 * np.arange(m) - (m - 1)
    result = np.empty(len(y))
    for part in row_chunks(len(y), _CHUNK):
        x = np.sort(d[part], axis=1).astype(np.float64)
        spread = np.einsum("nmg,m->ng", x, weights) / (m * (m - 1))
        result[part] = (np.abs(x - y[part, None, :]).mean(axis=1) - spread).mean(axis=1)
    return result


def skill(score: float, reference: float) -> float:
    """1 - score / reference: 1 is perfect, 0 the level of the reference, below 0 worse. reference > 0."""
    if not reference > 0:
        raise ValueError(f"the reference CRPS is {reference}; it must be positive")
    return 1.0 - score / reference


def within_class_correlation(predicted: Any, truth: Any, labels: Any, *, smallest: int = 10) -> float:
    """Correlation of predicted means (n, genes) with the truth, both centred within class; median over genes.

    Classes with fewer than ``smallest`` rows are left out; a gene without variation on one side counts 0.
    [-1, 1], higher is better, 0 when the prediction knows only the label. Raises ValueError without such a class.
    """
    p, y = as_matrix(predicted, "predicted"), as_matrix(truth, "truth")
    names, codes, counts = np.unique(as_array(labels), return_inverse=True, return_counts=True)
    keep = counts[codes] >= smallest
    if not keep.any():
        raise ValueError(f"none of {len(names)} classes has {smallest} rows")
    p, y = _centred(p[keep], codes[keep]), _centred(y[keep], codes[keep])
    scale = np.sqrt((p * p).sum(axis=0) * (y * y).sum(axis=0))
    varies = scale > 1e-9
    return float(np.median(np.where(varies, (p * y).sum(axis=0) / np.where(varies, scale, 1.0), 0.0)))


def _centred(rows: Matrix, codes: NDArray[np.intp]) -> Matrix:
    result = np.empty_like(rows)
    for code in np.unique(codes):
        mine = codes == code
        result[mine] = rows[mine] - rows[mine].mean(axis=0)
    return result


def retrieval(predicted: Any, truth: Any, labels: Any) -> float:
    """Mean percentile of the right patient among those of its class, by distance to the prediction.

    For each predicted mean (n, genes): share of the class's other true rows that lie farther away than the right
    one, ties ½. [0, 1], chance ½, higher is better. Classes of one row are left out. O(n · class size · genes).
    """
    from scipy.spatial.distance import cdist

    p, y, classes = as_matrix(predicted, "predicted"), as_matrix(truth, "truth"), as_array(labels)
    percentiles = []
    for name in np.unique(classes):
        mine = np.flatnonzero(classes == name)
        if len(mine) < 2:
            continue
        distances = cdist(p[mine], y[mine])
        right = np.diag(distances)[:, None]
        # The right row ties with itself: half a point that is taken off again.
        points = (distances > right).sum(axis=1) + 0.5 * (distances == right).sum(axis=1) - 0.5
        percentiles.append(points / (len(mine) - 1))
    if not percentiles:
        raise ValueError("retrieval needs a class with at least two rows")
    return float(np.concatenate(percentiles).mean())


def rank_histogram(draws: Any, truth: Any) -> Matrix:
    """Share of true values at each rank 0 … m among their m draws, shape (m + 1,); uniform when calibrated.

    A value that ties with draws is spread evenly over the ranks it could take. Hamill 2001.
    """
    d, y = checked_draws(draws, truth)
    m = d.shape[1]
    # Entry i: values that may take rank i enter, those past their last rank leave.
    edges = np.zeros(m + 2)
    for part in row_chunks(len(y), _CHUNK):
        # float16 draws against float32 truth: compared as float64, which holds both exactly.
        x = d[part].astype(np.float64)
        target = y[part, None, :]
        low = (x < target).sum(axis=1).ravel()
        high = low + (x == target).sum(axis=1).ravel()
        share = 1.0 / (high - low + 1)
        edges += np.bincount(low, share, minlength=m + 2) - np.bincount(high + 1, share, minlength=m + 2)
    return np.asarray(edges.cumsum()[: m + 1] / y.size)


def interval_coverage(histogram: Matrix, *, level: float = 0.8) -> float:
    """Share of true values within the central interval of the draws, from their ``rank_histogram``; [0, 1].

    With 19 draws the 2nd and the 18th enclose exactly 80 %. Raises ValueError when no order statistics enclose
    ``level`` exactly.
    """
    ranks = len(histogram)
    cut = (1.0 - level) / 2.0 * ranks
    if abs(cut - round(cut)) > 1e-9:
        raise ValueError(f"{ranks - 1} draws have no central interval of exactly {level}; 19 draws have one of 0.8")
    return float(histogram[round(cut) : ranks - round(cut)].sum())


def rank_nonuniformity(histogram: Matrix) -> float:
    """Half the summed absolute difference of a ``rank_histogram`` from uniform; [0, 1), 0 when calibrated."""
    return float(0.5 * np.abs(histogram - 1.0 / len(histogram)).sum())

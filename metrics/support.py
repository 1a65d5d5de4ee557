"""Precision, recall, density and coverage: does the synthetic set lie where the real set lies, and fill it?

All use balls around the rows of one set, with the distance to the k-th nearest other row as radius.
Distances are compared with <=, so sets whose rows are all equal score 1.
All take arrays or torch tensors on any device, compare in float64 and return floats.
Sources: Kynkäänniemi et al. 2019 (precision, recall), Naeem et al. 2020 (density, coverage; equations 5, 6).
"""

from typing import Any, Literal, NamedTuple

import numpy as np

from gexbench.metrics.arrays import Matrix, as_array, as_matrix, as_pair, row_chunks

Distance = Literal["euclidean", "manhattan"]
_SCIPY_NAME = {"euclidean": "euclidean", "manhattan": "cityblock"}


class Support(NamedTuple):
    """precision, recall, coverage in [0, 1]; density in [0, rows / k]; real against real gives density near 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def radii(rows: Any, k: int = 5, *, distance: Distance = "euclidean", chunk: int = 512) -> Matrix:
    """Distance of each row to its k-th nearest other row, shape (n,). Time O(n² · genes), memory O(n · chunk).

    Raises ValueError unless 1 <= k < n.
    """
    from scipy.spatial.distance import cdist

    x = as_matrix(rows, "rows")
    if not 1 <= k < len(x):
        raise ValueError(f"k is {k} but must lie between 1 and {len(x) - 1} for {len(x)} rows")
    result = np.empty(len(x))
    for part in row_chunks(len(x), chunk):
        distances = cdist(x[part], x, _SCIPY_NAME[distance])
        # The row itself is one of the zeros, so the k-th other row stands at place k.
        result[part] = np.partition(distances, k, axis=1)[:, k]
    return result


def support_measures(
    real: Any,
    synthetic: Any,
    k: int = 5,
    *,
    real_radii: Matrix | None = None,
    distance: Distance = "euclidean",
    chunk: int = 512,
) -> Support:
    """All four measures in one pass over the distances.

    real (n, d), synthetic (m, d); real_radii: ``radii(real, k)``, when it is kept from before.
    precision = share of synthetic rows inside any real ball; density = real balls around a synthetic row, mean,
    over k; recall = share of real rows inside any synthetic ball; coverage = share of real balls that hold a
    synthetic row. Time O((n + m)² · d), memory O((n + m) · chunk).
    """
    from scipy.spatial.distance import cdist

    x, y = as_pair(real, synthetic)
    inner = radii(x, k, distance=distance, chunk=chunk) if real_radii is None else as_array(real_radii)
    outer = radii(y, k, distance=distance, chunk=chunk)
    if inner.shape != (len(x),):
        raise ValueError(f"real_radii has shape {inner.shape} for {len(x)} real rows")
    balls = np.zeros(len(y), dtype=np.int64)
    recalled, covered = np.empty(len(x), dtype=bool), np.empty(len(x), dtype=bool)
    for part in row_chunks(len(x), chunk):
        distances = cdist(x[part], y, _SCIPY_NAME[distance])
        inside = distances <= inner[part, None]
        balls += inside.sum(axis=0)
        covered[part] = inside.any(axis=1)
        recalled[part] = (distances <= outer[None, :]).any(axis=1)
    return Support(
        precision=float((balls > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls.mean() / k),
        coverage=float(covered.mean()),
    )


def precision(real: Any, synthetic: Any, k: int = 5) -> float:
    """Share of synthetic rows within a real ball, [0, 1], higher is better."""
    return support_measures(real, synthetic, k).precision


def recall(real: Any, synthetic: Any, k: int = 5) -> float:
    """Share of real rows within a synthetic ball, [0, 1], higher is better; low on collapse."""
    return support_measures(real, synthetic, k).recall


def density(real: Any, synthetic: Any, k: int = 5) -> float:
    """Mean number of real balls around a synthetic row over k; 1 is right, more rewards blur."""
    return support_measures(real, synthetic, k).density


def coverage(real: Any, synthetic: Any, k: int = 5) -> float:
    """Share of real balls that hold a synthetic row, [0, 1], higher is better."""
    return support_measures(real, synthetic, k).coverage

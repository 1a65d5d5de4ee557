"""Precision, recall, density and coverage: does the synthetic set lie where the real set lies, and fill it?

All use balls around the rows of one set, with the distance to the k-th nearest other row as radius.
Distances are compared with <=, so sets whose rows are all equal score 1.
All take arrays or torch tensors on any device, compare in float64 and return floats. Tensors on a GPU are compared
there, by the exact distances of all pairs; arrays and tensors on the CPU decide the same comparisons by screening.
Sources: Kynkäänniemi et al. 2019 (precision, recall), Naeem et al. 2020 (density, coverage; equations 5, 6).
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import Matrix, Rows, as_array, device_matrix, device_pair, like, row_chunks
from gexbench.metrics.shared.screening import Screen, Single, places, rounded_down, screen

Distance = Literal["euclidean", "manhattan"]
Balls = tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]
_SCIPY_NAME = {"euclidean": "euclidean", "manhattan": "cityblock"}
# Pairs held at once (16 MB of float32), and groups of columns per wanted neighbour.
_MOST_PAIRS = 2**22
_GROUPS = 32


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
    x = device_matrix(rows, "rows")
    if not 1 <= k < len(x):
        raise ValueError(f"k is {k} but must lie between 1 and {len(x) - 1} for {len(x)} rows")
    pairs = _screened(x, x, distance)
    result = np.empty(len(x))
    if pairs is None:
        for part in row_chunks(len(x), chunk):
            # The row itself is one of the zeros, so the k-th other row stands at place k.
            result[part] = as_array(_smallest(_all_distances(x[part], x, distance), k))
        return result
    for part in row_chunks(len(x), _chunk(chunk, len(x))):
        for row, near in enumerate(_candidates(pairs, part, k + 1), part.start):
            result[row] = np.partition(_distances(x, row, x, near), k)[k]
    return result


def _screened(x: Rows, y: Rows, distance: Distance) -> Screen | None:
    """The screen of the pairs; None where all distances are computed."""
    return screen(x, y) if distance == "euclidean" and isinstance(x, np.ndarray) else None


def _all_distances(x: Rows, y: Rows, distance: Distance) -> Rows:
    """(len(x), len(y)) distances from the differences of the rows, so that equal rows lie exactly 0 apart."""
    if isinstance(x, np.ndarray):
        from scipy.spatial.distance import cdist

        return cdist(x, y, _SCIPY_NAME[distance])
    import torch

    order = 2.0 if distance == "euclidean" else 1.0
    return torch.cdist(x, y, p=order, compute_mode="donot_use_mm_for_euclid_dist")


def _smallest(distances: Rows, place: int) -> Rows:
    """The value at a place, counted from 0, of every row in ascending order, shape (rows,)."""
    if isinstance(distances, np.ndarray):
        return np.partition(distances, place, axis=1)[:, place]
    return distances.kthvalue(place + 1, dim=1).values


def _chunk(chunk: int, others: int) -> int:
    return max(1, min(chunk, _MOST_PAIRS // others))


def _candidates(pairs: Screen, part: slice, count: int) -> Iterator[NDArray[np.intp]]:
    """For each row of part the other side's rows among which its ``count`` nearest certainly lie."""
    closeness = pairs.closeness(part)
    others = closeness.shape[1]
    # The count-th largest of the maxima of groups is reached by at least ``count`` rows, and by few more.
    groups = others // max(1, others // (_GROUPS * count))
    size = others // groups
    maxima = closeness[:, : groups * size].reshape(len(closeness), size, groups).max(axis=1)
    reached = np.partition(maxima, groups - count, axis=1)[:, groups - count]
    rows, columns = places(closeness >= reached[:, None])
    largest = np.maximum.reduceat(pairs.right_norms[columns], np.searchsorted(rows, np.arange(len(closeness))))
    margin = pairs.error * (pairs.left_norms[part] + largest) + 2.0 * pairs.underflow
    rows, columns = places(closeness >= rounded_down(reached - margin)[:, None])
    ends = np.searchsorted(rows, np.arange(len(closeness)), side="right").tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        yield columns[start:end]


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
    x, y = device_pair(real, synthetic)
    inner = radii(x, k, distance=distance, chunk=chunk) if real_radii is None else as_array(real_radii)
    outer = radii(y, k, distance=distance, chunk=chunk)
    if inner.shape != (len(x),):
        raise ValueError(f"real_radii has shape {inner.shape} for {len(x)} real rows")
    pairs = _screened(x, y, distance)
    if pairs is None:
        balls, covered, recalled = _exact_balls(x, y, inner, outer, distance, chunk)
    else:
        balls, covered, recalled = _screened_balls(pairs, x, y, inner, outer, chunk)
    return Support(
        precision=float((balls > 0).mean()),
        recall=float(recalled.mean()),
        density=float(balls.mean() / k),
        coverage=float(covered.mean()),
    )


def _exact_balls(x: Rows, y: Rows, inner: Matrix, outer: Matrix, distance: Distance, chunk: int) -> Balls:
    inside_real, inside_synthetic = like(inner, x), like(outer, x)
    balls = np.zeros(len(y), dtype=np.int64)
    recalled, covered = np.empty(len(x), dtype=bool), np.empty(len(x), dtype=bool)
    for part in row_chunks(len(x), chunk):
        distances = _all_distances(x[part], y, distance)
        inside = distances <= inside_real[part, None]
        balls += as_array(inside.sum(axis=0))
        covered[part] = as_array(inside.any(axis=1))
        recalled[part] = as_array((distances <= inside_synthetic[None, :]).any(axis=1))
    return balls, covered, recalled


def _screened_balls(pairs: Screen, x: Matrix, y: Matrix, inner: Matrix, outer: Matrix, chunk: int) -> Balls:
    """As ``_exact_balls`` for Euclidean distances."""
    balls = np.zeros(len(y), dtype=np.int64)
    covered, recalled = np.empty(len(x), dtype=bool), np.empty(len(x), dtype=bool)
    inner_squares, outer_squares = pairs.squared(inner), pairs.squared(outer)
    for part in row_chunks(len(x), _chunk(chunk, len(y))):
        closeness = pairs.closeness(part)
        rows, columns = places(closeness >= pairs.least(inner_squares[part], part)[:, None])
        left = rows + part.start
        inside = pairs.certain(closeness[rows, columns], inner_squares[left], left, columns)
        for row, of_row in _by_row(left, np.flatnonzero(~inside)):
            inside[of_row] = _distances(x, row, y, columns[of_row]) <= inner[row]
        balls += np.bincount(columns[inside], minlength=len(y))
        covered[part] = np.bincount(rows[inside], minlength=len(closeness)) > 0
        recalled[part] = _recalled(pairs, closeness, x, y, outer, outer_squares, part)
    return balls, covered, recalled


def _recalled(
    pairs: Screen, closeness: Single, x: Matrix, y: Matrix, outer: Matrix, squares: Matrix, part: slice
) -> NDArray[np.bool_]:
    """Whether each row of part lies in a ball around a row of y, shape (rows,)."""
    # The second term is rounded upwards; the sum to the nearest, which never leads below the float32 ``least``.
    lifted = closeness - rounded_down(-0.5 * squares)
    least = pairs.least(0.0, part)
    best = lifted.argmax(axis=1)
    rows = np.arange(len(lifted))
    found = pairs.certain(closeness[rows, best], squares[best], rows + part.start, best)
    for row in np.flatnonzero(~found & (lifted[rows, best] >= least)):
        near = np.flatnonzero(lifted[row] >= least[row])
        found[row] = bool((_distances(x, part.start + row, y, near) <= outer[near]).any())
    return found


def _by_row(rows: NDArray[np.intp], chosen: NDArray[np.intp]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each value of the ascending rows[chosen], with the members of chosen that have it."""
    values, starts = np.unique(rows[chosen], return_index=True)
    return zip(values.tolist(), np.split(chosen, starts[1:]), strict=False)


def _distances(x: Matrix, row: int, y: Matrix, others: NDArray[np.intp]) -> Matrix:
    from scipy.spatial.distance import cdist

    one = x[row : row + 1]
    # A copy of most rows would cost more than the distances to the rest.
    return np.asarray(cdist(one, y)[0, others] if 4 * len(others) > len(y) else cdist(one, y[others])[0])


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

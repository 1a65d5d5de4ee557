"""Precision, recall, density and coverage: does the synthetic set lie where the real set lies, and fill it?

All use balls around the rows of one set, with the distance to the k-th nearest other row as radius.
Distances are compared with <=, so sets whose rows are all equal score 1.
All take arrays or torch tensors on any device, compare in float64 and return floats. Tensors on a GPU are compared
there, by the exact distances of all pairs; arrays and tensors on the CPU decide the same comparisons by screening.
Sources: Kynkäänniemi et al. 2019 (precision, recall), Naeem et al. 2020 (density, coverage; equations 5, 6).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.shared.arrays import (
    Matrix,
    Rows,
    as_array,
    device_matrix,
    device_pair,
    like,
    row_chunks,
    smallest,
)
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
    return np.asarray(radii_over(rows, (k,), distance=distance, chunk=chunk)[0])


def radii_over(rows: Any, ks: Sequence[int], *, distance: Distance = "euclidean", chunk: int = 512) -> Matrix:
    """``radii`` for every k, shape (ks, n), in one pass over the distances."""
    x, places = device_matrix(rows, "rows"), list(ks)
    for k in places:
        if not 1 <= k < len(x):
            raise ValueError(f"k is {k} but must lie between 1 and {len(x) - 1} for {len(x)} rows")
    pairs = _screened(x, x, distance)
    result = np.empty((len(places), len(x)))
    last = max(places) + 1
    if pairs is None:
        for part in row_chunks(len(x), chunk):
            # The row itself is one of the zeros, so the k-th other row stands at place k.
            result[:, part] = as_array(smallest(_all_distances(x[part], x, distance), last)).T[places]
        return result
    for part in row_chunks(len(x), _chunk(chunk, len(x))):
        for row, near in enumerate(_candidates(pairs, part, last), part.start):
            result[:, row] = np.sort(np.partition(_distances(x, row, x, near), last - 1)[:last])[places]
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
    inner = None if real_radii is None else as_array(real_radii)[None]
    return supports(real, synthetic, (k,), real_radii=inner, distance=distance, chunk=chunk)[0]


def supports(
    real: Any,
    synthetic: Any,
    ks: Sequence[int],
    *,
    real_radii: Matrix | None = None,
    distance: Distance = "euclidean",
    chunk: int = 512,
) -> tuple[Support, ...]:
    """``support_measures`` for every k, in one pass over the distances; real_radii: ``radii_over(real, ks)``."""
    x, y = device_pair(real, synthetic)
    inner = radii_over(x, ks, distance=distance, chunk=chunk) if real_radii is None else as_array(real_radii)
    outer = radii_over(y, ks, distance=distance, chunk=chunk)
    if inner.shape != (len(ks), len(x)):
        raise ValueError(f"real_radii has shape {inner.shape} for {len(ks)} k and {len(x)} real rows")
    pairs = _screened(x, y, distance)
    if pairs is None:
        balls, covered, recalled = _exact_balls(x, y, inner, outer, distance, chunk)
    else:
        balls, covered, recalled = _screened_balls(pairs, x, y, inner, outer, chunk)
    return tuple(
        Support(
            precision=float((balls[at] > 0).mean()),
            recall=float(recalled[at].mean()),
            density=float(balls[at].mean() / k),
            coverage=float(covered[at].mean()),
        )
        for at, k in enumerate(ks)
    )


def _empty_balls(ks: int, real: int, synthetic: int) -> Balls:
    return np.zeros((ks, synthetic), dtype=np.int64), np.empty((ks, real), dtype=bool), np.empty((ks, real), dtype=bool)


def _exact_balls(x: Rows, y: Rows, inner: Matrix, outer: Matrix, distance: Distance, chunk: int) -> Balls:
    """Balls around each row of y, and whether each of x is covered and recalled; all for every k: (ks, rows)."""
    inside_real, inside_synthetic = like(inner, x), like(outer, x)
    balls, covered, recalled = _empty_balls(len(inner), len(x), len(y))
    for part in row_chunks(len(x), chunk):
        distances = _all_distances(x[part], y, distance)
        for at in range(len(inner)):
            inside = distances <= inside_real[at, part, None]
            balls[at] += as_array(inside.sum(axis=0))
            covered[at, part] = as_array(inside.any(axis=1))
            recalled[at, part] = as_array((distances <= inside_synthetic[at, None, :]).any(axis=1))
    return balls, covered, recalled


def _screened_balls(pairs: Screen, x: Matrix, y: Matrix, inner: Matrix, outer: Matrix, chunk: int) -> Balls:
    """As ``_exact_balls`` for Euclidean distances."""
    balls, covered, recalled = _empty_balls(len(inner), len(x), len(y))
    inner_squares, outer_squares = pairs.squared(inner), pairs.squared(outer)
    for part in row_chunks(len(x), _chunk(chunk, len(y))):
        closeness = pairs.closeness(part)
        # Pairs outside the largest ball lie outside all of them.
        rows, columns = places(closeness >= pairs.least(inner_squares[:, part].max(axis=0), part)[:, None])
        left, near = rows + part.start, closeness[rows, columns]
        for at, squares in enumerate(inner_squares):
            inside = _inside(pairs, x, y, inner[at], squares, near, left, columns)
            balls[at] += np.bincount(columns[inside], minlength=len(y))
            covered[at, part] = np.bincount(rows[inside], minlength=len(closeness)) > 0
            recalled[at, part] = _recalled(pairs, closeness, x, y, outer[at], outer_squares[at], part)
    return balls, covered, recalled


def _inside(
    pairs: Screen,
    x: Matrix,
    y: Matrix,
    limits: Matrix,
    squares: Matrix,
    near: Single,
    left: NDArray[np.intp],
    right: NDArray[np.intp],
) -> NDArray[np.bool_]:
    """Whether the pairs (left, right) of closeness ``near`` lie within the limits of their left rows, (pairs,)."""
    inside = pairs.certain(near, squares[left], left, right)
    open_pairs = ~inside & (near >= pairs.least(squares, slice(None))[left])
    for row, of_row in _by_row(left, np.flatnonzero(open_pairs)):
        inside[of_row] = _distances(x, row, y, right[of_row]) <= limits[row]
    return inside


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

"""Names beside points, as many as there is room for."""

import itertools
import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from gexbench.leaderboards.figures.style import literal
from gexbench.leaderboards.statistics import FloatArray

_OFFSETS = (
    (6, 0),
    (-6, 0),
    (5, 5),
    (-5, 5),
    (5, -5),
    (-5, -5),
    (0, 6),
    (0, -6),
    (9, 11),
    (-9, 11),
    (9, -11),
    (-9, -11),
    (0, 10),
    (0, -10),
)
"""Tried in this order, points from the marker; a label further away would need a line to it."""

_MARKER_POINTS = 5.0


def place_labels(
    figure: Figure,
    axis: Axes,
    points: pd.DataFrame,
    names: Sequence[str],
    size: float = 7.0,
    corners: Sequence[tuple[float, float]] = (),
) -> None:
    """Write names beside their points, the first names first; a name that would cover another is left out.

    Args:
        points: two columns (x and y in data units), indexed by name; every row is a marker to keep clear of.
        names: those to write, in the order of importance.
        size: of the letters, points.
        corners: in data units, of a line of level and upright pieces to keep clear of.
    """
    figure.draw_without_rendering()
    pixels = figure.dpi / 72
    places = {
        name: axis.transData.transform(point)
        for name, point in zip(points.index, points.to_numpy(dtype=float), strict=True)
    }
    half = _MARKER_POINTS * pixels / 2
    taken = {name: [Bbox.from_extents(x - half, y - half, x + half, y + half)] for name, (x, y) in places.items()}
    pixel_corners = [axis.transData.transform(corner) for corner in corners]
    line = [
        Bbox.from_extents(min(a, c), min(b, d), max(a, c), max(b, d)).padded(1)
        for (a, b), (c, d) in itertools.pairwise(pixel_corners)
    ]
    inside = axis.get_window_extent()
    for name in names:
        for x, y in _OFFSETS:
            text = _written(axis, name, points.loc[name].to_numpy(dtype=float), (x, y), size)
            box = text.get_window_extent()
            others = [*line, *(other for owner, boxes in taken.items() for other in boxes if owner != name)]
            own = _distance(box, places[name])
            clear = not any(box.overlaps(other) for other in others) and inside.contains(box.x0, box.y0)
            if clear and inside.contains(box.x1, box.y1) and own <= min(_distance(box, p) for p in places.values()):
                taken[name].append(box)
                break
            text.remove()


def _written(axis: Axes, name: str, point: FloatArray, offset: tuple[int, int], size: float) -> Annotation:
    x, y = offset
    return axis.annotate(
        literal(name),
        (float(point[0]), float(point[1])),
        offset,
        textcoords="offset points",
        ha="left" if x > 0 else "right" if x < 0 else "center",
        va="bottom" if y > 0 else "top" if y < 0 else "center",
        fontsize=size,
        bbox={"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )


def _distance(box: Bbox, point: FloatArray) -> float:
    """Pixels from a point to a box, 0 within it."""
    x, y = float(point[0]), float(point[1])
    return math.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))

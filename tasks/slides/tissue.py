"""Where the tissue of a slide lies, and the tiles that hold enough of it."""

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.slides.reading import Pixels, Slide

MASK_MPP = 16.0
"""µm per pixel of the tissue mask."""
LEAST_SATURATION = 15
"""Of 255: what is paler is background whatever the threshold, so that an empty slide holds no tissue."""
_MOST_READ = 4096
"""Side, in pixels of the level that is read, of what is read at once (50 MB)."""


def otsu_threshold(values: NDArray[np.uint8]) -> int:
    """The threshold t of 8-bit values for which the classes <= t and > t differ most; 0 for constant values.

    It maximises w0 w1 (m0 - m1)², the variance between the classes; the lowest t on ties. Otsu 1979, equation 14.
    """
    counts = np.bincount(np.asarray(values, dtype=np.uint8).ravel(), minlength=256).astype(np.float64)
    below = counts.cumsum()
    above = below[-1] - below
    sums = (counts * np.arange(256)).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return int(np.nanargmax(np.nan_to_num(between)))


def saturation(pixels: Pixels) -> NDArray[np.uint8]:
    """Saturation of RGB pixels (…, 3), as in HSV, 0 to 255: 255 (max - min) / max, 0 for black."""
    high, low = pixels.max(axis=-1).astype(np.int32), pixels.min(axis=-1).astype(np.int32)
    return np.asarray(255 * (high - low) // np.maximum(high, 1), dtype=np.uint8)


def tissue_mask(slide: Slide, mpp: float = MASK_MPP) -> NDArray[np.bool_]:
    """Mask (rows, columns) of the slide at `mpp` µm per pixel, True on tissue: saturation above Otsu's threshold.

    The slide is read block by block, each from the level that suits, so that memory stays small.
    """
    step = max(1.0, mpp / slide.mpp)
    width, height = (int(np.ceil(side / step)) for side in slide.size)
    found = np.zeros((height, width), dtype=np.uint8)
    side = max(1, min(int(_MOST_READ * slide.level_for(step)[1] / step), max(width, height)))
    for top in range(0, height, side):
        for left in range(0, width, side):
            block = saturation(slide.region(left * step, top * step, side * step, side))
            found[top : top + side, left : left + side] = block[: height - top, : width - left]
    return np.asarray(found > max(otsu_threshold(found), LEAST_SATURATION))


def tissue_tiles(slide: Slide, mpp: float, pixels: int, least: float) -> NDArray[np.int64]:
    """Corners (n, 2), x and y in pixels of the finest level, of the tiles that hold tissue, row by row.

    Tiles are squares of `pixels` at `mpp` µm per pixel, side by side from the slide's corner; one that would reach
    over the edge is left out, and so is one of which less than the share `least` is tissue.
    """
    mask, side = tissue_mask(slide), pixels * mpp / slide.mpp
    rows, columns = (int(size // side) for size in (slide.size[1], slide.size[0]))
    steps = slide.size[1] / mask.shape[0], slide.size[0] / mask.shape[1]
    # Sums over rectangles of the mask from its running sums.
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    sums[1:, 1:] = mask.cumsum(axis=0).cumsum(axis=1)
    tops, lefts = (_edges(count, side / step) for count, step in zip((rows, columns), steps, strict=True))
    inside = sums[np.ix_(tops[:, 1], lefts[:, 1])] - sums[np.ix_(tops[:, 0], lefts[:, 1])]
    inside -= sums[np.ix_(tops[:, 1], lefts[:, 0])] - sums[np.ix_(tops[:, 0], lefts[:, 0])]
    sizes = np.outer(tops[:, 1] - tops[:, 0], lefts[:, 1] - lefts[:, 0])
    at = np.argwhere(inside >= least * sizes) if rows and columns else np.zeros((0, 2))
    return np.asarray(np.round(at[:, ::-1] * side), dtype=np.int64)


def _edges(count: int, side: float) -> NDArray[np.intp]:
    """First and past-the-last pixel of the mask under each of `count` tiles, at least one."""
    starts = np.floor(np.arange(count) * side).astype(np.intp)
    ends = np.maximum(np.round((np.arange(count) + 1) * side).astype(np.intp), starts + 1)
    return np.stack([starts, ends], axis=1)

"""Whole-slide images of any kind that OpenSlide or tifffile reads: regions at a stated resolution."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import check_file

SUFFIXES = frozenset({".svs", ".tif", ".tiff", ".ndpi", ".scn", ".mrxs", ".bif", ".vms", ".vmu", ".svslide"})
_MICRONS = {"centimeter": 1e4, "inch": 25_400.0, "millimeter": 1e3, "micrometer": 1.0}
_APERIO = re.compile(r"\bMPP\s*=\s*([0-9.]+)")
Pixels = NDArray[np.uint8]


class Levels(Protocol):
    """A pyramid of one image: the finest level first."""

    sizes: list[tuple[int, int]]
    mpp: float | None

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """(height, width, 3) of a level, from its own pixel (x, y); within the level."""

    def close(self) -> None:
        """Close the file."""


@dataclass(frozen=True, slots=True, eq=False)
class Slide:
    """An open slide. mpp: µm per pixel of the finest level; levels: its pyramid."""

    name: str
    levels: Levels
    mpp: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the finest level, in pixels."""
        return self.levels.sizes[0]

    def __enter__(self) -> "Slide":
        return self

    def __exit__(self, *_: object) -> None:
        self.levels.close()

    def region(self, x: float, y: float, side: float, pixels: int) -> Pixels:
        """(pixels, pixels, 3) of the square with the corner (x, y) and this side, all in pixels of the finest level.

        Read from the coarsest level that is at least as fine as asked for; what lies outside of the slide is white.
        """
        from PIL import Image

        level, shrunk = self.level_for(side / pixels)
        left, top, own = round(x / shrunk), round(y / shrunk), max(1, round(side / shrunk))
        width, height = self.levels.sizes[level]
        found = np.full((own, own, 3), 255, dtype=np.uint8)
        right, bottom = min(left + own, width), min(top + own, height)
        if right > left and bottom > top:
            found[: bottom - top, : right - left] = self.levels.read(level, left, top, right - left, bottom - top)
        if own == pixels:
            return found
        return np.asarray(Image.fromarray(found).resize((pixels, pixels), Image.Resampling.BILINEAR))

    def level_for(self, scale: float) -> tuple[int, float]:
        """The coarsest level of which a pixel is at most `scale` pixels of the finest one, and how many it is."""
        shrunk = [self.size[0] / width for width, _ in self.levels.sizes]
        level = max(at for at, factor in enumerate(shrunk) if at == 0 or factor <= scale * 1.001)
        return level, shrunk[level]


def open_slide(path: Path, mpp: float | None = None) -> Slide:
    """Open a slide with OpenSlide, or with tifffile where that is not installed or does not know the format.

    Args:
        path: the file.
        mpp: µm per pixel of its finest level; None takes what the file states.

    Raises:
        InputError: no such file, neither package installed, a file that is no slide, a resolution that is not stated.
    """
    check_file(path, path.name)
    levels = _opened(path)
    stated = mpp or levels.mpp
    if not stated or not np.isfinite(stated) or stated <= 0:
        levels.close()
        raise InputError(
            f"{path.name}: states no resolution; give the µm per pixel of its finest level with --slide-mpp"
        )
    return Slide(path.name, levels, float(stated))


def _opened(path: Path) -> Levels:
    problems, installed = [], 0
    readers: tuple[tuple[Callable[[Path], Levels], str], ...] = (
        (_OpenSlideLevels, "openslide-python with openslide-bin"),
        (_TiffLevels, "tifffile"),
    )
    for reader, package in readers:
        try:
            return reader(path)
        except ImportError as error:
            problems.append(f"{package}: {error}")
        except Exception as error:  # both raise many kinds for a file that they cannot read
            installed += 1
            problems.append(" ".join(str(error).split())[:150] or type(error).__name__)
    if not installed:
        raise InputError(
            f"slides are read with OpenSlide or tifffile, but neither is available ({'; '.join(problems)}); install "
            "gexbench[slides]"
        )
    raise InputError(f"{path.name}: not a readable slide ({'; '.join(problems)})")


class _OpenSlideLevels:
    def __init__(self, path: Path) -> None:
        import openslide

        self._slide = openslide.OpenSlide(str(path))
        self.sizes = [(int(width), int(height)) for width, height in self._slide.level_dimensions]
        stated = self._slide.properties.get(openslide.PROPERTY_NAME_MPP_X)
        self.mpp = float(stated) if stated else None

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        shrunk = self._slide.level_downsamples[level]
        region = np.asarray(self._slide.read_region((round(x * shrunk), round(y * shrunk)), level, (width, height)))
        seen = region[..., 3:].astype(np.uint16)
        # Where nothing was scanned the slide is transparent.
        return np.asarray((region[..., :3] * seen + 255 * (255 - seen)) // 255, dtype=np.uint8)

    def close(self) -> None:
        self._slide.close()


class _TiffLevels:
    def __init__(self, path: Path) -> None:
        import tifffile
        import zarr

        self._file = tifffile.TiffFile(path)
        try:
            series = self._file.series[0]
            levels = [level for level in series.levels if level.axes.endswith("YXS") and level.ndim == 3]
            if not levels or levels[0].dtype != np.uint8 or levels[0].shape[-1] not in (3, 4):
                raise ValueError(f"its image is {series.axes} {series.shape} {series.dtype}, not 8-bit RGB")
            self.sizes = [(int(level.shape[1]), int(level.shape[0])) for level in levels]
            self.mpp = _tiff_mpp(self._file.pages[0])
            self._arrays: list[Any] = [zarr.open(level.aszarr(), mode="r") for level in levels]
        except BaseException:
            self._file.close()
            raise

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        return np.asarray(self._arrays[level][y : y + height, x : x + width, :3])

    def close(self) -> None:
        self._file.close()


def _tiff_mpp(page: Any) -> float | None:
    """µm per pixel of a TIFF page: Aperio's in the description, else the resolution tags."""
    found = _APERIO.search(page.description or "")
    if found:
        return float(found[1])
    unit = getattr(page.tags.get("ResolutionUnit"), "value", None)
    resolution = getattr(page.tags.get("XResolution"), "value", None)
    microns = _MICRONS.get(str(getattr(unit, "name", "")).lower())
    if microns is None or not resolution or not resolution[0]:
        return None
    return float(microns * resolution[1] / resolution[0])

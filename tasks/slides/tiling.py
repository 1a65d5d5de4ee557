"""Slides → one HDF5 file of tile features each, as `cohort build` reads them."""

import io
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.atomic import write_bytes
from gexbench.tasks.files.hdf5_files import opened_hdf5
from gexbench.tasks.files.input_paths import is_writable
from gexbench.tasks.slides.encoders import TileEncoder
from gexbench.tasks.slides.reading import SUFFIXES, Slide, open_slide
from gexbench.tasks.slides.tissue import tissue_tiles

Progress = Callable[[str, int, int], None]
MADE_WITH = "gexbench"
"""Attribute of a file with the JSON text of what it was made with."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """mpp: µm per pixel of a tile; pixels: its side; tissue: least share of tissue, (0, 1]; slide_mpp: of the slides'
    finest level, None takes what each states; batch: tiles encoded at once.
    """

    mpp: float = 0.5
    pixels: int = 256
    tissue: float = 0.5
    slide_mpp: float | None = None
    batch: int = 64

    def __post_init__(self) -> None:
        problems = []
        for name, value in (("--mpp", self.mpp), ("--slide-mpp", self.slide_mpp or 1.0)):
            if not (np.isfinite(value) and value > 0):
                problems.append(f"{name}: {value} must be a positive number of µm per pixel")
        if not 0 < self.tissue <= 1:
            problems.append(f"--tissue: {self.tissue} must be a share above 0 and at most 1")
        problems += [
            f"{name}: {value} must be at least {least}"
            for name, value, least in (("--pixels", self.pixels, 16), ("--batch", self.batch, 1))
            if value < least
        ]
        if problems:
            raise InputError(problems)


@dataclass(frozen=True, slots=True)
class Tiled:
    """Names of slides: written now, there already, and without a tile of tissue."""

    written: tuple[str, ...]
    kept: tuple[str, ...]
    empty: tuple[str, ...]


def find_slides(path: Path) -> tuple[Path, ...]:
    """A slide file, or the slides of a folder and of the folders below it, by name.

    Raises:
        InputError: nothing there, or two slides whose features would have one name.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise InputError(f"{path}: no such file or folder; give a slide or a folder of slides")
    found = sorted((each for each in path.rglob("*") if each.suffix.lower() in SUFFIXES), key=lambda each: each.name)
    if not found:
        raise InputError(f"{path.name}: the folder holds no slides ({', '.join(sorted(SUFFIXES))})")
    twice = sorted(stem for stem, times in Counter(each.stem for each in found).items() if times > 1)
    if twice:
        raise InputError(f"{path.name}: {len(twice)} slide names appear twice ({examples(twice)}); rename one of each")
    return tuple(found)


def tile_slides(
    slides: Sequence[Path],
    out: Path,
    encoder: TileEncoder,
    tiling: Tiling,
    *,
    force: bool = False,
    progress: Progress = lambda stage, done, total: None,
) -> Tiled:
    """Write `out/NAME.h5` for every slide; those that are there already, made alike, are kept.

    Each file holds `features` (tiles, width) float16 and `coords` (tiles, 2), x and y in pixels of the finest level, as
    TRIDENT and CLAM write them, and is written whole or not at all. All slides are opened before the first is encoded.

    Args:
        slides: files.
        out: folder, made where it is not there.
        encoder: of the tiles.
        tiling: how the slides are cut.
        force: make files anew that were made otherwise.
        progress: called with a stage, what is done and the total.

    Raises:
        InputError: slides that cannot be read, are coarser than asked for, or whose file was made otherwise; a folder
            that cannot be written.
    """
    problems = [] if is_writable(out) else [f"--out {out}: is not writable; choose another folder"]
    left, kept = [], []
    for path in slides:
        target = out / f"{path.stem}.h5"
        try:
            with open_slide(path, tiling.slide_mpp) as slide:
                stated = _stated(slide, encoder, tiling)
            if not force and target.exists() and _same(target, stated):
                kept.append(path.name)
            else:
                left.append((path, target, stated))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    out.mkdir(parents=True, exist_ok=True)
    written, empty = [], []
    for number, (path, target, stated) in enumerate(left, start=1):
        stage = f"{path.name[:40]} ({number} of {len(left)})"
        with open_slide(path, tiling.slide_mpp) as slide:
            coords = tissue_tiles(slide, tiling.mpp, tiling.pixels, tiling.tissue)
            if not len(coords):
                empty.append(path.name)
                continue
            features = _encoded(slide, coords, encoder, tiling, partial(progress, stage))
        write_bytes(target, _hdf5(features, coords, encoder, stated))
        written.append(path.name)
    return Tiled(tuple(written), tuple(kept), tuple(empty))


def _stated(slide: Slide, encoder: TileEncoder, tiling: Tiling) -> dict[str, Any]:
    """What a slide's file is made with.

    Raises:
        InputError: a slide that is coarser than the tiles.
    """
    if slide.mpp > tiling.mpp * 1.05:
        raise InputError(
            f"{slide.name}: has {slide.mpp:.4g} µm per pixel, coarser than the requested {tiling.mpp:g}; use --mpp "
            f"{slide.mpp:.2g} or more"
        )
    return {
        "encoder": encoder.name,
        "weights": encoder.weights,
        "mpp": tiling.mpp,
        "pixels": tiling.pixels,
        "tissue": tiling.tissue,
        "slide_mpp": round(slide.mpp, 6),
        "slide_size": list(slide.size),
    }


def _same(path: Path, stated: dict[str, Any]) -> bool:

    try:
        with opened_hdf5(path) as file:
            found = json.loads(file.attrs.get(MADE_WITH, "null"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read ({error}); use --force to replace it") from None
    if found == stated:
        return True
    held = found if isinstance(found, dict) else {}
    differing = [f"{key} {held.get(key)!r}, not {value!r}" for key, value in stated.items() if held.get(key) != value]
    raise InputError(f"{path.name}: was made with {'; '.join(differing)}; use --force to replace it, or another --out")


def _encoded(
    slide: Slide, coords: NDArray[np.int64], encoder: TileEncoder, tiling: Tiling, progress: Callable[[int, int], None]
) -> NDArray[np.float16]:
    side = tiling.pixels * tiling.mpp / slide.mpp
    features = np.empty((len(coords), encoder.width), dtype=np.float16)
    for start in range(0, len(coords), tiling.batch):
        part = coords[start : start + tiling.batch]
        tiles = np.stack([slide.region(x, y, side, tiling.pixels) for x, y in part.tolist()])
        found = encoder.encode(tiles)
        if not np.isfinite(found).all() or np.abs(found).max() > np.finfo(np.float16).max:
            raise InputError(f"{slide.name}: encoder {encoder.name} gave values that are not finite or exceed float16")
        features[start : start + len(part)] = found
        progress(min(start + tiling.batch, len(coords)), len(coords))
    return features


def _hdf5(
    features: NDArray[np.float16], coords: NDArray[np.int64], encoder: TileEncoder, stated: dict[str, Any]
) -> bytes:
    import h5py

    held = io.BytesIO()
    with h5py.File(held, "w") as file:
        file.create_dataset("features", data=features).attrs["name"] = encoder.name
        file.create_dataset("coords", data=coords)
        file.attrs[MADE_WITH] = json.dumps(stated, sort_keys=True)
    return held.getvalue()

"""Slide features: one file per slide, HDF5 (TRIDENT, CLAM) or `.pt` tensors (HIPT, CLAM), by patient."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.cohorts.patches import in_draw_order
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.importing.patch_files import PatchFile, as_half, join_slides, read_slide, slide_patient
from gexbench.tasks.public.selection import Selection

Progress = Callable[[int, int], None]
Read = Callable[[Path], tuple[NDArray[np.float16], list[str]]]
_KIND = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}-\d{2}[A-Z]-\d{2}-(?P<kind>[A-Z]{2})[A-Z0-9]*")


@dataclass(frozen=True, slots=True)
class Encoder:
    """The encoder of the slides' features, as far as it is stated; the width is that of one feature vector."""

    name: str | None = None
    version: str | None = None


def read_slides(
    paths: Sequence[Path], selection: Selection, patients: frozenset[str], progress: Progress | None = None
) -> PatchFile:
    """Features of the wanted patients' slides by the slide rule, float16, a patient's slides joined by name.

    Args:
        paths: one file per slide, all `.h5` or all `.pt`.
        selection: slide kinds, all slides or the first, and the largest number of regions.
        patients: whose slides are read; of the others nothing is.
        progress: called with the slides read and their number.

    Raises:
        InputError: no slide of these patients, files that are not as expected, unequal widths.
    """
    where = paths[0].parent.name
    wanted = [path for path in sorted(paths, key=lambda path: path.name) if slide_patient(path) in patients]
    wanted = [path for path in wanted if _kind(path) in (None, *selection.slide_kinds)]
    if not wanted:
        raise InputError(
            f"{where}: none of {len(paths)} slides ({examples(path.name for path in paths)}) is a "
            f"{' or '.join(selection.slide_kinds)} slide of the cohort's patients"
        )
    if selection.slides == "first":
        wanted = list({slide_patient(path): path for path in reversed(wanted)}.values())[::-1]
    read = read_tensor if wanted[0].suffix == ".pt" else read_slide
    most = selection.most_regions
    if most is None:
        return join_slides(wanted, read, where, progress)
    return _fewer(join_slides(wanted, lambda path: _capped(path, read, most), where, progress), most)


def read_tensor(path: Path) -> tuple[NDArray[np.float16], list[str]]:
    """Features (regions, width) and region ids of a `.pt` file: a tensor, read without running anything of it.

    Raises:
        InputError: a file that holds anything but one tensor of floats.
    """
    import pickle

    import torch

    try:
        tensor = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path.name}: must hold a single tensor and nothing else, because code in files is never run; save only "
            "the features, as a tensor (regions, width)"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        problem = " ".join(str(error).split())[:150]
        raise InputError(
            f"{path.name}: not a tensor file that is safe to read, perhaps truncated ({problem or 'empty'})"
        ) from None
    if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point() or tensor.layout != torch.strided:
        held = (
            f"a tensor of {tensor.dtype}, {tensor.layout}"
            if isinstance(tensor, torch.Tensor)
            else type(tensor).__name__
        )
        raise InputError(f"{path.name}: holds {held} instead of a dense float tensor; save the features as one")
    features = tensor[0] if tensor.ndim == 3 and len(tensor) == 1 else tensor
    if features.ndim != 2 or not features.shape[1]:
        raise InputError(f"{path.name}: expected (regions, width), found {tuple(tensor.shape)}")
    values = as_half(features.float().numpy(), path.name)
    return values, [f"{path.stem}@{row}" for row in range(len(values))]


def stated_encoder(path: Path) -> Encoder:
    """The encoder that TRIDENT states: attribute `name` of `features`, else the folder `features_NAME`."""
    folder = path.parent.name
    by_folder = folder.removeprefix("features_") if folder.startswith("features_") else None
    if path.suffix == ".pt":
        hipt = any(part.startswith("vit256") for part in path.parts[-3:])
        return Encoder("HIPT ViT256-4K" if hipt else by_folder)
    import h5py

    try:
        with h5py.File(path, "r") as file:
            stated = file["features"].attrs.get("name") if "features" in file else None
    except (OSError, RuntimeError, ValueError):
        stated = None
    return Encoder(stated.decode() if isinstance(stated, bytes) else stated or by_folder)


def _kind(path: Path) -> str | None:
    found = _KIND.match(path.name)
    return found["kind"] if found else None


def _capped(path: Path, read: Read, most: int) -> tuple[NDArray[np.float16], list[str]]:
    """The slide's first regions of the draw: no other can be among its patient's first, and memory stays small."""
    features, regions = read(path)
    rows = _drawn([slide_patient(path)], regions, np.asarray([0, len(regions)]))[:most]
    rows.sort()
    return features[rows], [regions[row] for row in rows]


def _fewer(found: PatchFile, most: int) -> PatchFile:
    """The first regions of each patient's seeded draw."""
    regions = found.region_ids if found.region_ids is not None else np.asarray([], dtype=str)
    drawn = _drawn(found.ids.tolist(), regions.tolist(), found.patches.offsets)
    place = np.arange(len(drawn)) - np.repeat(found.patches.offsets[:-1], found.patches.counts)
    kept = drawn[place < most]
    offsets = np.concatenate([[0], np.cumsum(np.minimum(found.patches.counts, most))]).astype(np.int64)
    return PatchFile(found.name, found.ids, Ragged(found.patches.values[kept], offsets), regions[kept], found.empty)


def _drawn(ids: Sequence[str], regions: Sequence[str], offsets: NDArray[np.int64]) -> NDArray[np.intp]:
    """Row numbers in the order of the draw, patient after patient."""
    rows = Ragged(np.arange(len(regions), dtype=np.float64)[:, None], offsets)
    return in_draw_order(rows, ids, regions).values[:, 0].astype(np.intp)

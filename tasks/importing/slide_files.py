"""One slide's features from one file: HDF5 (TRIDENT, CLAM, STAMP), `.pt` tensors (HIPT, CLAM) or `.npy` arrays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.hdf5_files import opened_hdf5
from gexbench.tasks.files.input_paths import check_file

SLIDE_TYPES = (".h5", ".hdf5", ".pt", ".npy")
FEATURES = ("features", "feats")
"""Datasets and keys of the features: TRIDENT and CLAM write the first, STAMP the second."""
_LARGEST = float(np.finfo(np.float16).max)
Slide = tuple[NDArray[np.float16], list[str]]
"""Features (regions, width) and region ids, made of the slide's name and the coordinates."""


def read_slide(path: Path) -> Slide:
    """The features of a slide; a vector for the whole slide is one region.

    Raises:
        InputError: an unreadable file, features that are missing, no floats or do not fit their coordinates.
    """
    check_file(path, path.name)
    if path.suffix == ".pt":
        return _of_tensor(path)
    if path.suffix == ".npy":
        return _of_array(path)
    return _of_hdf5(path)


def as_half(features: NDArray[Any], name: str) -> NDArray[np.float16]:
    """Features as float16.

    Raises:
        InputError: values that are not finite or do not fit.
    """
    finite = np.isfinite(features)
    if not finite.all():
        rows = np.flatnonzero(~finite.all(axis=1))
        raise InputError(f"{name}: {len(rows)} regions hold NaN or infinite values (rows {examples(rows)})")
    largest = float(np.abs(features).max(initial=0))
    if largest > _LARGEST:
        raise InputError(f"{name}: values up to {largest:g} do not fit float16 (at most {_LARGEST:g}); rescale them")
    return np.ascontiguousarray(features, dtype=np.float16)


def holds_features(path: Path) -> bool:
    """Whether an HDF5 file holds features; True for one that cannot be read, so that its reader says why."""

    if path.suffix not in (".h5", ".hdf5"):
        return True
    try:
        with opened_hdf5(path) as file:
            return any(name in file for name in FEATURES)
    except (OSError, RuntimeError, ValueError):
        return True


def stated_encoder(path: Path) -> str | None:
    """The encoder that a slide's file states: TRIDENT's attribute `encoder`, STAMP's `extractor`, else its folder."""
    folder = path.parent.name
    starts = [start for start in ("slide_features_", "features_") if folder.startswith(start)]
    by_folder = folder.removeprefix(starts[0]) if starts else None
    if path.suffix not in (".h5", ".hdf5"):
        hipt = path.suffix == ".pt" and any(part.startswith("vit256") for part in path.parts[-3:])
        return "HIPT ViT256-4K" if hipt else by_folder

    try:
        with opened_hdf5(path) as file:
            held = next((file[name] for name in FEATURES if name in file), None)
            stated = (
                file.attrs.get("extractor") if held is None else held.attrs.get("encoder", file.attrs.get("extractor"))
            )
            if held is not None and stated is None and held.attrs.get("name") != path.stem:
                stated = held.attrs.get("name")  # gexbench's and TRIDENT's first versions; later ones name the slide
    except (OSError, RuntimeError, ValueError):
        stated = None
    return (stated.decode() if isinstance(stated, bytes) else str(stated)) if stated else by_folder


def _of_hdf5(path: Path) -> Slide:

    try:
        with opened_hdf5(path) as file:
            key = next((name for name in FEATURES if name in file), None)
            if key is None:
                raise InputError(
                    f"{path.name}: dataset features (or feats) is missing (there: {examples(file, 6) or 'nothing'})"
                )
            features = _dataset(file, key, path.name)
            coords = _dataset(file, "coords", path.name) if "coords" in file else None
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path.name}: not a readable HDF5 file, perhaps truncated ({error})") from None
    return _checked(features, coords, path, key, needs_coords=True)


def _dataset(file: Any, key: str, name: str) -> NDArray[Any]:
    import h5py

    if not isinstance(file[key], h5py.Dataset):
        raise InputError(f"{name}: {key!r} is a group, not a dataset")
    return np.asarray(file[key])


def _of_array(path: Path) -> Slide:
    try:
        features = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path.name}: not a readable .npy array without pickled objects ({error})") from None
    if not isinstance(features, np.ndarray):
        raise InputError(f"{path.name}: holds several arrays; save the features alone, as .npy")
    return _checked(features, None, path, "the array")


def _of_tensor(path: Path) -> Slide:
    """A tensor, or features (and coords) of a dict of tensors, read without running anything of the file."""
    import pickle

    import torch

    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise InputError(
            f"{path.name}: must hold tensors and nothing else, because code in files is never run; save only the "
            "features, as a tensor (regions, width)"
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        problem = " ".join(str(error).split())[:150]
        raise InputError(
            f"{path.name}: not a tensor file that is safe to read, perhaps truncated ({problem or 'empty'})"
        ) from None
    coords = None
    if isinstance(held, Mapping):
        key = next((name for name in FEATURES if name in held), None)
        if key is None:
            raise InputError(f"{path.name}: holds a dict without 'features' (there: {examples(held, 6) or 'nothing'})")
        held, coords = held[key], held.get("coords")
    if not isinstance(held, torch.Tensor) or not held.is_floating_point() or held.layout != torch.strided:
        kind = f"a tensor of {held.dtype}, {held.layout}" if isinstance(held, torch.Tensor) else type(held).__name__
        raise InputError(f"{path.name}: holds {kind} instead of a dense float tensor; save the features as one")
    places = coords.numpy() if isinstance(coords, torch.Tensor) and coords.layout == torch.strided else None
    return _checked(held.float().numpy(), places, path, "the tensor")


def _checked(
    features: NDArray[Any], coords: NDArray[Any] | None, path: Path, key: str, *, needs_coords: bool = False
) -> Slide:
    """Features and region ids of arrays of the shapes that are known."""
    shape = features.shape
    if features.ndim == 3 and len(features) == 1:
        features = features[0]
    whole = features.ndim == 1
    if whole:  # one vector for the slide; an empty one is a slide without a region
        features = features[None] if len(features) else np.zeros((0, 1), features.dtype)
    if features.ndim != 2 or features.dtype.kind != "f" or not features.shape[1]:
        raise InputError(
            f"{path.name}: {key!r} must be floats (regions, width), (1, regions, width) or (width,), they are "
            f"{features.dtype} of shape {shape}"
        )
    if coords is not None and coords.ndim == 3 and len(coords) == 1:
        coords = coords[0]
    if whole or len(features) <= 1:
        coords = coords if coords is not None and coords.ndim == 2 and len(coords) == len(features) else None
        names = [path.stem] * len(features) if coords is None else []
    elif coords is None and not needs_coords:
        names = [f"{path.stem}@{row}" for row in range(len(features))]
    elif coords is None:
        raise InputError(f"{path.name}: dataset coords is missing")
    elif coords.ndim != 2 or len(coords) != len(features):
        raise InputError(
            f"{path.name}: {key!r} {features.shape} and 'coords' {coords.shape} must have one row per region"
        )
    else:
        names = []
    if coords is not None:
        names = [f"{path.stem}@{','.join(map(str, place))}" for place in coords.tolist()]
    return as_half(features, path.name), names

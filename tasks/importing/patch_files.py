"""Image patch embeddings from files: one npz archive, a MuData file, or a folder with one HDF5 file per slide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.anndata_files import OWNER_COLUMNS, read_image_rows
from gexbench.tasks.files.hdf5_files import check_promises
from gexbench.tasks.files.input_paths import check_file, entries, is_folder
from gexbench.tasks.files.npz_files import read_npz

_BARCODE = 12
_OTHER_SLIDES = (".h5", ".hdf5", ".pt")
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True, eq=False)
class PatchFile:
    """Patches as read: `ids` (n,) unique sample or patient ids, their rows (float16), and (total rows,) region ids.

    `empty` names slide files that hold no region and so count for no patient.
    """

    name: str
    ids: NDArray[np.str_]
    patches: Ragged
    region_ids: NDArray[np.str_] | None
    empty: tuple[str, ...] = ()


def read_patches(path: Path, duplicates: str = "error") -> PatchFile:
    """Patch embeddings of an npz archive or of a folder of HDF5 files.

    The archive holds `patient` (n,), `n_regions` (n,) and `features` (sum of n_regions, width), the patients' rows one
    after another, and optionally `region` (rows,), ids that are unique within a patient. In a folder each `*.h5` is
    one slide with `features` (regions, width) or (1, regions, width) and `coords` (regions, 2), as TRIDENT and CLAM
    write them; the patient is the first 12 characters of a TCGA file name, else the name up to the first dot. Slides
    of a patient are joined. Of an .h5mu the modality `patches` (or `images`, `image`, `histology`) holds a row per
    region, with the column `sample` (or `patient`) of its `obs`, or a row per sample.

    Args:
        path: the archive or the folder.
        duplicates: `error`, or else the first entry of a patient that an archive lists twice counts.

    Raises:
        InputError: anything that is not as above; values that are not finite or do not fit float16.
    """
    if is_folder(path):
        return _read_folder(path)
    if path.suffix == ".h5mu":
        check_file(path, path.name)
        return _read_modality(path)
    if path.suffix != ".npz":
        check_file(path, path.name)
        raise InputError(f"{path.name}: give patches as .npz, .h5mu, or a folder of .h5 files, one per slide")
    arrays = read_npz(path, ("patient", "n_regions", "features"), optional=("region",))
    problems = _archive_problems(path.name, arrays)
    if problems:
        raise InputError(problems)
    ids, offsets = arrays["patient"].astype(str), _offsets(arrays["n_regions"])
    patches = Ragged(as_half(arrays["features"], path.name), offsets)
    regions = arrays["region"].astype(str) if "region" in arrays else None
    _, first = np.unique(ids, return_index=True)
    if len(first) == len(ids):
        return PatchFile(path.name, ids, patches, regions)
    if duplicates == "error":
        repeated = sorted(set(np.delete(ids, first).tolist()))
        raise InputError(
            f"{path.name}: {len(repeated)} patients appear more than once ({examples(repeated)}); "
            "keep one entry per patient, or use --duplicates first"
        )
    rows = np.sort(first)
    return PatchFile(path.name, ids[rows], patches.take(rows), take_rows(regions, patches, rows))


def take_rows(regions: NDArray[np.str_] | None, patches: Ragged, rows: NDArray[np.intp]) -> NDArray[np.str_] | None:
    """Region ids of the given patients, in their order, as `Ragged.take` takes the rows."""
    if regions is None:
        return None
    places = Ragged(np.arange(len(regions), dtype=np.float64)[:, None], patches.offsets).take(rows).values[:, 0]
    return np.asarray(regions[places.astype(np.intp)], dtype=str)


def _archive_problems(name: str, arrays: dict[str, NDArray[Any]]) -> list[str]:
    ids, counts, features = arrays["patient"], arrays["n_regions"], arrays["features"]
    problems = []
    if ids.ndim != 1 or ids.dtype.kind not in "US":
        problems.append(f"{name}: 'patient' must be a list of ids, found {ids.dtype} of shape {ids.shape}")
    if features.ndim != 2 or features.dtype.kind != "f" or (features.ndim == 2 and not features.shape[1]):
        problems.append(
            f"{name}: 'features' must be floats of one width (regions, width), found {features.dtype} of shape "
            f"{features.shape}"
        )
    if counts.ndim != 1 or counts.dtype.kind not in "iu" or len(counts) != len(ids) or (counts < 0).any():
        problems.append(f"{name}: 'n_regions' must hold one count per patient ({len(ids)}), found shape {counts.shape}")
    elif int(counts.sum(dtype=np.int64)) != len(features):
        problems.append(
            f"{name}: 'n_regions' sums to {int(counts.sum(dtype=np.int64))}, 'features' has {len(features)} rows"
        )
    if "region" in arrays and arrays["region"].shape != (len(features),):
        problems.append(f"{name}: 'region' must hold one id per row of 'features' ({len(features)})")
    return problems


def _offsets(counts: NDArray[Any]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


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


def _read_modality(path: Path) -> PatchFile:
    found = read_image_rows(path)
    if found.values is None or not found.values.size:
        raise InputError(f"{path.name}: the modality of image features is empty")
    column = next((name for name in OWNER_COLUMNS if name in found.obs), None)
    names = found.obs.index.astype(str).to_numpy(dtype=str)
    if column is not None and found.obs[column].isna().any():
        lacking = names[found.obs[column].isna().to_numpy()]
        raise InputError(f"{path.name}: {len(lacking)} rows of image features have no {column} ({examples(lacking)})")
    owners = names if column is None else found.obs[column].to_numpy(dtype=str)
    order = np.argsort(owners, kind="stable")
    ids, counts = np.unique(owners, return_counts=True)
    patches = Ragged(as_half(found.values, path.name)[order], _offsets(counts))
    return PatchFile(path.name, ids, patches, names[order])


def _read_folder(folder: Path) -> PatchFile:
    inside = entries(folder)
    paths = [path for path in inside if path.suffix == ".h5"]
    if not paths:
        below = sorted({str(path.parent.relative_to(folder.parent)) for path in folder.rglob("*.h5")})
        hint = f"; {examples(below)} below it does: give that folder" if below else ""
        raise InputError(f"{folder.name}: the folder holds no .h5 file{hint}")
    others = [path.name for path in inside if path.suffix.lower() in _OTHER_SLIDES and path.suffix != ".h5"]
    if others:
        raise InputError(
            f"{folder.name}: {len(others)} slides beside the .h5 files have another suffix ({examples(others)}) and "
            "would be ignored; rename or remove them"
        )
    return join_slides(paths, read_slide, folder.name)


def join_slides(
    paths: Sequence[Path],
    read: Callable[[Path], tuple[NDArray[np.float16], list[str]]],
    name: str,
    progress: Callable[[int, int], None] | None = None,
) -> PatchFile:
    """The patients of slide files, by name; a patient's slides one after another in the order of `paths`.

    Args:
        paths: one file per slide.
        read: features (regions, width) and region ids of a slide.
        name: of the whole, for messages.
        progress: called with the slides read and their number.

    Raises:
        InputError: problems of any slide; slides of unequal width; no slide with a region.
    """
    slides: dict[str, list[tuple[NDArray[np.float16], list[str]]]] = {}
    widths: dict[int, list[str]] = {}
    problems: list[str] = []
    empty: list[str] = []
    for done, path in enumerate(paths, start=1):
        try:
            check_file(path, path.name)
            features, regions = read(path)
        except InputError as error:
            problems += error.problems
            continue
        if not len(features):
            empty.append(path.name)
            continue
        widths.setdefault(features.shape[1], []).append(path.name)
        slides.setdefault(slide_patient(path), []).append((features, regions))
        if progress:
            progress(done, len(paths))
    if len(widths) > 1:
        found = "; ".join(f"{width} in {len(names)} ({examples(names)})" for width, names in sorted(widths.items()))
        problems.append(f"{name}: patches of unequal width: {found}; use one encoder for all slides")
    if not slides and not problems:
        problems.append(f"{name}: none of {len(paths)} slides holds a region ({examples(empty)})")
    if problems:
        raise InputError(problems)
    ids = sorted(slides)
    parts = [part for patient in ids for part in slides[patient]]
    counts = np.asarray([sum(len(features) for features, _ in slides[patient]) for patient in ids])
    regions = [region for _, names in parts for region in names]
    patches = Ragged(np.concatenate([features for features, _ in parts]), _offsets(counts))
    return PatchFile(name, np.asarray(ids), patches, np.asarray(regions, dtype=str), tuple(empty))


def read_slide(path: Path) -> tuple[NDArray[np.float16], list[str]]:
    """Features (regions, width) and region ids, made of the slide's name and the coordinates, of one HDF5 slide.

    Raises:
        InputError: an unreadable file, datasets that are missing or do not fit each other.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            check_promises(file, path.name)
            missing = [key for key in ("features", "coords") if key not in file]
            if missing:
                raise InputError(f"{path.name}: dataset {examples(missing)} is missing")
            features, coords = (_dataset(file, key, path.name) for key in ("features", "coords"))
    except (OSError, RuntimeError, ValueError) as error:
        raise InputError(f"{path.name}: not a readable HDF5 file, perhaps truncated ({error})") from None
    features = features[0] if features.ndim == 3 and len(features) == 1 else features
    coords = coords[0] if coords.ndim == 3 and len(coords) == 1 else coords
    if features.ndim != 2 or features.dtype.kind != "f" or not features.shape[1]:
        raise InputError(
            f"{path.name}: 'features' must be floats (regions, width) or (1, regions, width), they are "
            f"{features.dtype} of shape {features.shape}"
        )
    if coords.ndim != 2 or len(coords) != len(features):
        raise InputError(
            f"{path.name}: 'features' {features.shape} and 'coords' {coords.shape} must have one row per region"
        )
    regions = [f"{path.stem}@{','.join(map(str, place))}" for place in coords.tolist()]
    return as_half(features, path.name), regions


def _dataset(file: Any, key: str, name: str) -> NDArray[Any]:
    import h5py

    if not isinstance(file[key], h5py.Dataset):
        raise InputError(f"{name}: {key!r} is a group, not a dataset")
    return np.asarray(file[key])


def slide_patient(path: Path) -> str:
    """The patient that a slide's file name states: a TCGA barcode's, else the name up to the first dot."""
    return path.stem[:_BARCODE] if path.stem.startswith("TCGA-") else path.name.split(".")[0]

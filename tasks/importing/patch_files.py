"""Image patch embeddings from files: one npz archive, a MuData file, or a folder with one file per slide."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.errors import InputError, by_kind, examples
from gexbench.tasks.files.anndata_files import OWNER_COLUMNS, read_image_rows
from gexbench.tasks.files.input_paths import check_file, entries, is_folder
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.npz_files import read_npz
from gexbench.tasks.importing.slide_files import SLIDE_TYPES, Slide, as_half, holds_features, read_slide
from gexbench.tasks.importing.slide_rules import KINDS, counted_slides, owners, read_slides_table


@dataclass(frozen=True, slots=True, eq=False)
class PatchFile:
    """Patches as read: `ids` (n,) unique sample or patient ids, their rows (float16), and (total rows,) region ids.

    `empty` names slide files that hold no region and so count for no patient; `notes` says what else was left out.
    """

    name: str
    ids: NDArray[np.str_]
    patches: Ragged
    region_ids: NDArray[np.str_] | None
    empty: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()


def read_patches(
    path: Path, duplicates: str = "error", kinds: Collection[str] = KINDS, slides_table: Path | None = None
) -> PatchFile:
    """Patch embeddings of an npz archive or of a folder of slides.

    The archive holds `patient` (n,), `n_regions` (n,) and `features` (sum of n_regions, width), the patients' rows one
    after another, and optionally `region` (rows,), ids that are unique within a patient. In a folder each file is one
    slide: see `slide_files` for its layouts and `slide_rules` for its patient. Slides of a patient are joined. Of an
    .h5mu the modality `patches` (or `images`, `image`, `histology`) holds a row per region, with the column `sample`
    (or `patient`) of its `obs`, or a row per sample.

    Args:
        path: the archive or the folder.
        duplicates: `error`, or else the first entry of a patient that an archive lists twice counts.
        kinds: of slides that count, by TCGA's names; `all` for every kind.
        slides_table: table of slide and patient, for names that do not state the patient.

    Raises:
        InputError: anything that is not as above; values that are not finite or do not fit float16.
    """
    if is_folder(path):
        return _read_folder(path, kinds, None if slides_table is None else read_slides_table(slides_table))
    if slides_table is not None:
        raise InputError(f"--slides-table {slides_table.name}: is for a folder of slides, and {path.name} is a file")
    if path.suffix == ".h5mu":
        check_file(path, path.name)
        return _read_modality(path)
    if path.suffix != ".npz":
        check_file(path, path.name)
        raise InputError(
            f"{path.name}: give patches as .npz, .h5mu, or a folder of {', '.join(SLIDE_TYPES)} files, one per slide"
        )
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


def _read_folder(folder: Path, kinds: Collection[str], table: Mapping[str, str] | None) -> PatchFile:
    inside = entries(folder)
    paths = [path for path in inside if path.suffix in SLIDE_TYPES]
    odd = [path.name for path in inside if path.suffix not in SLIDE_TYPES and path.suffix.lower() in SLIDE_TYPES]
    suffixes = sorted({path.suffix for path in paths})
    if len(suffixes) > 1 or odd:
        raise InputError(
            f"{folder.name}: holds slides of several types ({', '.join([*suffixes, *odd[:3]])}); keep one type per "
            "folder, with its suffix in lower case"
        )
    if not paths:
        return _read_below(folder, kinds, table)
    kept, notes = counted_slides(paths, kinds)
    if not kept:
        raise InputError(
            f"{folder.name}: none of {len(paths)} slides is of the kind {' or '.join(kinds)} "
            f"({'; '.join(note.said() for note in notes)}); choose others with --slide-kinds"
        )
    joined = join_slides(kept, read_slide, folder.name, table=table)
    return replace(joined, notes=(*notes, *joined.notes))


def _read_below(folder: Path, kinds: Collection[str], table: Mapping[str, str] | None) -> PatchFile:
    """The one folder below that holds features, as TRIDENT's tree has one per encoder."""
    every = sorted({path.parent for path in folder.rglob("*") if path.suffix in SLIDE_TYPES and path.is_file()})
    below = [
        place for place in every if any(holds_features(path) for path in entries(place) if path.suffix in SLIDE_TYPES)
    ]
    if len(below) == 1:
        return _read_folder(below[0], kinds, table)
    names = [str(place.relative_to(folder.parent)) for place in below]
    found = sorted({path.suffix or path.name for path in entries(folder)})
    hint = (
        f"; {len(below)} folders below it do: give one, {examples(names)}"
        if below
        else f" (there: {examples(found, 6) or 'nothing'}); give a folder of {', '.join(SLIDE_TYPES)} files"
    )
    raise InputError(f"{folder.name}: the folder holds no slide features{hint}")


def join_slides(
    paths: Sequence[Path],
    read: Callable[[Path], Slide],
    name: str,
    progress: Callable[[int, int], None] | None = None,
    table: Mapping[str, str] | None = None,
) -> PatchFile:
    """The patients of slide files; a patient's slides one after another in the order of `paths`.

    Slides without a region or whose features are all zero are left out; so is what a patient has twice.

    Args:
        paths: one file per slide.
        read: features (regions, width) and region ids of a slide.
        name: of the whole, for messages.
        progress: called with the slides read and their number.
        table: slide → patient; None takes the patient of the file's name.

    Raises:
        InputError: problems of any slide, each kind once; slides of unequal width; no slide with a region.
    """
    whose, notes = owners(paths, table)
    slides: dict[str, list[Slide]] = {}
    widths: dict[int, list[str]] = {}
    failed: list[tuple[str, str]] = []
    empty: list[str] = []
    zero: list[str] = []
    seen: dict[bytes, str] = {}
    doubled: list[str] = []
    for done, path in enumerate(whose, start=1):
        try:
            features, regions = read(path)
        except InputError as error:
            failed += [(path.name, problem) for problem in error.problems]
            continue
        if progress:
            progress(done, len(whose))
        if not len(features):
            empty.append(path.name)
        elif not features.any():
            zero.append(path.name)
        else:
            widths.setdefault(features.shape[1], []).append(path.name)
            slides.setdefault(whose[path], []).append((features, regions))
            same = hashlib.blake2b(features.tobytes(), digest_size=16).digest()
            if same in seen and features.size > 1:
                doubled.append(f"{path.name} = {seen[same]}")
            seen.setdefault(same, path.name)
    problems = by_kind(failed, name, "slides")
    if len(widths) > 1:
        found = "; ".join(f"{width} in {len(names)} ({examples(names)})" for width, names in sorted(widths.items()))
        problems.append(f"{name}: patches of unequal width: {found}; use one encoder for all slides")
    if not slides and not problems:
        problems.append(f"{name}: none of {len(paths)} slides holds a region ({examples([*empty, *zero])})")
    if problems:
        raise InputError(problems)
    if zero:
        notes.append(Note.of("slides whose features are all zero", zero))
    if doubled:
        notes.append(Note.of("slides with the features of another slide, kept", doubled, left_out=False))
    ids = sorted(slides)
    parts = [part for patient in ids for part in slides[patient]]
    counts = np.asarray([sum(len(features) for features, _ in slides[patient]) for patient in ids])
    regions = [region for _, names in parts for region in names]
    patches = Ragged(np.concatenate([features for features, _ in parts]), _offsets(counts))
    return PatchFile(name, np.asarray(ids), patches, np.asarray(regions, dtype=str), tuple(empty), tuple(notes))

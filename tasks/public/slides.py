"""Slide features of a folder of public files, by patient and by the rules of a selection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.cohorts.patches import in_draw_order
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.importing.patch_files import PatchFile, join_slides
from gexbench.tasks.importing.slide_files import read_slide
from gexbench.tasks.importing.slide_rules import counted_slides, owners, read_slides_table
from gexbench.tasks.public.selection import Selection

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Encoder:
    """The encoder of the slides' features, as far as it is stated; the width is that of one feature vector."""

    name: str | None = None
    version: str | None = None


def read_slides(
    paths: Sequence[Path],
    selection: Selection,
    patients: frozenset[str],
    progress: Progress | None = None,
    slides_table: Path | None = None,
) -> PatchFile:
    """Features of the wanted patients' slides by the slide rule, float16, a patient's slides joined by name.

    Args:
        paths: one file per slide, all of one type.
        selection: slide kinds, all slides or the first, and the largest number of regions.
        patients: whose slides are read; of the others nothing is.
        progress: called with the slides read and their number.
        slides_table: table of slide and patient.

    Raises:
        InputError: no slide of these patients, files that are not as expected, unequal widths.
    """
    where = paths[0].parent.name
    table = None if slides_table is None else read_slides_table(slides_table)
    whose, notes = owners(sorted(paths, key=lambda path: path.name), table)
    wanted, left = counted_slides([path for path in whose if whose[path] in patients], selection.slide_kinds)
    notes += left
    if not wanted:
        raise InputError(
            f"{where}: none of {len(paths)} slides ({examples(path.name for path in paths)}) is a "
            f"{' or '.join(selection.slide_kinds)} slide of the cohort's patients"
        )
    if selection.slides == "first":
        wanted = list({whose[path]: path for path in reversed(wanted)}.values())[::-1]
    most = selection.most_regions
    if most is None:
        joined = join_slides(wanted, read_slide, where, progress, table)
    else:
        joined = _fewer(
            join_slides(wanted, lambda path: _capped(path, whose[path], most), where, progress, table), most
        )
    return replace(joined, notes=(*notes, *joined.notes))


def _capped(path: Path, patient: str, most: int) -> tuple[NDArray[np.float16], list[str]]:
    """The slide's first regions of the draw: no other can be among its patient's first, and memory stays small."""
    features, regions = read_slide(path)
    rows = _drawn([patient], regions, np.asarray([0, len(regions)]))[:most]
    rows.sort()
    return features[rows], [regions[row] for row in rows]


def _fewer(found: PatchFile, most: int) -> PatchFile:
    """The first regions of each patient's seeded draw."""
    regions = found.region_ids if found.region_ids is not None else np.asarray([], dtype=str)
    drawn = _drawn(found.ids.tolist(), regions.tolist(), found.patches.offsets)
    place = np.arange(len(drawn)) - np.repeat(found.patches.offsets[:-1], found.patches.counts)
    kept = drawn[place < most]
    offsets = np.concatenate([[0], np.cumsum(np.minimum(found.patches.counts, most))]).astype(np.int64)
    return replace(found, patches=Ragged(found.patches.values[kept], offsets), region_ids=regions[kept])


def _drawn(ids: Sequence[str], regions: Sequence[str], offsets: NDArray[np.int64]) -> NDArray[np.intp]:
    """Row numbers in the order of the draw, patient after patient."""
    rows = Ragged(np.arange(len(regions), dtype=np.float64)[:, None], offsets)
    return in_draw_order(rows, ids, regions).values[:, 0].astype(np.intp)

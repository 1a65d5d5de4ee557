"""Which samples of public expression files are kept, and a note on every one that is not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.importing.barcodes import Barcode, chosen, named_type
from gexbench.tasks.importing.values import Scale
from gexbench.tasks.public.selection import Selection


@dataclass(frozen=True, slots=True)
class Picked:
    """The kept samples in the cohort's order, the ids they get, and what was left out and why."""

    samples: tuple[Barcode, ...]
    ids: tuple[str, ...]
    dropped: tuple[Note, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PublicExpression:
    """Expression as read from public files: the table, its unit, and notes on samples and genes left out.

    `inputs` names each file that was read: name, bytes and SHA-256; `scale` is that of the values where the layout
    states it.
    """

    table: ExpressionFile
    dropped: tuple[Note, ...]
    inputs: tuple[dict[str, object], ...]
    scale: Scale | None = None


def pick(samples: Sequence[Barcode], clinical: pd.DataFrame, selection: Selection, where: str) -> Picked:
    """Samples of the wanted patients, projects and types; one per patient or all.

    Ids are patients for one sample per patient (in the order of the selection's patients, else by name), else samples.

    Args:
        samples: every sample of the files.
        clinical: the clinical table by patient; `project` is needed where projects are selected.
        selection: the rules.
        where: what the samples lie in, for messages.

    Raises:
        InputError: a sample that is there twice, projects without a project column or patient, nothing left.
    """
    names = Counter(sample.name for sample in samples)
    if twice := sorted(name for name, count in names.items() if count > 1):
        raise InputError(
            f"{where}: {len(twice)} samples occur in more than one file ({examples(twice)}); choose one with "
            "--expression"
        )
    if selection.projects and "project" not in clinical:
        raise InputError("the clinical table has no projects; leave out --projects, or give another --clinical")
    if selection.projects and selection.recipe is None:  # a recipe's may be more than were fetched
        known = sorted(set(clinical["project"].dropna().astype(str)))
        if strange := [name for name in selection.projects if name not in known]:
            raise InputError(
                f"--projects {', '.join(strange)}: no patient of the clinical table belongs to this project (projects: "
                f"{examples(known, 40)})"
            )
    patients = None if selection.patients is None else frozenset(selection.patients)
    projects = dict(zip(clinical.index, clinical.get("project", clinical.index), strict=True))
    reasons = {sample.name: _reason(sample, projects, selection, patients) for sample in samples}
    fitting = [sample for sample in samples if not reasons[sample.name]]
    kept = chosen(fitting, selection.sample_types, selection.samples)
    taken = {sample.name for sample in kept}
    reasons |= {sample.name: "a further sample of a patient" for sample in fitting if sample.name not in taken}
    if not kept:
        found = Counter(reason for reason in reasons.values() if reason).most_common(3)
        said = "; ".join(f"{count}: {reason}" for reason, count in found)
        raise InputError(f"{where}: none of {len(samples)} samples remain ({said or 'no TCGA barcodes'})")
    place = {name: row for row, name in enumerate(selection.patients or ())}
    kept.sort(key=lambda sample: (place.get(sample.patient, 0), sample.name))
    ids = tuple(sample.patient for sample in kept) if selection.samples == "one" else _sample_ids(kept)
    return Picked(tuple(kept), ids, _notes(reasons))


def columns_of(picked: Picked) -> pd.DataFrame:
    """The columns that barcodes give: the kind of each kept sample."""
    return pd.DataFrame({"sample_type": [named_type(sample.type) for sample in picked.samples]}, index=picked.ids)


def missing_values(values: NDArray[np.float32], genes: Sequence[str]) -> NDArray[np.bool_]:
    """Genes with a value that is missing or infinite, (genes,); a block of samples at a time."""
    lacking = np.zeros(len(genes), dtype=bool)
    for start in range(0, len(values), 512):
        lacking |= ~np.isfinite(values[start : start + 512]).all(axis=0)
    return lacking


def _reason(sample: Barcode, projects: dict[str, str], selection: Selection, patients: frozenset[str] | None) -> str:
    if sample.type not in selection.sample_types:
        return f"{named_type(sample.type)} (sample type {sample.type})"
    if patients is not None and sample.patient not in patients:
        return "not among the patients of the recipe"
    if sample.patient not in projects:
        return "no clinical row"
    if selection.projects and projects[sample.patient] not in selection.projects:
        return "of another project"
    return ""


def _sample_ids(kept: Sequence[Barcode]) -> tuple[str, ...]:
    short = Counter(sample.sample for sample in kept)
    return tuple(sample.sample if short[sample.sample] == 1 else sample.name for sample in kept)


def _notes(reasons: dict[str, str]) -> tuple[Note, ...]:
    by_reason: dict[str, list[str]] = {}
    for name, reason in sorted(reasons.items()):
        if reason:
            by_reason.setdefault(reason, []).append(name)
    return tuple(Note.of(reason, np.asarray(names)) for reason, names in sorted(by_reason.items()))

"""Normal tissue and copied profiles among the samples, settled as the user says, with notes."""

from dataclasses import replace

import numpy as np

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.notes import Note
from gexbench.tasks.importing import patients, twins
from gexbench.tasks.importing.alignment import Tables


def normals_settled(
    tables: Tables, labels: tuple[str, ...], finest: str, normals: patients.Normals | None
) -> tuple[Tables, list[Note]]:
    """The tables without normal tissue, or with it in classes of its own.

    Args:
        tables: labels as text.
        labels: label columns.
        finest: the one with the most classes.
        normals: see `Sources`.

    Raises:
        InputError: with None, classes that hold both tumours and normal tissue.
    """
    samples = tables.expression.samples
    kinds = patients.sample_types(samples, tables.clinical)
    normal = patients.is_normal(kinds)
    if not normal.any() or normal.all():
        return tables, []
    classes = tables.clinical[finest].astype(object).where(tables.clinical[finest].notna(), "").to_numpy(dtype=str)
    mixed = patients.mixed_classes(normal, kinds, classes)
    if normals is None and mixed:
        raise InputError(patients.normals_refused(tables.expression.name, samples, kinds, normal, mixed))
    if normals == "drop":
        return tables.take(np.flatnonzero(~normal)), [Note.of("normal tissue (--normals drop)", samples[normal])]
    if normals != "label":
        return tables, [
            Note.of("samples of normal tissue, with their labels as given", samples[normal], left_out=False)
        ]
    marked = {
        label: tables.clinical[label].where(~normal | tables.clinical[label].isna(), tables.clinical[label].astype(str)
                                            + patients.NORMAL)
        for label in labels
    }  # fmt: skip
    note = Note.of(f"samples of normal tissue, classes marked{patients.NORMAL}", samples[normal], left_out=False)
    return replace(tables, clinical=tables.clinical.assign(**marked)), [note]


def twins_settled(tables: Tables, finest: str, rule: twins.Twins) -> tuple[Tables, list[Note]]:
    """The tables without copies, or with the patients of a common profile as one.

    Raises:
        InputError: profiles under several ids with the rule `error`.
    """
    samples = tables.expression.samples
    sets = twins.twin_sets(tables.expression.values)
    if not sets:
        return tables, []
    classes = tables.clinical[finest].astype(object).where(tables.clinical[finest].notna(), "").to_numpy(dtype=str)
    said = twins.said(sets, samples, classes)
    if rule == "error":
        raise twins.refused(tables.expression.name, said)
    if rule == "drop":
        rows = np.asarray(twins.left_out(sets, samples, classes), dtype=np.intp)
        kept = np.setdiff1d(np.arange(len(samples)), rows)
        return tables.take(kept), [Note.of(f"copies: {said} (--twins drop)", samples[rows])]
    ids = [" = ".join(samples[rows][:3].tolist()) for rows in sets]
    note = Note.of(f"copies kept, each set as one patient: {said.partition(' (')[0]}", ids, left_out=False)
    return tables.regrouped(twins.as_one_patient(sets, tables.groups)), [note]

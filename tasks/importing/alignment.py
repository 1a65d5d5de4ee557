"""Align expression, clinical table and patches by sample, and report what had to be left out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import Ragged
from gexbench.tasks.cohorts.dealing import assign_parts
from gexbench.tasks.cohorts.patches import in_draw_order
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.gene_columns import FOLD_COLUMNS
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.files.sample_ids import donor_of
from gexbench.tasks.importing.barcodes import PATIENT_LENGTH
from gexbench.tasks.importing.column_problems import column_problems
from gexbench.tasks.importing.label_text import as_written, missing_label, unlabelled_note
from gexbench.tasks.importing.patch_files import PatchFile, take_rows
from gexbench.tasks.importing.patients import BY_BARCODE, BY_ID, EACH
from gexbench.tasks.text.clinical_text import NOT_RECORDED

Missing = Literal["drop", "mask"]
BARCODE = BY_BARCODE
BARCODE_LENGTH = PATIENT_LENGTH
Number = TypeVar("Number", np.float32, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Contents of the files without duplicates: expression, the clinical rows of its samples, the whole clinical table.

    Attributes:
        expression: samples × genes.
        groups: (n,) patient of each sample.
        clinical: n rows in the order of the samples.
        people: clinical rows over which the folds are dealt (all of them, with or without expression), with their
            patient in `groups_of_people`.
        without_clinical: (n,) True for samples without a clinical row.
    """

    expression: ExpressionFile
    groups: NDArray[np.str_]
    clinical: pd.DataFrame
    people: pd.DataFrame
    groups_of_people: NDArray[np.str_]
    without_clinical: NDArray[np.bool_]

    def take(self, rows: NDArray[np.intp]) -> "Tables":
        """Those samples alone; the clinical table stays whole, so that folds do not depend on them."""
        given = self.expression
        counts = None if given.counts is None else _taken(given.counts, rows)
        expression = replace(
            given, samples=given.samples[rows], values=_taken(given.values, rows), columns=given.columns.iloc[rows],
            counts=counts,
        )  # fmt: skip
        return replace(
            self, expression=expression, groups=self.groups[rows], clinical=self.clinical.iloc[rows],
            without_clinical=self.without_clinical[rows],
        )  # fmt: skip

    def regrouped(self, names: Mapping[str, str]) -> "Tables":
        """The same samples with some patients under a common name."""

        def renamed(groups: NDArray[np.str_]) -> NDArray[np.str_]:
            return np.asarray([names.get(name, name) for name in groups.tolist()], dtype=str)

        return replace(self, groups=renamed(self.groups), groups_of_people=renamed(self.groups_of_people))

    def written(self, columns: tuple[str, ...]) -> "Tables":
        """Those columns as text, trimmed, in both tables."""
        return replace(
            self,
            clinical=self.clinical.assign(**{name: as_written(self.clinical[name]) for name in columns}),
            people=self.people.assign(**{name: as_written(self.people[name]) for name in columns}),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Samples of the cohort, aligned by row; `label_columns` finest first."""

    samples: NDArray[np.str_]
    groups: NDArray[np.str_]
    genes: tuple[str, ...]
    expression: NDArray[np.float32]
    clinical: pd.DataFrame
    label_columns: tuple[str, ...]
    patches: Ragged | None
    dropped: tuple[Note, ...]
    counts: NDArray[np.int32] | None = None


def combine(
    expression: ExpressionFile,
    clinical: pd.DataFrame | None,
    group: str | None,
    clinical_name: str,
    labels: tuple[str, ...] = (),
) -> Tables:
    """Look up each sample's clinical row, by sample id or else by patient, and each sample's patient.

    A column that both files have is taken from the clinical table.

    Args:
        expression: without duplicate samples.
        clinical: one row per sample or patient, or None when the labels are in the expression file.
        group: None or `none` (a sample is a patient), a column, `barcode12` (the first 12 characters of the id) or
            `from-id` (what the id's programme says).
        clinical_name: name of the clinical file, for messages.
        labels: where all of them are columns of the expression file, samples may lack a clinical row.

    Raises:
        InputError: no such column, ids too short for a barcode, samples that the clinical table does not know,
            columns that cannot be stored.
    """
    problems = column_problems(expression.columns, expression.name)
    if clinical is not None:
        problems += column_problems(clinical, clinical_name)
    if problems:
        raise InputError(problems)
    own = _plain(expression.columns).set_axis(pd.Index(expression.samples, name="sample"), axis=0)
    if clinical is None:
        groups = _groups(expression.samples, own, group, expression.name)
        return Tables(expression, groups, own, own, groups, np.zeros(len(groups), dtype=bool))
    table = _plain(clinical)
    given = own if group in own and group not in table else table.reindex(expression.samples)
    groups = _groups(expression.samples, given, group, clinical_name)
    ids = table.index.to_numpy(dtype=str)
    keys = np.where(np.isin(expression.samples, ids), expression.samples, groups)
    unknown = ~np.isin(keys, ids)
    if unknown.all() or (unknown.any() and not (labels and set(labels) <= set(own))):
        raise InputError(_unknown_samples(expression, table, expression.samples[unknown], clinical_name))
    table = table.reindex([*ids, *dict.fromkeys(keys[unknown].tolist())])
    extra = own[[column for column in own if column not in table]]
    joined = table.loc[keys].set_axis(own.index, axis=0).join(extra)
    people = table.join(extra.set_axis(keys, axis=0)[~pd.Index(keys).duplicated()])
    owners = _owners(people, group, dict(zip(keys, groups, strict=True)))
    return Tables(expression, groups, joined, people, owners, unknown)


def _owners(people: pd.DataFrame, group: str | None, known: Mapping[str, str]) -> NDArray[np.str_]:
    """Patient of every clinical row: that of its sample, or the row's own id if no sample has it."""
    ids = people.index.to_numpy(dtype=str)
    said = ids.tolist()
    if group == BARCODE:
        said = [name[:BARCODE_LENGTH] for name in said]
    elif group in people:
        said = [str(value) for value in as_written(people[group])]
    elif group == BY_ID:
        said = [donor_of(name) or name for name in said]
    return np.asarray([known.get(name, value) for name, value in zip(ids.tolist(), said, strict=True)], dtype=str)


def align(
    tables: Tables,
    labels: tuple[str, ...],
    patches: PatchFile | None,
    site_column: str | None,
    missing: Missing,
) -> Aligned:
    """Deal the folds over the whole table, then leave out samples without a label or (`missing="drop"`) a modality.

    The label with the most classes comes first: it is the finest; the others keep their order.

    Raises:
        InputError: patches of unknown patients.
    """
    labels = finest_first(tables.people, labels)
    clinical = _with_folds(tables, labels[0], site_column)
    samples, groups = tables.expression.samples, tables.groups
    unlabelled = np.logical_or.reduce([missing_label(clinical[label]).to_numpy() for label in labels])
    dropped = unlabelled_note(clinical, labels)
    keep = ~unlabelled
    without = np.setdiff1d(tables.groups_of_people, groups)
    if len(without):
        dropped.append(Note.of("in the clinical table, without expression", without))
    lacking = {"no clinical row": tables.without_clinical}
    aligned = None
    if patches is not None:
        aligned, has, found = _align_patches(patches, tables)
        dropped += found
        lacking["no patches"] = ~has
    for reason, places in lacking.items():
        if (keep & places).any():
            said = reason if missing == "drop" else f"{reason} (kept, masked)"
            dropped.append(Note.of(said, samples[keep & places], left_out=missing == "drop"))
        if missing == "drop":
            keep &= ~places
    rows = np.flatnonzero(keep)
    return Aligned(
        samples=samples[rows],
        groups=groups[rows],
        genes=tables.expression.genes,
        expression=_taken(tables.expression.values, rows),
        clinical=_final(clinical.iloc[rows], labels),
        label_columns=labels,
        patches=None if aligned is None else aligned.take(rows),
        dropped=tuple(dropped),
        counts=None if tables.expression.counts is None else _taken(tables.expression.counts, rows),
    )


def _taken(values: NDArray[Number], rows: NDArray[np.intp]) -> NDArray[Number]:
    """The rows, contiguous; the array itself if all are kept, so a large one is not held twice."""
    if len(rows) == len(values) and values.flags.c_contiguous:
        return values
    return np.ascontiguousarray(values[rows])


def _final(clinical: pd.DataFrame, labels: tuple[str, ...]) -> pd.DataFrame:
    """Labels as text, parts as small integers: rows without either are gone."""
    types: dict[str, type] = dict.fromkeys(labels, str) | {
        column: np.int8 for column in FOLD_COLUMNS if column in clinical
    }
    return clinical.astype(types)


def finest_first(clinical: pd.DataFrame, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The label columns, the one with the most classes first, the others in their order."""
    classes = [int(clinical[label][~missing_label(clinical[label])].nunique()) for label in labels]
    finest = labels[int(np.argmax(classes))]
    return (finest, *(label for label in labels if label != finest))


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns as numbers or as objects (strings with None): categories, nullable types and dates are turned."""
    return frame.apply(_plain_column, axis=0) if len(frame.columns) else frame.copy()


def _plain_column(column: pd.Series) -> pd.Series:
    if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
        return column.astype(bool)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        return column.astype(np.float64) if pd.api.types.is_extension_array_dtype(column.dtype) else column
    return column.astype(object).map(lambda value: str(value), na_action="ignore").astype(object)


def _groups(samples: NDArray[np.str_], given: pd.DataFrame, group: str | None, name: str) -> NDArray[np.str_]:
    if group is None or (group == EACH and group not in given):
        return samples.copy()
    if group == BY_ID and group not in given:
        donors = [donor_of(sample) for sample in samples.tolist()]
        if strange := samples[[donor is None for donor in donors]].tolist():
            raise InputError(
                f"--group {BY_ID}: {len(strange)} ids follow no scheme of TCGA, GTEx, TARGET, CPTAC or HCMI "
                f"({examples(strange)}); name the column with the patient instead"
            )
        return np.asarray(donors, dtype=str)
    if group == BARCODE:
        short = [sample for sample in samples if len(sample) < BARCODE_LENGTH]
        if short:
            raise InputError(f"--group barcode12: {len(short)} ids have fewer than 12 characters ({examples(short)})")
        return np.asarray([sample[:BARCODE_LENGTH] for sample in samples], dtype=str)
    if group not in given:
        raise InputError(f"{name}: no column {group!r} for --group (there: {examples(given.columns, 10)})")
    absent = missing_label(given[group]).to_numpy()
    if absent.any():
        raise InputError(f"{name}: {absent.sum()} samples have no {group} ({examples(samples[absent])})")
    return np.asarray(as_written(given[group]), dtype=str)


def _unknown_samples(expression: ExpressionFile, table: pd.DataFrame, unknown: NDArray[np.str_], name: str) -> str:
    turned = set(map(str, table.index)) & set(expression.genes)
    if len(unknown) == len(expression.samples) and turned:
        return (
            f"{expression.name}: columns are samples ({examples(sorted(turned))}) and rows genes; turn it with "
            "--transpose"
        )
    hint = "add them, or remove them from the expression file" if len(unknown) < len(expression.samples) else (
        f"its ids look like {examples(table.index)}; with several samples per patient use --group"
    )  # fmt: skip
    return f"{expression.name}: {len(unknown)} samples are not in {name} ({examples(unknown)}); {hint}"


def _with_folds(tables: Tables, finest: str, site_column: str | None) -> pd.DataFrame:
    """The samples' clinical rows with the part of each patient."""
    known = ~missing_label(tables.people[finest]).to_numpy()
    people = tables.people[known]
    owners = pd.Series(tables.groups_of_people[known], index=people.index)
    sites = None
    clinical = tables.clinical.copy()
    if site_column is not None:
        sites, clinical[site_column] = (
            column.where(~missing_label(column), NOT_RECORDED).astype(str)
            for column in (people[site_column], clinical[site_column])
        )
    parts = assign_parts(owners, people[finest], sites)
    of_group = parts.set_axis(pd.Index(owners), axis=0)
    of_group = of_group[~of_group.index.duplicated()].reindex(tables.groups)
    return clinical.assign(**{column: of_group[column].to_numpy() for column in of_group})


def _align_patches(given: PatchFile, tables: Tables) -> tuple[Ragged, NDArray[np.bool_], list[Note]]:
    """Patches in the order of the samples (their draw order), who has any, and whose patches are not used."""
    samples, groups = tables.expression.samples, tables.groups
    donors = np.asarray([donor_of(sample) or sample for sample in samples.tolist()], dtype=str)
    people = tables.people.index.to_numpy(dtype=str)
    known = np.concatenate([samples, groups, donors, people, tables.groups_of_people])
    unknown = given.ids[~np.isin(given.ids, known)]
    if len(unknown):
        raise InputError(
            f"{given.name}: patches of {len(unknown)} unknown patients ({examples(unknown)}); they are neither in "
            f"the expression (ids such as {samples[0]}) nor in the clinical table; name the patient of each slide with "
            "--slides-table FILE (columns slide and patient), or that of each sample with --group"
        )
    place = {name: row for row, name in enumerate(given.ids.tolist())}
    rows = np.asarray(
        [
            place.get(sample, place.get(group, place.get(donor, -1)))
            for sample, group, donor in zip(samples.tolist(), groups.tolist(), donors.tolist(), strict=True)
        ],
        dtype=np.intp,
    )
    unused = given.ids[np.setdiff1d(np.arange(len(given.ids)), rows)]
    padded = Ragged(given.patches.values, np.append(given.patches.offsets, given.patches.offsets[-1:]))
    aligned = padded.take(rows)
    regions = take_rows(given.region_ids, padded, rows)
    ordered = in_draw_order(aligned, samples, None if regions is None else regions.tolist())
    dropped = [Note.of("patches of patients without expression", unused)] if len(unused) else []
    if given.empty:
        dropped.append(Note.of("slides without a region", given.empty))
    dropped += given.notes
    return ordered, np.asarray(aligned.counts > 0), dropped

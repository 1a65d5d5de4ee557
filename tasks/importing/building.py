"""Building a cohort from a user's files."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from gexbench.tasks.cards.card import label_leak
from gexbench.tasks.cohorts.cohort import TEXT_VARIANTS, Cohort, Ragged
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.anndata_files import has_image_rows
from gexbench.tasks.files.gene_columns import FOLD_COLUMNS
from gexbench.tasks.files.notes import Note, as_json
from gexbench.tasks.files.reading import ExpressionFile, read_clinical, read_expression
from gexbench.tasks.files.table_rules import AS_IT_IS, TableRules
from gexbench.tasks.importing.alignment import Aligned, Missing, Tables, align, combine, finest_first
from gexbench.tasks.importing.duplicates import Duplicates, unique_clinical, unique_expression
from gexbench.tasks.importing.expression_problems import expression_problems
from gexbench.tasks.importing.label_problems import class_problems
from gexbench.tasks.importing.label_text import alike, trimmed_note, without
from gexbench.tasks.importing.patch_files import PatchFile, read_patches
from gexbench.tasks.importing.patients import Normals, repeated_patients
from gexbench.tasks.importing.samples import normals_settled, twins_settled
from gexbench.tasks.importing.slide_rules import KINDS
from gexbench.tasks.importing.twins import Twins
from gexbench.tasks.importing.values import Scale, doubt, in_unit
from gexbench.tasks.names import checked_name
from gexbench.tasks.text.clinical_text import FIELDS, clinical_texts, plain_name, text_columns, unrecorded_fields
from gexbench.tasks.text.text_encoders import checked_encoder, encode, public_name

DEFAULT_LABELS = ("project", "primary_site", "disease_type")
DEFAULT_SITE = "tss"
NO_TEXT = "none"
Report = Callable[[str, int, int], None]
"""Called with the stage, the work done in it and its total."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sources:
    """Sources of a cohort.

    Attributes:
        name: name of the cohort.
        expression: see `reading.read_expression`; None where `assemble` is given the tables.
        unit: unit of the expression; None takes the one an .h5ad states in `uns["unit"]`.
        clinical: table of samples or patients, or None when the labels are columns of the expression file.
        patches: .npz, .h5mu or a folder of slides; None takes those of an expression file that holds them.
        labels: label columns; None takes those of `project`, `primary_site`, `disease_type` that exist.
        group: None (a sample is a patient, which is checked), or see `alignment.combine`.
        duplicates: what to do with an id that a file lists twice: `error`, keep the `first`, or the `mean` of the
            expression (of other files the first).
        missing: `drop` samples without patches (or, with labels in the expression file, without a clinical row), or
            keep them with everything masked (every field of the text not recorded).
        site_column: column of the tissue-source site; None takes `tss` where it exists.
        text_encoder: see `text_encoders.encode`; `none` for no text.
        table: how the expression file is to be read.
        scale: scale of its values, if it is not that of the unit; they are converted.
        clip: whether values below the unit's floor are raised to it.
        twins: profiles that stand under several ids: `error`, `drop` the copies, or `keep` them as one patient.
        normals: normal tissue among the tumours of a class: None stops, `drop`, `label` gives it classes of its own,
            `keep` leaves the labels.
        slide_kinds: kinds of slides that count, see `slide_rules`.
        slides_table: table of slide and patient.
    """

    name: str
    expression: Path | None
    unit: str | None = None
    clinical: Path | None = None
    patches: Path | None = None
    labels: tuple[str, ...] | None = None
    group: str | None = None
    duplicates: Duplicates = "error"
    missing: Missing = "drop"
    site_column: str | None = None
    text_encoder: str = "hashed"
    table: TableRules = AS_IT_IS
    scale: Scale | None = None
    clip: bool = False
    twins: Twins = "error"
    normals: Normals | None = None
    slide_kinds: tuple[str, ...] = KINDS
    slides_table: Path | None = None


def build_cohort(sources: Sources, report: Report | None = None) -> Cohort:
    """Read, check and align the files, deal the folds, encode the texts. Nothing is written.

    Raises:
        InputError: everything that is wrong with the files, with counts and examples.
    """
    say = report or (lambda stage, done, total: None)
    problems: list[str] = []
    _try(lambda: checked_name(sources.name, "cohort"), problems)
    if sources.text_encoder != NO_TEXT:
        _try(lambda: checked_encoder(sources.text_encoder), problems)
    stated = sources.unit
    unit = None if stated is None else _try(lambda: Unit(stated), problems)
    expression, clinical, patches = _read(sources, say, problems)
    sources = _as_stated(sources, expression)
    if (found := expression) is not None and stated is None:
        unit = _try(lambda: _stated_unit(found), problems)
    if expression is not None:
        expression, wrong = checked_values(sources, unit, expression)
        problems += wrong
    if problems or expression is None or unit is None:
        raise InputError(problems)
    return assemble(sources, unit, expression, clinical, patches, report)


def checked_values(sources: Sources, unit: Unit | None, expression: ExpressionFile) -> tuple[ExpressionFile, list[str]]:
    """The expression in its unit, and what is wrong with its values.

    Args:
        sources: scale and clipping.
        unit: of the result, None where it is not known.
        expression: as read.
    """
    problems: list[str] = []
    if unit is not None:
        given = expression
        expression = _try(lambda: in_unit(given, unit, sources.scale, clip=sources.clip), problems) or given
    if problems:
        return expression, problems
    problems += expression_problems(expression, unit)
    if unit is not None and not problems and sources.scale is None:
        problems += doubt(expression, unit)
    return expression, problems


def assemble(
    sources: Sources,
    unit: Unit,
    expression: ExpressionFile,
    clinical: pd.DataFrame | None = None,
    patches: PatchFile | None = None,
    report: Report | None = None,
) -> Cohort:
    """The cohort of tables that were read and checked: align them, deal the folds, encode the texts.

    Args:
        sources: the rules; of its files only the names count, and those that are None are not in the provenance.
        unit: unit of the expression.
        expression: each sample once, values finite and not below the unit's floor.
        clinical: see `alignment.combine`.
        patches: of patients that the expression or the clinical table knows.
        report: called with the stages.

    Raises:
        InputError: labels, sites or groups that are not there, too small classes.
    """
    say = report or (lambda stage, done, total: None)
    say("align", 0, 1)
    if sources.table.absent:
        expression = replace(expression, columns=without(expression.columns, sources.table.absent))
        clinical = None if clinical is None else without(clinical, sources.table.absent)
    aligned, site = _aligned(sources, expression, clinical, patches)
    say("align", 1, 1)
    text = _encoded(aligned, sources, say)
    cohort = Cohort(
        name=sources.name,
        unit=unit,
        expression=aligned.expression,
        genes=aligned.genes,
        samples=aligned.samples,
        groups=aligned.groups,
        clinical=aligned.clinical,
        label_columns=aligned.label_columns,
        patches=aligned.patches,
        text=text,
        site_column=site,
        provenance={},
        counts=aligned.counts,
    )
    leak = label_leak(cohort, partial(say, "label leak of the texts"))
    provenance = _provenance(sources, cohort, aligned, leak)
    if expression.stated.get("kind") == "cohort":
        provenance["exported"] = {key: expression.stated.get(key) for key in ("name", "fingerprint", "provenance")}
    return replace(cohort, provenance=provenance)


def _patches_of(sources: Sources) -> Path | None:
    """The file of the patches: the one that was given, else a MuData file of the expression that holds some."""
    path = sources.expression
    if sources.patches is None and path is not None and path.suffix == ".h5mu" and has_image_rows(path):
        return path
    return sources.patches


def _as_stated(sources: Sources, expression: ExpressionFile | None) -> Sources:
    """Rules that were not given, as the file of an exported cohort states them, where its columns are there."""
    if expression is None or sources.clinical is not None or expression.stated.get("kind") != "cohort":
        return sources
    stated, columns = expression.stated, set(expression.columns.columns)
    labels = tuple(map(str, stated.get("label_columns") or ()))
    group, site = stated.get("group"), stated.get("site_column")
    return replace(
        sources,
        labels=sources.labels or (labels if labels and columns.issuperset(labels) else None),
        group=sources.group or (group if group in columns else None),
        site_column=sources.site_column or (site if site in columns else None),
    )


def _try(make: Callable[[], T], problems: list[str]) -> T | None:
    try:
        return make()
    except InputError as error:
        problems += error.problems
        return None


def _stated_unit(expression: ExpressionFile) -> Unit:
    if expression.unit is None:
        raise InputError(f"{expression.name}: the unit is unknown; state it, for example with --unit 'log2(rsem+1)'")
    return Unit(expression.unit)


def _read(
    sources: Sources, say: Report, problems: list[str]
) -> tuple[ExpressionFile | None, pd.DataFrame | None, PatchFile | None]:
    labels = sources.labels or DEFAULT_LABELS
    fields = [column for variant in FIELDS.values() for field in variant for column in field.columns]
    deciding = {*labels, sources.site_column or DEFAULT_SITE, *([sources.group] if sources.group else [])}
    others = {*deciding, *fields, *FOLD_COLUMNS}
    expression, clinical, patches = None, None, None
    if sources.expression is None:
        problems.append(f"cohort {sources.name}: no expression file given")
    else:
        path = sources.expression
        say("read expression", 0, 1)
        expression = _try(
            lambda: _unique(read_expression(path, others, sources.table, deciding), sources, deciding), problems
        )
        say("read expression", 1, 1)
    if sources.clinical is not None:
        path = sources.clinical
        say("read clinical table", 0, 1)
        clinical = _try(lambda: _clinical(path, sources, deciding), problems)
        say("read clinical table", 1, 1)
    if (of_patches := _patches_of(sources)) is not None:
        say("read patches", 0, 1)
        patches = _try(
            lambda: read_patches(of_patches, sources.duplicates, sources.slide_kinds, sources.slides_table), problems
        )
        say("read patches", 1, 1)
    return expression, clinical, patches


def _clinical(path: Path, sources: Sources, deciding: Collection[str]) -> pd.DataFrame:
    table = read_clinical(path, deciding, sources.table)
    return unique_clinical(table, path.name, sources.duplicates, deciding)


def _unique(expression: ExpressionFile, sources: Sources, deciding: Collection[str]) -> ExpressionFile:
    return unique_expression(expression, sources.duplicates, deciding, sources.unit)


def _aligned(
    sources: Sources, expression: ExpressionFile, clinical: pd.DataFrame | None, patches: PatchFile | None
) -> tuple[Aligned, str | None]:
    clinical_name = sources.clinical.name if sources.clinical else expression.name
    tables = combine(expression, clinical, sources.group, clinical_name, sources.labels or ())
    columns = tables.clinical.columns
    labels = _matched(sources.labels, columns) or tuple(label for label in DEFAULT_LABELS if label in columns)
    site = sources.site_column or (DEFAULT_SITE if DEFAULT_SITE in columns else None)
    missing = [label for label in labels if label not in columns]
    problems = []
    if missing or not labels:
        problems.append(
            f"{clinical_name}: no label column {examples(missing or DEFAULT_LABELS)}; name columns with --labels "
            f"(there: {examples(columns, 12) or 'none'})"
        )
    if len(set(labels)) != len(labels):
        problems.append(f"--labels {','.join(labels)}: a column is listed twice")
    if site is not None and site not in columns:
        problems.append(f"{clinical_name}: no site column {site!r} (there: {examples(columns, 12) or 'none'})")
    if sources.group is None:
        problems += repeated_patients(tables.expression.samples, tables.clinical, expression.name)
    if problems:
        raise InputError(problems)
    tables, notes = _settled(sources, tables, labels, site)
    aligned = align(tables, labels, patches, site, sources.missing)
    aligned = replace(aligned, dropped=(*expression.notes, *notes, *aligned.dropped))
    if not len(aligned.samples):
        said = "; ".join(f"{item.count}: {item.reason} ({examples(item.ids)})" for item in aligned.dropped)
        raise InputError(f"{sources.name}: no samples left ({said}); check that the files describe the same patients")
    if problems := class_problems(aligned, sources.name, typed=sources.labels is not None):
        raise InputError(problems)
    return aligned, site


def _matched(labels: tuple[str, ...] | None, columns: Collection[str]) -> tuple[str, ...]:
    """The label columns that were named, as the table writes them: in any case, with a hub's suffix or without."""
    names = {plain_name(column): column for column in reversed(list(columns))}
    return tuple(label if label in columns else names.get(plain_name(label), label) for label in labels or ())


def _settled(sources: Sources, tables: Tables, labels: tuple[str, ...], site: str | None) -> tuple[Tables, list[Note]]:
    """The tables with labels as text, normal tissue and copies dealt with as the user says, and notes on it."""
    notes = trimmed_note(tables.clinical, labels)
    tables = tables.written((*labels, *([site] if site and site not in labels else [])))
    notes += alike(tables.people, labels)
    finest = finest_first(tables.people, labels)[0]
    tables, found = normals_settled(tables, labels, finest, sources.normals)
    notes += found
    tables, found = twins_settled(tables, finest, sources.twins)
    return tables, notes + found


def _encoded(aligned: Aligned, sources: Sources, say: Report) -> dict[str, Ragged]:
    encoded: dict[str, Ragged] = {}
    if sources.text_encoder == NO_TEXT:
        return encoded
    for variant in TEXT_VARIANTS:
        if text_columns(aligned.clinical, variant):
            stage = f"encode text ({variant})"
            texts = clinical_texts(aligned.clinical, variant)
            encoded[variant] = encode(texts, sources.text_encoder, partial(say, stage))
    return encoded


def _provenance(
    sources: Sources, cohort: Cohort, aligned: Aligned, leak: dict[str, dict[str, float]]
) -> dict[str, Any]:
    """JSON-able facts; file names without their folders."""
    files = {"expression": sources.expression, "clinical": sources.clinical, "patches": sources.patches}
    return {
        "kind": "imported",
        "version": version("gexbench"),
        "files": {role: _file_facts(path) for role, path in files.items() if path is not None},
        "group": sources.group,
        "duplicates": sources.duplicates,
        "missing": sources.missing,
        "dropped": as_json(aligned.dropped),
        "text": {
            "encoder": public_name(sources.text_encoder) if cohort.text else None,
            "columns": {variant: list(text_columns(cohort.clinical, variant)) for variant in cohort.text},
            "label_leak": leak,
            "lacking": list(unrecorded_fields(cohort.clinical)),
        },
    }


def _file_facts(path: Path) -> dict[str, Any]:
    """Name, size and SHA-256 of a file; of a folder of slides or of arrays the SHA-256 over those of its files."""
    inside = path.rglob("*") if path.suffix == ".zarr" else path.glob("*.h5")
    parts = sorted(part for part in inside if part.is_file()) if path.is_dir() else [path]
    digests = []
    for part in parts:
        with part.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    whole = hashlib.sha256("".join(digests).encode()).hexdigest() if path.is_dir() else digests[0]
    return {"name": path.name, "bytes": sum(part.stat().st_size for part in parts), "sha256": whole}

"""Clinical tables by patient: the GDC cases API's JSON, and Xena's phenotype tables."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.delimited import dialect_of, read_text_table
from gexbench.tasks.files.gene_columns import FOLD_COLUMNS
from gexbench.tasks.files.text_files import opened
from gexbench.tasks.importing.barcodes import barcode, patient_of
from gexbench.tasks.text.clinical_text import FIELDS, plain_name

DAYS_PER_YEAR = 365.25
_RENAMED = {
    "cancer type abbreviation": "project",
    "_primary_disease": "disease_name",
    "_primary_site": "primary_site",
    "primary disease or tissue": "disease_name",
    "ajcc_pathologic_tumor_stage": "ajcc_stage",
}
"""Xena's columns that other sources name otherwise."""
_HUB = {"project_id.project": "project", "name.project": "disease_name", "code.tissue_source_site": "tss"}
"""Columns of the GDC hub whose plain name says too little."""
_PORTAL_ID = {"case_submitter_id", "cases.submitter_id"}
_SHORT = re.compile(r".*\((?P<project>[A-Z0-9]+)\)")
_DEMOGRAPHIC = ("gender", "sex_at_birth", "race", "ethnicity", "vital_status", "days_to_death", "age_at_index")
"""`sex_at_birth` came with data dictionary 3.4.4; 4.0.3 removed `gender`."""
_DIAGNOSIS = (
    "primary_diagnosis", "ajcc_pathologic_stage", "ajcc_clinical_stage", "tumor_stage", "tumor_grade", "morphology",
    "prior_treatment", "prior_malignancy", "synchronous_malignancy", "site_of_resection_or_biopsy",
    "tissue_or_organ_of_origin", "days_to_last_follow_up", "year_of_diagnosis",
)  # fmt: skip


def read_gdc_cases(paths: Sequence[Path]) -> pd.DataFrame:
    """One row per patient from the cases endpoint's responses, or from a cart's clinical JSON or `clinical.tsv`.

    `project` is the short name (`TCGA-LUAD` → `LUAD`), `age` in years at diagnosis, `tss` the tissue-source site. Of
    several diagnoses the one marked as primary counts, else the first.

    Raises:
        InputError: no JSON of cases, a patient twice.
    """
    rows: list[dict[str, Any]] = []
    for path in paths:
        rows += [_read_case(case, path.name) for case in json_hits(path)] if path.suffix == ".json" else _portal(path)
    return _by_patient(pd.DataFrame(rows), _joined_name(paths))


def read_xena_phenotypes(paths: Sequence[Path], as_text: Sequence[str] = ()) -> pd.DataFrame:
    """One row per patient from phenotype tables by sample: that of the primary tumour, else the patient's first.

    Columns of the GDC hub (`gender.demographic`, `project_id.project`) get the names that other sources use.

    Args:
        paths: tab-separated tables, packed or not, in UTF-8 or Windows-1252.
        as_text: columns that stay as written, such as labels.

    Raises:
        InputError: tables without TCGA samples, or in which patients overlap.
    """
    tables = [_phenotype(path, as_text) for path in paths]
    return _by_patient(pd.concat(tables), _joined_name(paths))


def json_hits(path: Path) -> list[dict[str, Any]]:
    """The objects of a GDC response (`data.hits`) or of a list; empty for JSON that is neither.

    Raises:
        InputError: no JSON; a response without hits, or that says there are more than it holds.
    """
    try:
        with opened(path) as file:
            content = json.loads(file.read())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not a JSON file, perhaps truncated ({error}); download it again") from None
    page: Any = content.get("data") if isinstance(content, dict) else {"hits": content}
    hits = page.get("hits") if isinstance(page, dict) else None
    if not isinstance(hits, list) or not all(isinstance(hit, dict) for hit in hits):
        return []
    if not hits and isinstance(content, dict):
        raise InputError(f"{path.name}: a response without hits: the query matched nothing; change the query")
    pagination = page.get("pagination")
    total = pagination.get("total", len(hits)) if isinstance(pagination, dict) else len(hits)
    if total != len(hits):
        raise InputError(f"{path.name}: holds {len(hits)} of {total} hits; request all of them with a larger size")
    return hits


def _read_case(case: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        return _case(case, name)
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"{name}: case {case.get('submitter_id')}: a field does not have the GDC's format ({error}); download it "
            "again"
        ) from None


def _case(case: Mapping[str, Any], name: str) -> dict[str, Any]:
    patient = case.get("submitter_id")
    if not isinstance(patient, str):
        raise InputError(f"{name}: a case without submitter_id; request the field submitter_id from the cases endpoint")
    project = case.get("project") or {}
    demographic = case.get("demographic") or {}
    diagnosis = _primary(case.get("diagnoses") or [])
    days = diagnosis.get("age_at_diagnosis")
    row: dict[str, Any] = {
        "patient": patient,
        "project": str(project.get("project_id", "")).removeprefix("TCGA-") or None,
        "disease_name": project.get("name"),
        "primary_site": case.get("primary_site"),
        "disease_type": case.get("disease_type"),
        "age": None if days is None else float(np.floor(float(days) / DAYS_PER_YEAR)),
        "tss": (case.get("tissue_source_site") or {}).get("code"),
    }
    row |= {field: demographic.get(field) for field in _DEMOGRAPHIC}
    return row | {field: diagnosis.get(field) for field in _DIAGNOSIS}


def _primary(diagnoses: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    marked: Callable[[Mapping[str, Any]], bool] = lambda one: (  # noqa: E731
        one.get("diagnosis_is_primary_disease") in (True, "true")
        or str(one.get("classification_of_tumor")).lower() == "primary"
    )
    return next((one for one in diagnoses if marked(one)), diagnoses[0] if diagnoses else {})


def hub_names(labels: Sequence[str] | None) -> tuple[str, ...] | None:
    """Labels with the GDC hub's names of columns turned into those that the table gets."""
    return None if labels is None else tuple(_HUB.get(label, label) for label in labels)


def describes_patients(header: Sequence[str]) -> bool:
    """Whether a table's header names a field of the clinical text or a project, which a survival table does not."""
    known = {name for field in FIELDS["full"] for name in field.columns} | {*_RENAMED, *_HUB.values(), "_cohort"}
    return any(name in known or plain_name(name) in known for name in header)


def is_portal_table(header: Sequence[str]) -> bool:
    """Whether a header is that of the GDC portal's `clinical.tsv`, old or new."""
    return bool(_PORTAL_ID & set(header)) and any(plain_name(name) == "age_at_index" for name in header)


def _stated(value: Any) -> Any:
    """A field of the portal's tables, None for its sign of absence."""
    text = value.strip() if isinstance(value, str) else value
    return None if text in ("'--", "--") else text


def _portal(path: Path) -> list[dict[str, Any]]:
    """A row per case of the portal's `clinical.tsv`, which has one per treatment: the primary diagnosis' first row."""
    table, _ = read_text_table(path, dialect_of(path).header)
    table = table.rename(columns=plain_name).map(_stated)
    patient = next(name for name in ("case_submitter_id", "submitter_id") if name in table)
    rows = []
    for name, found in table.loc[:, ~table.columns.duplicated()].groupby(patient, sort=False):
        marked = (
            found[found["diagnosis_is_primary_disease"] == "true"] if "diagnosis_is_primary_disease" in found else found
        )
        one = (marked if len(marked) else found).iloc[0].to_dict()
        one = {key: value if isinstance(value, str) else None for key, value in one.items()}
        diagnosis = {"age_at_diagnosis": one.get("age_at_diagnosis")} | {key: one.get(key) for key in _DIAGNOSIS}
        case = {
            "submitter_id": str(name), "project": {"project_id": one.get("project_id") or ""},
            "primary_site": one.get("primary_site"), "disease_type": one.get("disease_type"), "demographic": one,
            "diagnoses": [diagnosis],
        }  # fmt: skip
        rows.append(_read_case(case, path.name))
    return rows


def _phenotype(path: Path, as_text: Sequence[str]) -> pd.DataFrame:
    dialect = dialect_of(path)
    table, _ = read_text_table(
        path, {dialect.header[0], *as_text, *(name for name, new in _HUB.items() if new in as_text)}
    )
    renamed = {old: new for old, new in _RENAMED.items() if new not in table}
    known = {*_DEMOGRAPHIC, *_DIAGNOSIS, *(name for field in FIELDS["full"] for name in field.columns)}
    for column in table.columns[1:]:
        plain = _HUB.get(column, plain_name(column))
        if "." in column and plain not in table and (plain in known or column in _HUB):
            renamed[column] = plain
    table = table.rename(columns=lambda name: renamed.get(name, str(name).replace("/", " or ")))
    table = table.drop(columns=[name for name in table if name in FOLD_COLUMNS])
    if "project" in table and "project" in renamed.values():
        table["project"] = table["project"].str.removeprefix("TCGA-")
    samples = table.iloc[:, 0].astype(str).str.strip()
    patients = samples.map(patient_of)
    if patients.isna().all():
        raise InputError(f"{path.name}: no TCGA sample in the first column ({examples(samples)})")
    if "project" not in table and "_cohort" in table:
        table["project"] = table["_cohort"].astype(str).str.extract(_SHORT)["project"]
    table = table.assign(patient=patients, _place=samples.map(_place)).dropna(subset=["patient"])
    if problems := _contradictions(table, path.name):
        raise InputError(problems)
    table = table.sort_values("_place", kind="stable").drop_duplicates("patient").sort_index()
    return table.drop(columns=[str(samples.name), "_place"])


def _contradictions(table: pd.DataFrame, name: str) -> list[str]:
    """Samples in rows that are not equal, and patients of several projects; equal rows count once."""
    sample = table.columns[0]
    unlike = table[~table.duplicated()]
    twice = unlike[sample][unlike[sample].duplicated()].unique()
    problems = []
    if len(twice):
        rows = unlike[unlike[sample] == twice[0]]
        differing = [str(column) for column in rows if len(rows[column].unique()) > 1]
        said = f"{twice[0]}: {differing[0]} {' and '.join(map(str, rows[differing[0]].unique()))}"
        problems.append(
            f"{name}: {len(twice)} samples have several rows that differ ({examples(twice)}; {said}); keep the "
            "correct row of each"
        )
    if "project" in table:
        projects = table.groupby("patient", sort=False)["project"].unique()
        several = {patient: found for patient, found in projects.items() if len(found[~pd.isna(found)]) > 1}
        if several:
            said = examples(f"{patient}: {' and '.join(map(str, found))}" for patient, found in several.items())
            problems.append(
                f"{name}: {len(several)} patients belong to several projects ({said}); keep the correct one"
            )
    return problems


def _place(sample: str) -> str:
    found = barcode(sample)
    return found.type if found else "99"


def _by_patient(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if not len(table):
        raise InputError(f"{name}: the clinical table has no rows")
    twice = table["patient"][table["patient"].duplicated()].unique()
    if len(twice):
        raise InputError(
            f"{name}: {len(twice)} patients appear more than once ({examples(twice)}); choose the table with --clinical"
        )
    indexed = table.set_index("patient").rename_axis(None)
    ids = indexed.index.to_series()
    site = ids.str[5:7].where(ids.str.startswith("TCGA-"))
    indexed["tss"] = indexed["tss"].where(indexed["tss"].notna(), site) if "tss" in indexed else site
    return indexed.dropna(axis=1, how="all")


def _joined_name(paths: Sequence[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{len(paths)} clinical tables"

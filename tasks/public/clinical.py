"""Clinical tables by patient: the GDC cases API's JSON, and Xena's phenotype tables."""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.reading import FOLD_COLUMNS, check_short_rows
from gexbench.tasks.importing.barcodes import barcode, patient_of
from gexbench.tasks.public.input_files import opened

DAYS_PER_YEAR = 365.25
_RENAMED = {
    "cancer type abbreviation": "project",
    "_primary_disease": "disease_name",
    "_primary_site": "primary_site",
    "ajcc_pathologic_tumor_stage": "ajcc_stage",
}
"""Xena's columns that other sources name otherwise."""
_SHORT = re.compile(r".*\((?P<project>[A-Z0-9]+)\)")
_DEMOGRAPHIC = ("gender", "sex_at_birth", "race", "ethnicity", "vital_status", "days_to_death", "age_at_index")
"""`sex_at_birth` came with data dictionary 3.4.4; 4.0.3 removed `gender`."""
_DIAGNOSIS = (
    "primary_diagnosis", "ajcc_pathologic_stage", "ajcc_clinical_stage", "tumor_stage", "tumor_grade", "morphology",
    "prior_treatment", "prior_malignancy", "synchronous_malignancy", "site_of_resection_or_biopsy",
    "tissue_or_organ_of_origin", "days_to_last_follow_up", "year_of_diagnosis",
)  # fmt: skip


def read_gdc_cases(paths: Sequence[Path]) -> pd.DataFrame:
    """One row per patient from the cases endpoint's responses, or from a cart's clinical JSON.

    `project` is the short name (`TCGA-LUAD` → `LUAD`), `age` in years at diagnosis, `tss` the tissue-source site. Of
    several diagnoses the one marked as primary counts, else the first.

    Raises:
        InputError: no JSON of cases, a patient twice.
    """
    rows = [_read_case(case, path.name) for path in paths for case in json_hits(path)]
    return _by_patient(pd.DataFrame(rows), _joined_name(paths))


def read_xena_phenotypes(paths: Sequence[Path]) -> pd.DataFrame:
    """One row per patient from phenotype tables by sample: that of the primary tumour, else the patient's first.

    Raises:
        InputError: tables without TCGA samples, or in which patients overlap.
    """
    tables = [_phenotype(path) for path in paths]
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


def _phenotype(path: Path) -> pd.DataFrame:
    table = _phenotype_table(path)
    renamed = {old: new for old, new in _RENAMED.items() if new not in table}
    table = table.rename(columns=lambda name: renamed.get(name, str(name).replace("/", " or ")))
    table = table.drop(columns=[name for name in table if name in FOLD_COLUMNS])
    samples = table.iloc[:, 0].astype(str)
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


def _phenotype_table(path: Path) -> pd.DataFrame:
    """The tab-separated table as text and numbers; rows that are longer or shorter than the header are refused."""
    try:
        with opened(path) as file:
            table = pd.read_csv(file, sep="\t", dtype={0: str}, low_memory=False, encoding="utf-8-sig")
        if len(table) and table.iloc[:, -1].isna().any():
            with opened(path) as file:
                check_short_rows((line.decode("utf-8-sig") for line in file), "\t", path.name)
    except (ValueError, UnicodeDecodeError, csv.Error) as error:  # pandas' parser errors are ValueErrors
        raise InputError(f"{path.name}: not a tab-separated table ({' '.join(str(error).split())})") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise InputError(
            f"{path.name}: rows have more fields than the header ({len(table.columns)}); give every column a name"
        )
    return table


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
    site = indexed.index.to_series().str[5:7]
    indexed["tss"] = indexed["tss"].where(indexed["tss"].notna(), site) if "tss" in indexed else site
    return indexed.dropna(axis=1, how="all")


def _joined_name(paths: Sequence[Path]) -> str:
    return paths[0].name if len(paths) == 1 else f"{len(paths)} clinical tables"

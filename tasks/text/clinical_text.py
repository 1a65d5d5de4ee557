"""Clinical text of a patient: one sentence per field, in two variants.

Both are white lists. Tissue-source site, barcodes, expression source and outcomes are in neither. Every field always
has its sentence; what is missing reads "not recorded", so that absence looks like a value.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gexbench.tasks.names import unknown

NOT_RECORDED = "not recorded"
_OLDEST = 120
_ABSENT = re.compile(r"\[.*\]|'?--|nan|na|n/a|none|unknown|not (?:reported|recorded|available|applicable|evaluated)")
_PREFIX = re.compile(r"^(?:cases|demographic|diagnoses|project|exposures|treatments)\.")
_SUFFIX = re.compile(
    r"\.(?:demographic|diagnoses|project|exposures|treatments(?:\.diagnoses)?|tissue_source_site|samples)$"
)
_STAGE = re.compile(r"(IV|III|II|I|[1-4])(?:[ABC]\d?)?")
_NUMERALS = {"1": "I", "2": "II", "3": "III", "4": "IV"}
_SEXES = {"m": "male", "f": "female", "man": "male", "woman": "female"}


def _as_given(value: str) -> str:
    return value


def _lower(value: str) -> str:
    return value.lower()


def _sex(value: str) -> str:
    return _SEXES.get(value.lower(), value.lower())


def _stage(value: str) -> str:
    """`Stage IIA`, `stage iia` and `IIA` → `IIA`."""
    return re.sub(r"^STAGE\s+", "", value.upper())


def _main_stage(value: str) -> str:
    """`Stage IIA` → `II`; anything but stages I to IV is not recorded."""
    found = _STAGE.fullmatch(_stage(value))
    return _NUMERALS.get(found[1], found[1]) if found else NOT_RECORDED


def _age_decade(value: str) -> str:
    """Years → `60 to 69 years`; anything but 0 to 120 is not recorded."""
    try:
        years = float(value)
    except ValueError:
        return NOT_RECORDED
    if not 0 <= years <= _OLDEST:
        return NOT_RECORDED
    decade = int(years // 10) * 10
    return f"{decade} to {decade + 9} years"


@dataclass(frozen=True, slots=True)
class Field:
    """One sentence: its title, the columns it is read from (the first recorded value counts) and its wording."""

    title: str
    columns: tuple[str, ...]
    wording: Callable[[str], str] = _as_given


_STAGE_COLUMNS = ("ajcc_stage", "ajcc_pathologic_stage", "pathologic_stage", "clinical_stage", "ajcc_clinical_stage",
                  "ajcc_pathologic_tumor_stage", "gdc_tumor_stage", "tumor_stage", "stage")  # fmt: skip
_AGE = Field(
    "Age at diagnosis", ("age_diagnosed", "age_at_initial_pathologic_diagnosis", "age_at_index", "age"), _age_decade
)
_SEX = Field("Sex", ("gender", "sex", "sex_at_birth"), _sex)
_RACE = Field("Race", ("race",), _lower)

FIELDS: Mapping[str, tuple[Field, ...]] = {
    "full": (
        Field("Diagnosis", ("disease_name", "diagnosis", "primary_diagnosis", "cancer_type")),
        Field("Primary site", ("primary_site", "site_of_resection_or_biopsy", "tissue_or_organ_of_origin")),
        Field("Disease type", ("disease_type",)),
        Field("Histology", ("histological_type", "histology", "histologic_diagnosis")),
        Field("Stage", _STAGE_COLUMNS, _stage),
        Field("Grade", ("histological_grade", "neoplasm_histologic_grade", "tumor_grade", "grade")),
        _AGE,
        _SEX,
        _RACE,
        Field("Prior treatment", ("gdc_prior_treatment", "prior_treatment"), _lower),
    ),
    "plain": (_AGE, _SEX, _RACE, Field("Stage", _STAGE_COLUMNS, _main_stage)),
}
"""Variant → its white list, in the order of the sentences; the fields that say most of the tumour come first."""


def clinical_texts(clinical: pd.DataFrame, variant: str) -> list[str]:
    """One text per row, such as `Diagnosis: glioblastoma multiforme. … Prior treatment: no.`

    Ages are in years. Values in square brackets ("[Unknown]"), blanks and the usual words for absence count as
    missing.

    Columns are found by their name as written, else in any case and with a hub's suffix (`plain_name`).

    Args:
        clinical: one row per sample; columns that no field names are not read.
        variant: `full` or `plain`.

    Raises:
        InputError: an unknown variant.
    """
    if variant not in FIELDS:
        raise unknown(variant, FIELDS, "text variant")
    names = _by_plain_name(clinical)
    sentences = [_sentences(clinical, field, _columns_of(clinical, field, names)) for field in FIELDS[variant]]
    return [" ".join(parts) for parts in zip(*sentences, strict=True)]


def text_columns(clinical: pd.DataFrame, variant: str = "full") -> tuple[str, ...]:
    """Columns of the table that the variant's text is written from, in the table's order."""
    names = _by_plain_name(clinical)
    read = {column for field in FIELDS[variant] for column in _columns_of(clinical, field, names)}
    return tuple(str(column) for column in clinical.columns if column in read)


def plain_name(column: object) -> str:
    """A column's name in lower case, without the words that a hub or portal puts around a field.

    `gender.demographic`, `demographic.gender`, `GENDER` → `gender`.
    """
    name = re.sub(r"[\s/]+", "_", str(column).strip().casefold()).lstrip("_")
    return _SUFFIX.sub("", _PREFIX.sub("", name))


def _by_plain_name(clinical: pd.DataFrame) -> dict[str, str]:
    """Plain name → the first column that has it."""
    found: dict[str, str] = {}
    for column in clinical.columns:
        found.setdefault(plain_name(column), column)
    return found


def _columns_of(clinical: pd.DataFrame, field: Field, names: Mapping[str, str]) -> list[str]:
    """The table's columns that a field is read from: those of its names, as written or else by their plain name."""
    found = [name if name in clinical else names.get(name) for name in field.columns]
    return list(dict.fromkeys(column for column in found if column is not None))


def unrecorded_fields(clinical: pd.DataFrame, variant: str = "full") -> tuple[str, ...]:
    """Titles of the variant's fields that no sample has a value for, in the order of the sentences."""
    names = _by_plain_name(clinical)
    return tuple(
        field.title
        for field in FIELDS[variant]
        if all(is_absent(clinical[column]).all() for column in _columns_of(clinical, field, names))
    )


def is_absent(values: pd.Series) -> pd.Series:
    """True where a value is missing or a word for absence, such as "[Not Evaluated]"; indexed like `values`."""
    categories = values.astype("category").cat
    absent = [bool(_ABSENT.fullmatch(str(name).strip().lower()) or not str(name).strip()) for name in
              categories.categories]  # fmt: skip
    return pd.Series(np.append(absent, True)[categories.codes].astype(bool), index=values.index)


def _sentences(clinical: pd.DataFrame, field: Field, columns: Sequence[str]) -> list[str]:
    value = pd.Series(np.nan, index=clinical.index, dtype=object)
    for column in columns:
        given = clinical[column].astype(object)
        value = value.where(value.notna(), given.where(~is_absent(given)))
    distinct = {given: _sentence(field, str(given)) for given in value.dropna().unique()}
    return [distinct.get(given, f"{field.title}: {NOT_RECORDED}.") for given in value]


def _sentence(field: Field, value: str) -> str:
    """Full stops inside a value become commas, so that a sentence ends where it seems to end."""
    worded = re.sub(r"\.\s+", ", ", " ".join(field.wording(" ".join(value.split())).split())).rstrip(". ")
    return f"{field.title}: {worded}."

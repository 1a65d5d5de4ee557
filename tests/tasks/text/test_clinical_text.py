"""Clinical text: wording, fallbacks, and what never appears."""

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.errors import InputError
from gexbench.tasks.text.clinical_text import clinical_texts, is_absent, text_columns, unrecorded_fields


def patient(**columns: object) -> pd.DataFrame:
    return pd.DataFrame([columns], index=["TCGA-05-4249"])


COMPLETE = patient(
    project="LUAD",
    disease_name="lung adenocarcinoma",
    primary_site="Bronchus and lung",
    disease_type="Adenomas and Adenocarcinomas",
    histological_type="Lung Adenocarcinoma- Not Otherwise Specified (NOS)",
    ajcc_stage="Stage IIB",
    histological_grade="G2",
    age_diagnosed=70.0,
    gender="Male",
    race="Black Or African American",
    gdc_prior_treatment="No",
    tss="05",
    expression_source="PORPOISE",
    vital_status="Dead",
    days_survived=1523.0,
)


def test_full_text() -> None:
    assert clinical_texts(COMPLETE, "full") == [
        "Diagnosis: lung adenocarcinoma. Primary site: Bronchus and lung. Disease type: Adenomas and Adenocarcinomas. "
        "Histology: Lung Adenocarcinoma- Not Otherwise Specified (NOS). Stage: IIB. Grade: G2. "
        "Age at diagnosis: 70 to 79 years. Sex: male. Race: black or african american. Prior treatment: no."
    ]


def test_plain_text_holds_four_fields_only() -> None:
    assert clinical_texts(COMPLETE, "plain") == [
        "Age at diagnosis: 70 to 79 years. Sex: male. Race: black or african american. Stage: II."
    ]


@pytest.mark.parametrize("variant", ["full", "plain"])
def test_absence_has_a_sentence_for_every_field(variant: str) -> None:
    empty = patient(race="[Unknown]", ajcc_stage=None, age_diagnosed=np.nan, histological_grade=" ")
    text = clinical_texts(empty, variant)[0]
    fields = {"full": 10, "plain": 4}[variant]
    assert text.count(": not recorded.") == text.count(": ") == fields


@pytest.mark.parametrize("variant", ["full", "plain"])
def test_sites_barcodes_sources_and_outcomes_never_change_a_text(variant: str) -> None:
    other = COMPLETE.assign(
        tss="99", expression_source="MetaGSCA", vital_status="Alive", days_survived=1.0, project="BRCA", dead=1
    ).set_axis(["TCGA-99-0001"])
    assert clinical_texts(other, variant) == clinical_texts(COMPLETE, variant)
    assert "TCGA" not in clinical_texts(COMPLETE, variant)[0]


@pytest.mark.parametrize(
    ("stage", "full", "plain"),
    [
        ("Stage IV", "IV", "IV"),
        ("stage iiic", "IIIC", "III"),
        ("Stage IA2", "IA2", "I"),
        ("Stage X", "X", "not recorded"),
        ("I/II NOS", "I/II NOS", "not recorded"),
        ("[Discrepancy]", "not recorded", "not recorded"),
    ],
)
def test_stage(stage: str, full: str, plain: str) -> None:
    table = patient(ajcc_stage=stage)
    assert f"Stage: {full}." in clinical_texts(table, "full")[0]
    assert f"Stage: {plain}." in clinical_texts(table, "plain")[0]


def test_stage_falls_back_row_by_row() -> None:
    table = pd.DataFrame(
        {
            "ajcc_stage": ["Stage I", None, None, None],
            "clinical_stage": ["Stage IV", "Stage II", "[Discrepancy]", None],
            "gdc_tumor_stage": ["stage iv", "stage iv", "stage iii", None],
        }
    )
    stages = [text.split("Stage: ")[1] for text in clinical_texts(table, "plain")]
    assert stages == ["I.", "II.", "III.", "not recorded."]


@pytest.mark.parametrize(("age", "worded"), [(9, "0 to 9 years"), (60.0, "60 to 69 years"), (69.99, "60 to 69 years"),
                                             (23456, "not recorded"), (-1, "not recorded")])  # fmt: skip
def test_age_decade(age: float, worded: str) -> None:
    assert clinical_texts(patient(age_diagnosed=age), "plain")[0].startswith(f"Age at diagnosis: {worded}.")


def test_full_stops_and_line_breaks_inside_values_do_not_end_a_sentence() -> None:
    text = clinical_texts(patient(histological_type="Carcinoma.  mixed\ntype."), "full")[0]
    assert "Histology: Carcinoma, mixed type. Stage:" in text


def test_rows_keep_their_order() -> None:
    table = pd.DataFrame({"gender": ["Male", "Female", None, "Male"]})
    sexes = [text.split("Sex: ")[1].split(".")[0] for text in clinical_texts(table, "plain")]
    assert sexes == ["male", "female", "not recorded", "male"]


def test_text_columns_and_unknown_variant() -> None:
    assert text_columns(COMPLETE, "plain") == ("ajcc_stage", "age_diagnosed", "gender", "race")
    assert "tss" not in text_columns(COMPLETE)
    with pytest.raises(InputError, match="did you mean 'full'"):
        clinical_texts(COMPLETE, "ful")


def test_is_absent() -> None:
    values = pd.Series(["a", None, "[Not Evaluated]", "", "Unknown", "No", "not reported", "NA"])
    assert is_absent(values).tolist() == [False, True, True, True, True, False, True, True]


def test_fields_without_a_value_for_any_sample_are_named() -> None:
    assert unrecorded_fields(COMPLETE) == ()
    table = pd.DataFrame({"sex": ["[Unknown]", None], "sex_at_birth": ["not reported", ""], "race": ["white", None]})
    assert unrecorded_fields(table, "plain") == ("Age at diagnosis", "Sex", "Stage")
    assert "Sex" not in unrecorded_fields(table.assign(gender=["male", None]), "plain")

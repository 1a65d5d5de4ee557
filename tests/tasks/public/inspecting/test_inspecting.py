"""`gexbench cohort inspect`: the command that it prints builds the cohort."""

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.errors import InputError
from gexbench.tasks.public.inspecting.annotated import inspect_h5ad
from gexbench.tasks.public.inspecting.folders import inspect_folder
from gexbench.tasks.public.inspecting.inspection import unit_of_values
from gexbench.tasks.public.inspecting.own_tables import inspect_file
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


def _own_table() -> pd.DataFrame:
    return pd.DataFrame(LOGS, index=[f"S{row}" for row in range(60)], columns=[f"G{gene}" for gene in range(30)])


def test_a_clinical_table_without_numbers(tmp_path: Path) -> None:
    pd.DataFrame({"project": ["A", "B"] * 30}, index=_own_table().index).to_csv(tmp_path / "c.csv")
    assert dict(inspect_table(tmp_path / "c.csv").facts)["labels"] == "project"


def test_a_damaged_parquet_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "e.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"e\.parquet: not a readable parquet file"):
        inspect_table(tmp_path / "e.parquet")


def test_what_a_build_will_refuse_is_said(tmp_path: Path) -> None:
    text = _own_table().rename(columns={"G2": "G1"}).astype({"G5": object})
    text.iloc[3, 5] = "#REF!"
    lines = text.rename_axis("sample").to_csv().splitlines()
    lines[20] = "," + lines[20].partition(",")[2]
    (tmp_path / "e.csv").write_text("\n".join([*lines, "S99,1"]))
    found = inspect_table(tmp_path / "e.csv")
    assert "--ignore" not in found.command
    for said in ("1 rows have not the 31 fields", "1 column names appear more than once (G1)", "G5 ('#REF!')",
                 "1 rows have no id"):  # fmt: skip
        assert any(said in line for line in found.lost), said


def test_a_table_without_ids(tmp_path: Path) -> None:
    table = _own_table().reset_index(drop=True)
    table.insert(0, "project", ["A", "B"] * 30)
    table.to_csv(tmp_path / "e.csv", index=False)
    found = inspect_table(tmp_path / "e.csv")
    assert "--id-column COLUMN" in found.command_line
    assert any("no column holds sample ids" in line for line in found.lost)


def test_scaled_values_are_no_natural_logarithms(tmp_path: Path) -> None:
    scaled = (LOGS - LOGS.mean(0)).astype(np.float32)
    anndata.AnnData(scaled, obs=pd.DataFrame(index=_own_table().index), uns={"log1p": {}}).write_h5ad(
        tmp_path / "s.h5ad"
    )
    assert inspect_h5ad(tmp_path / "s.h5ad").command[-2:] == ("--unit", "other")


def test_a_folder_of_tables_and_slides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = _own_table()
    table.to_csv(tmp_path / "expr.tsv", sep="\t")
    pd.DataFrame({"project": ["A", "B"] * 30, "donor_id": [f"D{row // 2}" for row in range(60)]},
                 index=table.index).to_csv(tmp_path / "clin.csv")  # fmt: skip
    (tmp_path / "feats").mkdir()
    np.save(tmp_path / "feats" / "S1.npy", np.ones((3, 8)))
    monkeypatch.chdir(tmp_path)
    found = inspect_folder(Path())
    assert found.name == tmp_path.name
    assert found.command_line == (
        "gexbench cohort build NAME --expression expr.tsv --clinical clin.csv --labels project --unit 'log2(tpm+1)' "
        "--group donor_id --patches feats"
    )
    table.to_csv(tmp_path / "second.csv")
    more = inspect_folder(Path())
    assert not more.command
    assert "2 expression tables or folders; inspect each and choose" in more.lost


def test_slides_in_a_subfolder(tmp_path: Path) -> None:
    (tmp_path / "20x" / "features").mkdir(parents=True)
    np.save(tmp_path / "20x" / "features" / "S1.npy", np.ones((3, 8)))
    assert inspect_folder(tmp_path).command[-1] == str(tmp_path / "20x" / "features")


def test_a_matrix_of_xena_points_to_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "EB++AdjustPANCAN_IlluminaHiSeq_RNASeqV2.geneExp.xena.gz"
    path.write_text("sample\tTCGA-AA-0001-01\n")
    with pytest.raises(InputError, match="a matrix of Xena; inspect its folder"):
        inspect_file(path)

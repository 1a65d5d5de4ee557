"""Cohorts from files in Xena's layout: which samples, genes and units they have."""

import json
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.errors import InputError
from gexbench.tasks.public.folder import find
from gexbench.tasks.public.selection import GeneRule, Selection, gene_rule
from gexbench.tasks.public.xena import unit_of


def test_one_primary_tumour_per_patient(
    folder: Path, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort], patients: list[str]
) -> None:
    cohort = built(folder)
    assert cohort.samples.tolist() == sorted(patients)
    assert cohort.unit.name == "log2(rsem+1)"
    assert cohort.label_columns == ("project",)
    assert cohort.site_column == "tss"
    np.testing.assert_array_equal(cohort.expression, values.loc[sorted(patients)].to_numpy())
    assert cohort.clinical["project"].tolist() == clinical["project"].loc[sorted(patients)].tolist()
    left_out = {item["reason"]: item["count"] for item in cohort.provenance["dropped"]}
    assert left_out == {"normal tissue (sample type 11)": 10, "recurrent tumour (sample type 02)": 2}
    inputs = cohort.provenance["inputs"]
    assert [item["role"] for item in inputs] == ["expression", "expression", "clinical"]
    assert all(len(item["sha256"]) == 64 for item in inputs)
    assert str(folder) not in json.dumps(cohort.provenance)


def test_tumour_and_normal_tissue_of_a_patient_share_a_fold(folder: Path, built: Callable[..., Cohort]) -> None:
    both = Selection(sample_types=("01", "11", "02"), samples="all")
    with pytest.raises(InputError, match=r"10 samples are normal tissue .* classes with both: GBM, LUAD"):
        built(folder, both)
    assert set(built(folder, both, normals="label").labels("project")) == {
        "GBM", "LUAD", "GBM (normal tissue)", "LUAD (normal tissue)"
    }  # fmt: skip
    cohort = built(folder, both, normals="keep")
    assert len(cohort) == 112
    kinds = cohort.clinical["sample_type"].value_counts().to_dict()
    assert kinds == {"primary tumour": 100, "normal tissue": 10, "recurrent tumour": 2}
    owner = dict(zip(cohort.samples.tolist(), cohort.groups.tolist(), strict=True))
    several = {patient for patient in owner.values() if list(owner.values()).count(patient) > 1}
    assert len(several) == 10
    for fold in folds(cohort):
        parts = [{owner[name] for name in ids} for ids in (fold.train, fold.validation, fold.test, fold.audit)]
        assert not any(one & other for one, other in combinations(parts, 2))
        assert sum(map(len, (fold.train, fold.validation, fold.test, fold.audit))) == 112


def test_projects_and_patients(folder: Path, built: Callable[..., Cohort], patients: list[str]) -> None:
    three = tuple(patients[:60][::-1])
    cohort = built(folder, Selection(patients=three))
    assert cohort.samples.tolist() == list(three)
    assert {item["reason"] for item in cohort.provenance["dropped"]} >= {"not among the patients of the recipe"}
    with pytest.raises(InputError, match="label 'project' has 1 classes"):
        built(folder, Selection(projects=("LUAD",)))
    with pytest.raises(
        InputError, match=r"--projects LAUD: no patient of .* belongs to this project \(projects: GBM, LUAD\)"
    ):
        built(folder, Selection(projects=("GBM", "LAUD")))
    with pytest.raises(InputError, match="none of 112 samples remain"):
        built(folder, Selection(projects=("SKCM",), recipe="mine"))


def test_genes_by_list_with_other_names(
    folder: Path, values: pd.DataFrame, tmp_path: Path, built: Callable[..., Cohort]
) -> None:
    listed = tmp_path / "genes.txt"
    listed.write_text("# panel\nCD3E\nP53\tTP53\n")
    rule = gene_rule(str(listed))
    assert rule == GeneRule(names=("CD3E", "P53"), aliases={"P53": ("TP53",)})
    cohort = built(folder, Selection(genes=rule))
    assert cohort.genes == ("CD3E", "P53")
    np.testing.assert_array_equal(cohort.expression[:, 1], values.loc[cohort.samples, "TP53"].to_numpy())
    with pytest.raises(InputError, match=r"1 of 2 listed genes are missing .*\(BRAF\)"):
        built(folder, Selection(genes=GeneRule(names=("CD3E", "BRAF"))))
    with pytest.raises(InputError, match="states no gene types"):
        built(folder, Selection(genes=gene_rule("protein-coding")))
    for wrong in ("top:0", "top:5,top:6", "variance", "protein-coding,x"):
        with pytest.raises(InputError):
            gene_rule(wrong)


def test_top_variance_looks_at_training_rows_alone(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    """A gene that varies only among test patients of fold 0 is not kept."""
    layouts.write_xena_phenotypes(tmp_path / "phenotypes.tsv", clinical)
    layouts.write_xena_matrix(tmp_path / "HiSeqV2", values.rename(index=lambda name: f"{name}-01"))
    whole = built(tmp_path)
    fold = folds(whole)[0]
    changed = values.copy()
    changed["TP53"] = 1.0
    changed.loc[list(fold.test), "TP53"] = np.linspace(0, 60, len(fold.test))
    changed["KRAS"] = 1.0
    changed.loc[list(fold.train), "KRAS"] = np.linspace(0, 50, len(fold.train))
    layouts.write_xena_matrix(tmp_path / "HiSeqV2", changed.rename(index=lambda name: f"{name}-01"))
    cohort = built(tmp_path, Selection(genes=gene_rule("top:4")))
    assert cohort.genes == ("KRAS", "CD3E", "MKI67", "EGFR")
    assert cohort.expression.shape == (100, 4)
    with pytest.raises(InputError, match="top:6: the cohort has 5 genes"):
        built(tmp_path, Selection(genes=gene_rule("top:6")))


def test_units_by_name_by_json_and_by_option(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    for name, unit in (("HiSeqV2.gz", "log2(rsem+1)"), ("tcga_RSEM_gene_tpm.gz", "log2(tpm+0.001)"),
                       ("TCGA-LUAD.star_tpm.tsv.gz", "log2(tpm+1)"), ("matrix.tsv", None)):  # fmt: skip
        assert unit_of(tmp_path / name) == unit
    layouts.write_xena_phenotypes(tmp_path / "phenotypes.tsv", clinical)
    layouts.write_xena_matrix(tmp_path / "matrix.tsv", values.rename(index=lambda name: f"{name}-01") - 9)
    with pytest.raises(InputError, match=r"matrix.tsv: the unit is neither .* --unit"):
        built(tmp_path)
    (tmp_path / "matrix.tsv.json").write_text(json.dumps({"unit": "log2(tpm+0.001)"}))
    assert built(tmp_path).unit.name == "log2(tpm+0.001)"
    with pytest.raises(
        InputError, match=r"recipe tcga requests log2\(tpm\+1\), but the files .*matrix.tsv: log2\(tpm\+0"
    ):
        built(tmp_path, Selection(unit="log2(tpm+1)", recipe="tcga"))
    noted = built(tmp_path, Selection(unit="other")).provenance["dropped"]
    assert noted[0]["reason"] == "files whose names speak of another unit than --unit other"
    (tmp_path / "matrix.tsv.json").unlink()
    with pytest.raises(InputError, match="below 0, the floor of"):
        built(tmp_path, Selection(unit="log2(tpm+1)"))


def test_ensembl_ids_get_symbols_and_missing_values_leave_a_gene_out(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    ids = [f"ENSG0000000000{place}.{place}" for place in range(1, 6)]
    matrix = values.set_axis(ids, axis=1).rename(index=lambda name: f"{name}-01")
    matrix.iloc[3, 4] = np.nan
    layouts.write_xena_phenotypes(tmp_path / "phenotypes.tsv", clinical)
    layouts.write_xena_matrix(tmp_path / "tcga_rsem_gene_tpm", matrix)
    assert built(tmp_path).genes == tuple(name.partition(".")[0] for name in ids[:4])
    named = zip(ids, ["TP53", "KRAS", "CD3E", "CD3E", "EGFR"], strict=True)
    rows = "".join(f"{name}\t{gene}\tchr1\t1\t2\t+\n" for name, gene in named)
    (tmp_path / "gencode.v23.probemap").write_text("id\tgene\tchrom\tchromStart\tchromEnd\tstrand\n" + rows)
    cohort = built(tmp_path)
    assert cohort.genes == ("TP53", "KRAS", "ENSG00000000003", "ENSG00000000004")
    assert {"reason": "genes with missing values", "count": 1, "examples": ["EGFR"]} in cohort.provenance["dropped"]
    with pytest.raises(InputError, match=r"1 values are missing .* \(EGFR\)"):
        built(tmp_path, Selection(genes=GeneRule(names=("TP53", "EGFR"))))


def test_what_lies_there_is_said_and_ambiguity_is_an_error(
    folder: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    said = "\n".join(find(folder).said())
    assert "expression: Xena matrix: 2 files (HiSeqV2.gz, HiSeqV2.gz)" in said
    assert "clinical: Xena phenotypes: 1 files" in said
    layouts.write_gdc(folder / "gdc", values.iloc[:3].rename(index=lambda name: f"{name}-01A"), clinical)
    with pytest.raises(InputError) as raised:
        built(folder)
    assert len(raised.value.problems) == 2
    assert "--expression gdc or --expression TCGA.GBM.sampleMap" in raised.value.problems[0]
    assert "choose: --clinical gdc/cases.json or --clinical Survival" in raised.value.problems[1]
    table = Path("Survival_SupplementalTable_S1_20171025_xena_sp")
    with pytest.raises(InputError, match="label 'project' has 1 classes"):
        built(folder, expression=folder / "TCGA.GBM.sampleMap", clinical=table)
    with pytest.raises(InputError, match=r"--clinical absent\.tsv: no such file"):
        built(folder, expression=folder / "TCGA.GBM.sampleMap", clinical=Path("absent.tsv"))


def test_matrices_that_share_samples_need_a_choice(
    folder: Path, layouts: ModuleType, values: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    layouts.write_xena_matrix(folder / "other" / "HiSeqV2", values.rename(index=lambda name: f"{name}-01"))
    with pytest.raises(InputError, match=r"100 samples occur in more than one file .* --expression"):
        built(folder)
    assert len(built(folder, expression=Path("other"))) == 100

"""Cohorts from files in Xena's layout: expression, phenotypes, slides, selection and damaged files."""

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cards.published_card import read_card
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.reading import read_clinical
from gexbench.tasks.importing.building import Sources
from gexbench.tasks.importing.patch_files import read_patches
from gexbench.tasks.public.build import PublicSources, build_public
from gexbench.tasks.public.folder import find
from gexbench.tasks.public.selection import GeneRule, Selection, derive, gene_rule, read_recipe
from gexbench.tasks.public.slides import Encoder
from gexbench.tasks.public.xena import unit_of

GENES = ("TP53", "KRAS", "CD3E", "MKI67", "EGFR")
PATIENTS = [f"TCGA-{row % 7:02d}-{row:04d}" for row in range(100)]


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


def built(folder: Path, selection: Selection | None = None, **rules: Any) -> Cohort:
    given: dict[str, Any] = {"expression": None, "text_encoder": "none", **rules}
    return build_public(PublicSources(folder, Sources("mine", **given), selection or Selection()))


def test_one_primary_tumour_per_patient(folder: Path, values: pd.DataFrame, clinical: pd.DataFrame) -> None:
    cohort = built(folder)
    assert cohort.samples.tolist() == sorted(PATIENTS)
    assert cohort.unit.name == "log2(rsem+1)"
    assert cohort.label_columns == ("project",)
    assert cohort.site_column == "tss"
    np.testing.assert_array_equal(cohort.expression, values.loc[sorted(PATIENTS)].to_numpy())
    assert cohort.clinical["project"].tolist() == clinical["project"].loc[sorted(PATIENTS)].tolist()
    left_out = {item["reason"]: item["count"] for item in cohort.provenance["dropped"]}
    assert left_out == {"normal tissue (sample type 11)": 10, "recurrent tumour (sample type 02)": 2}
    inputs = cohort.provenance["inputs"]
    assert [item["role"] for item in inputs] == ["expression", "expression", "clinical"]
    assert all(len(item["sha256"]) == 64 for item in inputs)
    assert str(folder) not in json.dumps(cohort.provenance)


def test_tumour_and_normal_tissue_of_a_patient_share_a_fold(folder: Path) -> None:
    cohort = built(folder, Selection(sample_types=("01", "11", "02"), samples="all"))
    assert len(cohort) == 112
    kinds = cohort.clinical["sample_type"].value_counts().to_dict()
    assert kinds == {"primary tumour": 100, "normal tissue": 10, "recurrent tumour": 2}
    owner = dict(zip(cohort.samples.tolist(), cohort.groups.tolist(), strict=True))
    several = {patient for patient in owner.values() if list(owner.values()).count(patient) > 1}
    assert len(several) == 10
    for fold in folds(cohort):
        parts = [{owner[name] for name in ids} for ids in (fold.train, fold.validation, fold.test)]
        assert not any(one & other for one, other in combinations(parts, 2))
        assert sum(map(len, (fold.train, fold.validation, fold.test))) == 112


def test_projects_and_patients(folder: Path) -> None:
    three = tuple(PATIENTS[:60][::-1])
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


def test_genes_by_list_with_other_names(folder: Path, values: pd.DataFrame, tmp_path: Path) -> None:
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
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame
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
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame
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
    with pytest.raises(InputError, match=r"--unit requests log2\(tpm\+1\), but the files .*matrix.tsv: log2\(tpm\+0"):
        built(tmp_path, Selection(unit="log2(tpm+1)"))
    (tmp_path / "matrix.tsv.json").unlink()
    with pytest.raises(InputError, match="below 0, the floor of"):
        built(tmp_path, Selection(unit="log2(tpm+1)"))


def test_ensembl_ids_get_symbols_and_missing_values_leave_a_gene_out(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame
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
    folder: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame
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


def test_matrices_that_share_samples_need_a_choice(folder: Path, layouts: ModuleType, values: pd.DataFrame) -> None:
    layouts.write_xena_matrix(folder / "other" / "HiSeqV2", values.rename(index=lambda name: f"{name}-01"))
    with pytest.raises(InputError, match=r"100 samples occur in more than one file .* --expression"):
        built(folder)
    assert len(built(folder, expression=Path("other"))) == 100


def test_a_gene_that_a_matrix_holds_twice_is_left_out_and_said(
    folder: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    """In whichever of the matrices: no row may be put over the other."""
    for project in ("LUAD", "GBM"):
        path = folder / f"TCGA.{project}.sampleMap" / "HiSeqV2.gz"
        content = path.read_bytes()
        lines = gzip.decompress(content).decode().splitlines()
        path.write_bytes(gzip.compress("\n".join([*lines, lines[2]]).encode()))
        cohort = built(folder)
        assert cohort.genes == ("TP53", "CD3E", "MKI67", "EGFR")
        left_out = [item for item in cohort.provenance["dropped"] if "stands for several rows" in item["reason"]]
        assert [(item["count"], item["examples"]) for item in left_out] == [(1, ["KRAS"])]
        path.write_bytes(content)


@pytest.mark.parametrize("text", ["inf", "-inf", "1e39"])
def test_an_infinite_value_is_named(folder: Path, text: str) -> None:
    """A missing value leaves its gene out, an infinite one is an error."""
    path = folder / "TCGA.LUAD.sampleMap" / "HiSeqV2.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    place = lines[0].split("\t").index(f"{PATIENTS[11]}-01")
    fields = lines[3].split("\t")
    fields[place] = text
    path.write_bytes(gzip.compress("\n".join([*lines[:3], "\t".join(fields), *lines[4:]]).encode()))
    with pytest.raises(InputError, match=f"values are infinite or too large \\(first CD3E of {PATIENTS[11]}-01\\)"):
        built(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace(b"\nKRAS", b"\rKRAS"), "5 lines but 4 rows|4 lines but 5 rows"),
        (lambda text: text.replace(b"\nKRAS", b"\n\t\nKRAS"), "not a readable matrix|lines but"),
        (lambda text: text.replace(b"KRAS", b'"KRAS"'), r'names are quoted \("KRAS"\)'),
        (lambda text: text.replace(b"KRAS", b"KR\xfcAS"), "gene names are not UTF-8"),
        (lambda text: text.replace(b"KRAS", b"KR\0AS"), "1 genes hold a zero byte"),
    ],
)
def test_matrices_that_others_wrote(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, change: Any, says: str
) -> None:
    """A carriage return in the place of a line's end would shift every later gene by one row."""
    layouts.write_xena_matrix(tmp_path / "HiSeqV2", values.rename(index=lambda name: f"{name}-01"))
    layouts.write_xena_phenotypes(tmp_path / "phenotypes.tsv", clinical)
    text = (tmp_path / "HiSeqV2").read_bytes()
    (tmp_path / "HiSeqV2").write_bytes(text.replace(b"\n", b"\r\n"))
    assert len(built(tmp_path)) == 100
    (tmp_path / "HiSeqV2").write_bytes(change(text))
    with pytest.raises(InputError, match=f"HiSeqV2: .*({says})"):
        built(tmp_path)


def test_folders_that_may_not_be_listed_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.iterdir

    def locked(self: Path) -> Any:
        if self.name == "TCGA.GBM.sampleMap":
            raise PermissionError(13, "Permission denied")
        return whole(self)

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(InputError, match=r"TCGA\.GBM\.sampleMap: cannot be listed \(Permission denied\); fix its perm"):
        built(folder)
    with pytest.raises(InputError, match="cannot be listed"):
        read_patches(folder / "TCGA.GBM.sampleMap")


def test_paths_that_may_not_be_looked_up_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(self: Path, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", locked)
    for read in (find, read_patches, read_clinical):
        for name in ("a.parquet", "a.zarr", "a"):
            with pytest.raises(
                InputError, match=r"cannot be read \(Permission denied\)|use a table of type|a: no such file"
            ):
                read(folder / name)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("nothing\n")
    (tmp_path / "HiSeqV2.gz.part").write_bytes(b"half")
    (tmp_path / "state.parcel").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError) as raised:
        find(tmp_path)
    assert [problem.partition("(")[0].strip() for problem in raised.value.problems] == [
        f"{tmp_path.name}: no expression",
        f"{tmp_path.name}: no clinical table",
    ]


@pytest.mark.parametrize("damage", ["truncated", "text", "ragged"])
def test_damaged_matrices_are_named(folder: Path, damage: str) -> None:
    path = folder / "TCGA.LUAD.sampleMap" / "HiSeqV2.gz"
    content = path.read_bytes()
    text = gzip.decompress(content).decode()
    lines = text.splitlines()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        path.write_bytes(gzip.compress(text.replace("\t", "\tx", 200).encode()))
    else:
        path.write_bytes(gzip.compress("\n".join([*lines[:2], lines[2].rpartition("\t")[0], *lines[3:]]).encode()))
    with pytest.raises(InputError):
        built(folder)


def test_clinical_matrices_of_the_projects(folder: Path, clinical: pd.DataFrame) -> None:
    """Rows by sample; the project stands in `_cohort`, and the primary tumour's row counts."""
    (folder / "Survival_SupplementalTable_S1_20171025_xena_sp").unlink()
    for project, rows in clinical.groupby("project"):
        tumours = pd.DataFrame(
            {
                "_PATIENT": rows.index,
                "_cohort": f"TCGA Some Cancer ({project})",
                "_primary_disease": "some cancer",
                "pathologic_stage": "Stage II",
                "a/b": 1,
                "fold_random": 3,
            },
            index=pd.Index([f"{name}-01" for name in rows.index], name="sampleID"),
        )
        normal = tumours.iloc[:4].rename(index=lambda name: name.replace("-01", "-11")).assign(pathologic_stage="none")
        pd.concat([normal, tumours]).to_csv(folder / f"{project}_clinicalMatrix", sep="\t")
    cohort = built(folder)
    assert cohort.clinical["project"].tolist() == clinical["project"].loc[cohort.samples].tolist()
    assert set(cohort.clinical["pathologic_stage"]) == {"Stage II"}
    assert set(cohort.clinical["disease_name"]) == {"some cancer"}
    assert "a or b" in cohort.clinical
    assert sorted(set(cohort.clinical["fold_random"])) == [0, 1, 2, 3, 4]


def test_phenotypes_that_overlap_need_a_choice(folder: Path, layouts: ModuleType, clinical: pd.DataFrame) -> None:
    layouts.write_xena_phenotypes(folder / "LUAD_clinicalMatrix", clinical.iloc[:10])
    with pytest.raises(InputError, match=r"10 patients appear more than once .* --clinical"):
        built(folder)
    assert len(built(folder, clinical=Path("Survival_SupplementalTable_S1_20171025_xena_sp"))) == 100


PHENOTYPES = "Survival_SupplementalTable_S1_20171025_xena_sp"


def _changed(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    lines = (folder / PHENOTYPES).read_text().splitlines()
    (folder / PHENOTYPES).write_text("\n".join(change(lines)) + "\n")


def test_rows_of_a_sample_or_patient_that_contradict_each_other(folder: Path) -> None:
    _changed(folder, lambda lines: [*lines, lines[5]])
    assert len(built(folder)) == 100  # an equal row says nothing else
    other = lambda line: line.replace("GBM", "OV").replace("LUAD", "OV")  # noqa: E731
    _changed(folder, lambda lines: [*lines[:-1], other(lines[5])])
    with pytest.raises(InputError) as raised:
        built(folder)
    assert raised.value.problems == (
        f"{PHENOTYPES}: 1 samples have several rows that differ (TCGA-04-0004-01; TCGA-04-0004-01: project GBM and "
        "OV); keep the correct row of each",
        f"{PHENOTYPES}: 1 patients belong to several projects (TCGA-04-0004: GBM and OV); keep the correct one",
    )
    _changed(folder, lambda lines: [*lines[:-1], lines[-1].replace("-01\t", "-11\t")])
    with pytest.raises(
        InputError, match=r"1 patients belong to several projects \(TCGA-04-0004: GBM and OV\)"
    ) as raised:
        built(folder)
    assert len(raised.value.problems) == 1


def test_phenotype_rows_that_are_cut_short_or_too_long(folder: Path) -> None:
    _changed(folder, lambda lines: [line + "\t" for line in lines[:1]] and [f"{lines[0]}\tRedaction", *(
        f"{line}\t" for line in lines[1:])])  # fmt: skip
    assert len(built(folder)) == 100
    _changed(folder, lambda lines: [*lines[:7], lines[7].rstrip("\t"), *lines[8:]])
    with pytest.raises(
        InputError, match=r"1 rows have fewer fields than the header, which has \d+ \(line 8, TCGA-06-0006"
    ):
        built(folder)
    _changed(folder, lambda lines: [lines[0], *(f"{line}\tmore" for line in lines[1:])])
    with pytest.raises(InputError, match=f"{PHENOTYPES}: rows have more fields than the header"):
        built(folder)


def test_clinical_files_that_cannot_be_read_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / PHENOTYPES
    packed = gzip.compress(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(InputError, match=rf"{PHENOTYPES}: damaged gzip file, perhaps truncated"):
        built(folder)
    path.write_bytes(packed)
    assert len(built(folder)) == 100
    whole = Path.open

    def locked(self: Path, *names: Any, **more: Any) -> Any:
        if self.name == PHENOTYPES:
            raise PermissionError(13, "Permission denied")
        return whole(self, *names, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", locked)
        with pytest.raises(InputError, match=rf"{PHENOTYPES}: cannot be read \(Permission denied\)"):
            built(folder)
    path.unlink()
    path.symlink_to(folder / "absent")
    with pytest.raises(InputError, match=rf"{PHENOTYPES}: is a link to .*absent, which is not there"):
        built(folder)
    path.unlink()
    (folder / "table.tsv").write_text("patient\tproject\tage\nP1\tLUAD\t3\n")
    with pytest.raises(InputError, match=r"no clinical table .*; not known: 1 files \(table\.tsv\)"):
        built(folder)


def test_derived_columns_take_the_first_rule_that_fits() -> None:
    table = pd.DataFrame({"project": ["A", "A", "B", "C"], "kind": ["mucinous x", "other", None, None]})
    rules = {"type": [{"value": "mucous", "project": ["A", "B"], "none|kind contains": ["MUCINOUS"]},
                      {"value": "plain", "project": ["A", "B"]}]}  # fmt: skip
    assert derive(table, rules)["type"].fillna("absent").tolist() == ["mucous", "plain", "plain", "absent"]
    with pytest.raises(InputError, match="needs the clinical column none or other"):
        derive(table, {"type": [{"value": "x", "none|other": ["A"]}]})


def test_the_recipe_of_the_published_cohort() -> None:
    recipe = read_recipe("tcga")
    assert recipe.patients is not None
    assert (len(recipe.patients), len(recipe.genes.names), len(recipe.projects)) == (4223, 680, 15)
    assert (recipe.unit, recipe.most_regions) == ("log2(rsem+1)", 32)
    with pytest.raises(InputError, match="unknown recipe 'tgca'; did you mean"):
        read_recipe("tgca")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; download it again, or remove it"),
        (gzip.compress(b"", mtime=0), "is named like a Xena matrix, but its first"),
        (b"\x1f\x8bdamaged", "damaged gzip file, perhaps truncated"),
        (b"<html>busy</html>", "is named like a Xena matrix, but its first"),
    ],
    ids=["empty", "nothing within", "damaged", "another page"],
)
def test_a_matrix_that_cannot_be_read_is_not_left_out_unsaid(folder: Path, content: bytes, says: str) -> None:
    (folder / "TCGA.GBM.sampleMap" / "HiSeqV2.gz").write_bytes(content)
    with pytest.raises(InputError, match=rf"TCGA\.GBM\.sampleMap/HiSeqV2\.gz: {says}"):
        built(folder)
    with pytest.raises(InputError, match="label 'project' has 1 classes"):
        built(folder, expression=folder / "TCGA.LUAD.sampleMap")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"projects": "LUAD"}, 'projects "LUAD": expected a list of names'),
        ({"sample_types": "01"}, 'sample_types "01": expected a list of names'),
        ({"sample_types": ["01", "1"]}, "sample_types: '1' is not a two-digit sample-type code of TCGA barcodes"),
        ({"samples": "two"}, "samples \"two\": expected 'one' or 'all'"),
        ({"genes": [1, 2]}, "genes [1, 2]: expected a list of names"),
        ({"genes": ["P53"], "gene_aliases": {"P53": "TP53"}}, "expected an object of lists of names"),
        ({"slides": "second"}, "slides \"second\": expected 'all' or 'first'"),
        ({"most_regions": -1}, "most_regions -1: expected a whole number above 0, or null"),
        ({"labels": "project"}, 'labels "project": expected a list of names, or null'),
        ({"derived": {"site": [{"project": ["LUAD"]}]}}, "expected an object of lists of rules"),
        ({"source": "ftp"}, "source \"ftp\": expected 'xena' or 'gdc', or null"),
        ({"recipe": "mine"}, "unknown keys recipe"),
    ],
)
def test_rules_of_a_recipe_that_are_none(tmp_path: Path, content: dict[str, Any], problem: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=re.escape(problem)):
        read_recipe(str(path))


def test_a_folder_in_place_of_a_recipe_or_list(tmp_path: Path) -> None:
    (tmp_path / "mine.json").mkdir()
    for read, name, says in (
        (read_recipe, tmp_path / "mine.json", "is a folder; give a file"),
        (read_recipe, tmp_path, "is a folder; give a .json file, or one of tcga"),
        (gene_rule, tmp_path, "is a folder; give a file"),
    ):
        with pytest.raises(InputError, match=says):
            read(str(name))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; give its folder"):
        find(tmp_path / "file")


def test_a_recipe_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes("{}".encode("utf-16"))
    with pytest.raises(InputError, match="not a readable text file in UTF-8"):
        read_recipe(str(path))
    path.write_text("[" * 100_000)
    for read in (lambda: read_recipe(str(path)), lambda: read_card(path)):
        with pytest.raises(InputError, match=r"mine\.json: not a JSON file"):
            read()


@pytest.mark.real_data
def test_the_recipes_rules_give_every_patient_its_published_labels(tcga_source: Path) -> None:
    table = pd.read_parquet(tcga_source / "clinical.parquet")
    recipe = read_recipe("tcga")
    made = derive(table.drop(columns=[*recipe.derived]), recipe.derived)
    for column in recipe.derived:
        assert made[column].tolist() == table[column].tolist()


def test_hipt_tensors(folder: Path, layouts: ModuleType) -> None:
    counts = np.arange(100) % 4
    features = np.random.default_rng(1).normal(size=(int(counts.sum()), 6)).astype(np.float16)
    layouts.write_hipt(folder, PATIENTS, counts, features)
    cohort = built(folder)
    assert len(cohort) == 75
    assert cohort.patches is not None
    row = cohort.samples.tolist().index(PATIENTS[3])
    place = slice(int(cohort.patches.offsets[row]), int(cohort.patches.offsets[row + 1]))
    first = int(counts[:3].sum())
    expected = {tuple(values) for values in features[first : first + 3].tolist()}
    assert {tuple(values) for values in cohort.patches.values[place].tolist()} == expected
    assert cohort.provenance["image_encoder"] == {"name": "HIPT ViT256-4K", "version": None, "width": 6}
    fewer = built(folder, Selection(most_regions=2), missing="mask")
    assert fewer.patches is not None
    assert fewer.patches.counts.max() == 2
    masked = fewer.samples.tolist().index(PATIENTS[3])
    start = int(fewer.patches.offsets[masked])
    np.testing.assert_array_equal(fewer.patches.values[start : start + 2], cohort.patches.values[place][:2])


@pytest.mark.parametrize("kind", ["hipt", "trident"])
def test_slides_without_a_region_stand_on_the_card_and_dead_links_are_errors(
    folder: Path, layouts: ModuleType, kind: str
) -> None:
    if kind == "hipt":
        layouts.write_hipt(folder, PATIENTS, [0, 0, *[1] * 98], np.ones((98, 4), np.float16))
        place = folder / "vit256mean_tcga_slide_embeddings"
    else:
        slides = {f"{name}-01Z-00-DX1.a": np.ones((int(row > 1), 4), np.float32) for row, name in enumerate(PATIENTS)}
        place = layouts.write_trident(folder, slides)
    for selection in (Selection(), Selection(most_regions=1)):
        left_out = {item["reason"]: item for item in built(folder, selection).provenance["dropped"]}
        assert left_out["no patches"]["count"] == 2
        assert left_out["slides without a region"]["count"] == 2
        assert left_out["slides without a region"]["examples"][0].startswith(f"{PATIENTS[0]}-01Z-00-DX1")
    moved = next(place.glob(f"{PATIENTS[5]}*"))
    moved.unlink()
    moved.symlink_to(folder / "elsewhere" / moved.name)
    with pytest.raises(InputError, match=rf"{moved.name}: is a link to .*elsewhere.*, which is not there"):
        built(folder)


def test_a_slide_of_another_width_is_named(folder: Path, layouts: ModuleType) -> None:
    slides = {f"{name}-01Z-00-DX1": np.ones((1, 4), np.float32) for name in PATIENTS}
    slides[f"{PATIENTS[9]}-01Z-00-DX1"] = np.ones((1, 6), np.float32)
    layouts.write_trident(folder, slides)
    with pytest.raises(InputError, match=rf"unequal width: 4 in 99 \(.*\); 6 in 1 \({PATIENTS[9]}-01Z-00-DX1\.h5\)"):
        built(folder)


def test_a_folder_whose_first_slide_lacks_features_is_not_passed_over(folder: Path, layouts: ModuleType) -> None:
    import h5py

    place = layouts.write_trident(folder, {f"{name}-01Z-00-DX1": np.ones((1, 4), np.float32) for name in PATIENTS})
    first = min(place.glob("*.h5"))
    with h5py.File(first, "r+") as file:
        del file["features"]
    with pytest.raises(InputError, match=f"{first.name}: dataset features is missing"):
        built(folder)


def test_a_pickle_in_place_of_a_tensor_is_refused(folder: Path, layouts: ModuleType) -> None:
    import torch

    layouts.write_hipt(folder, PATIENTS[:2], [1, 1], np.ones((2, 3), np.float16))
    path = next((folder / "vit256mean_tcga_slide_embeddings").glob(f"{PATIENTS[0]}*"))
    tensor = torch.ones(2, 3)
    for content, says in (
        (Path("somewhere"), "code in files is never run; save only the features"),
        ({"features": tensor}, "holds dict instead of a dense float tensor"),
        (tensor.long(), "holds a tensor of torch.int64, torch.strided instead of a dense float tensor"),
        (tensor.to_sparse(), "holds a tensor of torch.float32, torch.sparse_coo"),
    ):
        torch.save(content, path)
        with pytest.raises(InputError, match=f"{PATIENTS[0]}.*{says}"):
            built(folder)


def test_trident_slides_of_a_patient_are_joined_or_the_first_is_taken(folder: Path, layouts: ModuleType) -> None:
    slides = {f"{name}-01Z-00-DX1.aa": np.full((2, 5), row, np.float32) for row, name in enumerate(PATIENTS)}
    slides[f"{PATIENTS[7]}-01Z-00-DX2.bb"] = np.full((3, 5), 700, np.float32)
    slides[f"{PATIENTS[8]}-01A-01-TS1.cc"] = np.full((3, 5), 800, np.float32)
    layouts.write_trident(folder, slides)
    cohort, first = built(folder), built(folder, Selection(slides="first"))
    assert cohort.patches is not None
    assert first.patches is not None
    rows = [cohort.samples.tolist().index(PATIENTS[place]) for place in (7, 8)]
    assert cohort.patches.counts[rows].tolist() == [5, 2]
    assert first.patches.counts[rows].tolist() == [2, 2]
    assert set(first.patches.take(np.asarray(rows)).values[:, 0].tolist()) == {7.0, 8.0}
    assert cohort.provenance["image_encoder"] == {"name": "uni_v1", "version": None, "width": 5}
    sources = PublicSources(folder, Sources("mine", None, text_encoder="none"), Selection(), Encoder(version="1.0"))
    assert build_public(sources).provenance["image_encoder"]["version"] == "1.0"
    with pytest.raises(InputError, match="none of 102 slides"):
        built(folder, Selection(slide_kinds=("BS",)))
    frozen = built(folder, replace(Selection(), slide_kinds=("DX", "TS")))
    assert frozen.patches is not None
    assert frozen.patches.counts[rows].tolist() == [5, 5]


def test_links_to_folders_are_followed_once(folder: Path, layouts: ModuleType, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    layouts.write_hipt(elsewhere, PATIENTS, [1] * 100, np.ones((100, 4), np.float16))
    (folder / "slides").symlink_to(elsewhere)
    (folder / "again").symlink_to(folder)
    (folder / ".hidden").symlink_to(elsewhere)
    found = find(folder)
    assert [len(paths) for _, paths in found.slides] == [100]
    assert len(found.matrices) == 2


def test_clams_second_copy_is_passed_over_and_two_encoders_need_a_choice(folder: Path, layouts: ModuleType) -> None:
    slides = {f"{name}-01Z-00-DX1": np.ones((1, 4), np.float32) for name in PATIENTS}
    place = layouts.write_trident(folder, slides)
    place.rename(folder / "h5_files")
    layouts.write_hipt(folder, PATIENTS, [1] * 100, np.ones((100, 4), np.float16))
    (folder / "vit256mean_tcga_slide_embeddings").rename(folder / "pt_files")
    assert [where.name for where, _ in find(folder).slides] == ["h5_files"]
    (folder / "pt_files").rename(folder / "others")
    with pytest.raises(InputError, match="slide features in 2 folders; choose: --patches h5_files"):
        built(folder)
    assert built(folder, patches=Path("others")).provenance["inputs"][-1]["name"].endswith(".pt")

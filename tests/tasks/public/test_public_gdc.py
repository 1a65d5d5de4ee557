"""Cohorts from files in the GDC's layout: STAR counts with their lists, cases, checksums and damaged files."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import read_cohort, save_cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.public.clinical import read_gdc_cases
from gexbench.tasks.public.gdc import file_facts
from gexbench.tasks.public.gene_names import kept_genes, read_probemap
from gexbench.tasks.public.selection import GeneRule, Selection, gene_rule
from gexbench.tasks.text.clinical_text import clinical_texts

GENES = ("TP53", "KRAS", "CD3E", "MKI67", "EGFR")
PATIENTS = [f"TCGA-{row % 7:02d}-{row:04d}" for row in range(80)]


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    drawn = np.random.default_rng(0).gamma(2, 2, (80, len(GENES))).astype(np.float32)
    return pd.DataFrame(drawn, index=[f"{name}-01A" for name in PATIENTS], columns=GENES)


@pytest.fixture(scope="module")
def clinical() -> pd.DataFrame:
    row = np.arange(80)
    return pd.DataFrame(
        {
            "project": np.where(row % 2, "LUAD", "GBM"),
            "disease_name": np.where(row % 2, "Lung Adenocarcinoma", "Glioblastoma Multiforme"),
            "primary_site": np.where(row % 2, "Bronchus and lung", "Brain"),
            "disease_type": np.where(row % 2, "Adenomas and Adenocarcinomas", "Gliomas"),
            "age_diagnosed": 40.0 + row % 30,
            "gender": np.where(row % 3, "male", "female"),
            "ajcc_stage": np.where(row % 4, "Stage IIA", None),
        },
        index=PATIENTS,
    )


@pytest.mark.parametrize(
    "lists", [("files",), ("sheet",), ("sheet of 2026",), ("manifest", "sheet"), ("files", "manifest", "sheet")]
)
def test_tpm_and_counts(
    tmp_path: Path,
    layouts: ModuleType,
    values: pd.DataFrame,
    clinical: pd.DataFrame,
    lists: tuple[str, ...],
    built: Callable[..., Cohort],
) -> None:
    layouts.write_gdc(tmp_path, values, clinical, lists)
    cohort = built(tmp_path)
    assert cohort.samples.tolist() == sorted(PATIENTS)
    assert (cohort.unit.name, cohort.genes) == ("log2(tpm+1)", GENES)
    expected = values.loc[[f"{name}-01A" for name in cohort.samples]].to_numpy()
    np.testing.assert_allclose(cohort.expression, expected, atol=1e-4)
    assert cohort.counts is not None
    np.testing.assert_array_equal(cohort.counts, np.rint(np.maximum(2.0 ** expected.astype(np.float64) - 1, 0) * 7))
    assert cohort.label_columns == ("project", "primary_site", "disease_type")
    assert cohort.clinical["project"].unique().tolist() == ["GBM", "LUAD"]
    assert len(cohort.provenance["inputs"]) == 81
    counts = built(tmp_path, Selection(unit="counts"))
    assert counts.counts is None
    np.testing.assert_array_equal(counts.expression, cohort.counts)
    with pytest.raises(InputError, match=r"GDC STAR counts give log2\(tpm\+1\) or counts"):
        built(tmp_path, Selection(unit="log2(rsem+1)"))


def test_the_count_layer_is_stored(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    layouts.write_gdc(tmp_path / "gdc", values, clinical)
    cohort = built(tmp_path / "gdc")
    save_cohort(cohort, tmp_path / "cohort")
    read = read_cohort(tmp_path / "cohort")
    assert read.fingerprint() == cohort.fingerprint()
    assert cohort.counts is not None
    np.testing.assert_array_equal(read.counts, cohort.counts)
    np.testing.assert_array_equal(read.take(np.asarray([5, 2])).counts, cohort.counts[[5, 2]])


def test_the_lowest_vial_portion_and_plate_of_a_patient(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    """Aliquots differ by plate, so the files endpoint's barcodes are needed to choose."""
    others = values.iloc[:2].set_axis([f"{PATIENTS[0]}-01A-11R-0999-07", f"{PATIENTS[1]}-01B-11R-0001-07"], axis=0) + 1
    normal = values.iloc[:3].set_axis([f"{name}-11A" for name in PATIENTS[:3]], axis=0)
    layouts.write_gdc(tmp_path, pd.concat([values, others, normal]), clinical)
    cohort = built(tmp_path)
    rows = [cohort.samples.tolist().index(name) for name in PATIENTS[:2]]
    np.testing.assert_allclose(cohort.expression[rows[0]], values.iloc[0] + 1, atol=1e-4)
    np.testing.assert_allclose(cohort.expression[rows[1]], values.iloc[1], atol=1e-4)
    left_out = {item["reason"]: item["count"] for item in cohort.provenance["dropped"]}
    assert left_out == {"a further sample of a patient": 2, "normal tissue (sample type 11)": 3}


def test_genes_by_type_by_list_and_repeated_symbols(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    repeated = values.set_axis(["TP53", "KRAS", "Y_RNA", "Y_RNA", "EGFR"], axis=1)
    layouts.write_gdc(tmp_path, repeated, clinical, types=["protein_coding", "lncRNA", "misc_RNA", "misc_RNA",
                                                           "protein_coding"])  # fmt: skip
    assert built(tmp_path).genes == ("TP53", "KRAS", "ENSG00000000003", "ENSG00000000004", "EGFR")
    assert built(tmp_path, Selection(genes=gene_rule("protein-coding"))).genes == ("TP53", "EGFR")
    cohort = built(tmp_path, Selection(genes=gene_rule("protein-coding,top:1")))
    assert cohort.counts is not None
    assert cohort.counts.shape == cohort.expression.shape == (80, 1)
    listed = Selection(genes=GeneRule(names=("EGFR", "ENSG00000000004.5")))
    assert built(tmp_path, listed).genes == ("EGFR", "ENSG00000000004.5")
    with pytest.raises(InputError, match=r"1 of 2 listed genes .* several rows \(Y_RNA\)"):
        built(tmp_path, Selection(genes=GeneRule(names=("EGFR", "Y_RNA"))))


def test_a_gene_listed_by_its_id_is_never_the_copy_on_y() -> None:
    ids = ["ENSG00000182378.15", "ENSG00000182378.15_PAR_Y", "ENSG00000000003.15"]
    symbols = ["PLCXD1", "PLCXD1", "TSPAN6"]
    for name in ("ENSG00000182378", "ENSG00000182378.15", "PLCXD1"):
        assert kept_genes(ids, symbols, GeneRule(names=(name,)), "x").rows.tolist() == [0]
    twice = ["ENSG00000182378.15", "ENSG00000182378.16"]
    with pytest.raises(InputError, match=r"1 of 1 listed genes .* match several rows \(ENSG00000182378\)"):
        kept_genes(twice, ["A", "B"], GeneRule(names=("ENSG00000182378",)), "x")


def test_an_infinite_tpm_is_named_with_its_file(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    hits = layouts.write_gdc(tmp_path, values, clinical, ("sheet",))
    path = tmp_path / str(hits[5]["id"]) / str(hits[5]["file_name"])
    lines = path.read_text().splitlines()
    fields = lines[-1].split("\t")
    path.write_text("\n".join([*lines[:-1], "\t".join([*fields[:6], "inf", *fields[7:]])]) + "\n")
    with pytest.raises(InputError, match=rf"{path.name}: 1 genes have counts or TPM .* \(EGFR: count \d+, TPM inf\)"):
        built(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("gdc_sample_sheet.tsv", b"", "gdc_sample_sheet.tsv: is empty; download it again, or remove it"),
        (
            "gdc_sample_sheet.tsv",
            b"File ID\tFile Name\tSample ID\n",
            "gdc_sample_sheet.tsv: lists no files, only a header",
        ),
        (
            "gdc_sample_sheet.tsv",
            b"File ID\tFile Name\tSample ID\nx\tM\xfcller\ty\n",
            "gdc_sample_sheet.tsv: not a tab",
        ),
        ("gdc_manifest.txt", b"id\tfilename\tmd5\tsize\tstate\n", "gdc_manifest.txt: lists no files, only a header"),
        ("files.json", b'{"data": {"hits": [], "pagination": {"total": 0}}}', "files.json: a response without hits"),
        (
            "files.json",
            b'[{"file_name": "x", "associated_entities": ["y"]}]',
            "files.json: a field does not have the GDC's",
        ),
        ("files.json", b"", "files.json: is empty"),
        ("files.json", b"[" * 100_000, "files.json: not a JSON file"),
        (
            "again.tsv",
            f"File ID\tFile Name\tSample ID\nF\tN\t{PATIENTS[0]}-01A\nF\tN\t{PATIENTS[1]}-01A\n".encode(),
            f"again.tsv: file F is assigned to both {PATIENTS[0]}-01A and {PATIENTS[1]}-01A; keep the correct",
        ),
    ],
)
def test_lists_of_no_files_are_named(
    tmp_path: Path,
    layouts: ModuleType,
    values: pd.DataFrame,
    clinical: pd.DataFrame,
    name: str,
    content: bytes,
    says: str,
    built: Callable[..., Cohort],
) -> None:
    layouts.write_gdc(tmp_path, values, clinical)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=says):
        built(tmp_path)


def test_damaged_files_are_named_at_once(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    hits = layouts.write_gdc(tmp_path, values, clinical)
    for place, hit in enumerate(hits[:3]):
        path = tmp_path / str(hit["id"]) / str(hit["file_name"])
        content = path.read_bytes()
        path.write_bytes(content[:-20] if place else content.replace(b"7", b"8"))
    with pytest.raises(InputError) as raised:
        built(tmp_path)
    assert len(raised.value.problems) == 3
    assert all("its MD5 is not" in problem and "download it again" in problem for problem in raised.value.problems)


@pytest.mark.parametrize("damage", ["truncated", "fewer genes", "no counts", "another table"])
def test_damage_without_checksums(
    tmp_path: Path,
    layouts: ModuleType,
    values: pd.DataFrame,
    clinical: pd.DataFrame,
    damage: str,
    built: Callable[..., Cohort],
) -> None:
    hits = layouts.write_gdc(tmp_path, values, clinical, ("sheet",))
    path = tmp_path / str(hits[5]["id"]) / str(hits[5]["file_name"])
    text = path.read_text()
    lines = text.splitlines()
    fields = lines[-1].split("\t")
    path.write_text(
        {
            "truncated": text[: len(text) - 12],
            "fewer genes": "\n".join(lines[:-1]),
            "no counts": "\n".join([*lines[:-1], "\t".join([*fields[:3], "", *fields[4:]])]),
            "another table": "a\tb\n1\t2\n",
        }[damage]
    )
    with pytest.raises(InputError, match=str(hits[5]["file_name"])[:8]):
        built(tmp_path)


def test_packed_files_are_read(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    hits = layouts.write_gdc(tmp_path, values, clinical, ("sheet",))
    for hit in hits:
        path = tmp_path / str(hit["id"]) / str(hit["file_name"])
        path.with_name(path.name + ".gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert len(built(tmp_path)) == 80


def test_files_of_unknown_samples(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    layouts.write_gdc(tmp_path, values, clinical, ("manifest",))
    with pytest.raises(InputError, match="80 of 80 STAR-counts files do not belong to a known sample"):
        built(tmp_path)


def test_lists_complete_each_other(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame
) -> None:
    hits = layouts.write_gdc(tmp_path, values.iloc[:2], clinical)
    facts = file_facts([tmp_path / name for name in ("gdc_sample_sheet.tsv", "gdc_manifest.txt", "files.json")])
    found = facts[str(hits[0]["id"])]
    assert found.sample == f"{PATIENTS[0]}-01A-11R-1107-07"
    assert found.md5 == hits[0]["md5sum"]
    assert facts[str(hits[0]["file_name"])] == found


def test_cases(tmp_path: Path, layouts: ModuleType, clinical: pd.DataFrame) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(layouts.response(layouts.gdc_cases(clinical))))
    table = read_gdc_cases([path])
    assert table.index.tolist() == PATIENTS
    assert table["age"].tolist() == clinical["age_diagnosed"].tolist()
    assert table["ajcc_pathologic_stage"].tolist()[:5] == [None, "Stage IIA", "Stage IIA", "Stage IIA", None]
    assert table["tss"].tolist()[:3] == ["00", "01", "02"]
    assert "metastasis" not in table.to_string()
    path.write_text(json.dumps(layouts.gdc_cases(clinical)))
    assert read_gdc_cases([path]).equals(table)


@pytest.mark.parametrize("dictionary", ["3.4.3", "3.4.4", "4.0.3"])
def test_every_data_dictionary_tells_the_sex(
    tmp_path: Path, layouts: ModuleType, clinical: pd.DataFrame, dictionary: str
) -> None:
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(layouts.response(layouts.gdc_cases(clinical, dictionary))))
    told = ["Sex: female." in text for text in clinical_texts(read_gdc_cases([path]), "full")]
    assert told == (clinical["gender"] == "female").tolist()


@pytest.mark.parametrize(
    "change", [{"project": "TCGA-LUAD"}, {"demographic": [1]}, {"diagnoses": [{"age_at_diagnosis": "old"}]}]
)
def test_fields_of_a_case_of_another_type(
    tmp_path: Path, layouts: ModuleType, clinical: pd.DataFrame, change: dict[str, Any]
) -> None:
    cases = layouts.gdc_cases(clinical)
    cases[3] |= change
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    with pytest.raises(InputError, match=f"case {PATIENTS[3]}: a field does not have the GDC's format"):
        read_gdc_cases([tmp_path / "cases.json"])


def test_a_short_row_of_a_sample_sheet_names_no_sample(tmp_path: Path) -> None:
    (tmp_path / "sheet.tsv").write_text("File ID\tFile Name\tSample ID\nid\tname\n")
    assert file_facts([tmp_path / "sheet.tsv"])["id"].sample is None


def test_a_page_of_the_cases_is_not_all_of_them(
    tmp_path: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    layouts.write_gdc(tmp_path, values, clinical)
    content = json.loads((tmp_path / "cases.json").read_text())
    content["data"]["hits"] = content["data"]["hits"][:10]
    (tmp_path / "cases.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="holds 10 of 80 hits; request all of them"):
        built(tmp_path)
    (tmp_path / "cases.json").write_text("{")
    with pytest.raises(InputError, match=r"cases\.json: not a JSON file, perhaps truncated"):
        built(tmp_path)


def test_a_probe_map_may_be_packed_but_must_be_text(tmp_path: Path) -> None:
    path = tmp_path / "map.gz"
    path.write_bytes(gzip.compress(b"id\tgene\nENSG00000000003.5\tTSPAN6\n"))
    assert read_probemap(path) == {"ENSG00000000003": "TSPAN6"}
    path.write_bytes(b"id\tgene\nENSG00000000003.5\t\xfc\n")
    with pytest.raises(InputError, match=r"map\.gz: not a tab-separated table in UTF-8"):
        read_probemap(path)


def test_a_response_without_pages_is_whole(tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text('{"data": {"hits": [{"submitter_id": "TCGA-00-0000"}], "pagination": null}}')
    assert read_gdc_cases([tmp_path / "cases.json"]).index.tolist() == ["TCGA-00-0000"]

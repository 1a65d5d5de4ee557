"""What an import must not do in silence: copies, normals, several samples of a patient, ids, units, counts."""

from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest

from gexbench.tasks.cards.card import card
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_export import export_cohort
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.table_rules import TableRules
from gexbench.tasks.importing.building import Sources, build_cohort
from gexbench.tasks.importing.patch_files import read_patches
from gexbench.tasks.importing.slide_files import stated_encoder

GENES = [f"G{gene}" for gene in range(24)]
N = 80


def expression(ids: list[str], seed: int = 0) -> pd.DataFrame:
    values = np.round(np.random.default_rng(seed).gamma(4, 1.2, (len(ids), len(GENES))), 4)
    return pd.DataFrame(values, index=pd.Index(ids, name="sample"), columns=GENES)


def patients(number: int = N) -> list[str]:
    return [f"TCGA-AB-{row:04d}" for row in range(number)]


def build(folder: Path, frame: pd.DataFrame, **rules: Any) -> Cohort:
    path = folder / "expression.csv"
    frame.to_csv(path)
    given = {"unit": "log2(tpm+1)", "labels": ("project",), "text_encoder": "none", **rules}
    return build_cohort(Sources("mine", path, **given))


def notes(cohort: Cohort) -> str:
    return "\n".join(f"{item['count']}: {item['reason']} {item['examples']}" for item in cohort.provenance["dropped"])


def labelled(ids: list[str], **columns: Any) -> pd.DataFrame:
    return expression(ids).assign(project=["LUAD", "BRCA"] * (len(ids) // 2), **columns)


def test_tumour_and_normal_of_a_patient_need_an_answer(tmp_path: Path) -> None:
    ids = [f"{name}-{kind}A" for kind in ("01", "11") for name in patients()]
    table = labelled(ids)
    with pytest.raises(InputError, match=r"160 samples are of 80 patients .*80 normal tissue\); add --group barcode12"):
        build(tmp_path, table)
    with pytest.raises(InputError, match=r"80 samples are normal tissue .* --normals drop"):
        build(tmp_path, table, group="barcode12")
    assert len(build(tmp_path, table, group="barcode12", normals="drop")) == 80
    apart = build(tmp_path, table, group="barcode12", normals="label")
    assert sorted(set(apart.labels("project"))) == ["BRCA", "BRCA (normal tissue)", "LUAD", "LUAD (normal tissue)"]
    kept = build(tmp_path, table, group="barcode12", normals="keep")
    assert len(kept) == 160
    assert "samples of normal tissue, with their labels as given" in notes(kept)
    alone = table.assign(project=[name[13:15] for name in ids])  # the label already parts them
    assert len(build(tmp_path, alone, group="barcode12")) == 160


@pytest.mark.parametrize(
    ("ids", "way"),
    [
        ([f"GTEX-{row // 2:04d}-{row}26-SM-5GZZ" for row in range(N)], "from-id"),
        ([f"TARGET-20-P{row // 2:05d}-0{row % 2 + 1}A" for row in range(N)], "from-id"),
    ],
)
def test_donors_of_other_programmes(tmp_path: Path, ids: list[str], way: str) -> None:
    table = labelled(ids).assign(project=np.where(np.arange(N) < 40, "A", "B"))
    with pytest.raises(InputError, match=f"80 samples are of 40 patients .*add --group {way}"):
        build(tmp_path, table)
    assert len(build(tmp_path, table, group="none")) == N


def test_a_column_of_patients_that_repeat_is_named(tmp_path: Path) -> None:
    ids = [f"S{row}" for row in range(N)]
    clinical = pd.DataFrame({"project": ["A", "B"] * 40, "PatientID": [f"P{row // 2}" for row in range(N)]}, index=ids)
    clinical.to_csv(tmp_path / "clinical.csv")
    with pytest.raises(InputError, match="add --group PatientID"):
        build(tmp_path, expression(ids), clinical=tmp_path / "clinical.csv")


def test_copies_are_named_dropped_or_kept_as_one_patient(tmp_path: Path) -> None:
    table = labelled(patients(120))
    table.iloc[100, :-1] = table.iloc[0, :-1].to_numpy()  # both LUAD
    table.iloc[101, :-1] = table.iloc[2, :-1].to_numpy()  # BRCA and LUAD
    with pytest.raises(InputError, match=r"2 profiles are listed under several ids .*1 of them across classes"):
        build(tmp_path, table)
    dropped = build(tmp_path, table, twins="drop")
    assert set(table.index) - set(dropped.samples) == {table.index[place] for place in (2, 100, 101)}
    kept = build(tmp_path, table, twins="keep")
    assert "copies kept, each set as one patient: 2 profiles" in notes(kept)
    owner = dict(zip(kept.samples.tolist(), kept.groups.tolist(), strict=True))
    assert owner[table.index[0]] == owner[table.index[100]]
    for fold in folds(kept):
        parts = [set(part) for part in (fold.train, fold.validation, fold.test, fold.audit)]
        for pair in ((0, 100), (2, 101)):
            assert sum(bool(part & {table.index[place] for place in pair}) for part in parts) <= 1


def test_ids_patients_and_labels_are_text_as_written(tmp_path: Path) -> None:
    ids = [f"{row:03d}" for row in range(N)]
    cluster = ["01", "1"] * 40
    donors = [("1E1", "10E0")[row % 2] if row < 2 else f"D{row}" for row in range(N)]
    cohort = build(tmp_path, expression(ids).assign(cluster=cluster, donor=donors), labels=("cluster",), group="donor")
    assert cohort.samples.tolist() == ids
    assert sorted(set(cohort.labels("cluster"))) == ["01", "1"]
    assert len(set(cohort.groups)) == N


def test_labels_are_trimmed_and_lookalikes_named(tmp_path: Path) -> None:
    table = labelled(patients())
    table.loc[table.index[:2], "project"] = ["LUAD ", "luad"]
    cohort = build(tmp_path, table)
    assert sorted(set(cohort.labels("project"))) == ["BRCA", "LUAD", "luad"]
    assert "values of project trimmed, such as 'LUAD '" in notes(cohort)
    assert "1: classes of project that differ in case or blanks alone" in notes(cohort)


def test_none_is_a_class_unless_declared_missing(tmp_path: Path) -> None:
    table = expression(patients(90)).assign(therapy=["None", "Radiation", "Drug"] * 30)
    whole = build(tmp_path, table, labels=("therapy",))
    assert len(whole) == 90
    assert card(whole).missing["therapy"] == 0
    fewer = build(tmp_path, table, labels=("therapy",), table=TableRules(absent=("None",)))
    assert len(fewer) == 60
    table.loc[table.index[0], "therapy"] = "[Unknown]"
    assert "no value of a label: therapy ('[Unknown]' 1)" in notes(build(tmp_path, table, labels=("therapy",)))


def test_whole_numbers_with_gaps_stay_whole_labels(tmp_path: Path) -> None:
    ids = patients()
    clinical = pd.DataFrame({"cluster": [0.0, 1.0] * 40}, index=ids)
    clinical.iloc[0] = np.nan
    clinical.to_parquet(tmp_path / "clinical.parquet")
    cohort = build(tmp_path, expression(ids), clinical=tmp_path / "clinical.parquet", labels=("cluster",))
    assert sorted(set(cohort.labels("cluster"))) == ["0", "1"]


def test_a_printed_floor_is_put_back_and_counted(tmp_path: Path) -> None:
    table = labelled(patients())
    table.iloc[:, :3] = -9.9658
    cohort = build(tmp_path, table, unit="log2(tpm+0.001)")
    assert (cohort.expression[:, :3] == np.float32(np.log2(0.001))).all()
    assert "240: values printed as -9.9658 set to the floor" in notes(cohort)
    assert card(cohort).floor_fraction == pytest.approx(3 / len(GENES))


def test_values_below_the_floor_are_clipped_when_asked(tmp_path: Path) -> None:
    table = labelled(patients())
    table.iloc[0, 0] = -0.5
    with pytest.raises(InputError, match="raise a few such values to it with --clip"):
        build(tmp_path, table)
    cohort = build(tmp_path, table, clip=True)
    assert cohort.expression[0, 0] == 0
    assert "1: values below 0 raised to it (--clip; lowest -0.5" in notes(cohort)


def test_linear_values_are_doubted_and_converted(tmp_path: Path) -> None:
    table = labelled(patients())
    table[GENES] = 2 ** (table[GENES] / 2.5) - 1
    table.iloc[3, 2] = 40.0
    with pytest.raises(InputError, match=r"too high for log2.tpm.1.; take the logarithm with --scale linear"):
        build(tmp_path, table)
    cohort = build(tmp_path, table, scale="linear")
    np.testing.assert_allclose(cohort.expression[5], np.log2(table[GENES].iloc[5] + 1), rtol=1e-6)
    skewed = labelled(patients())
    skewed[GENES] = np.exp(np.random.default_rng(1).normal(0, 1.2, (N, len(GENES)))).clip(0, 19)
    with pytest.raises(InputError, match=r"shape of linear ones.*--scale linear, or confirm with --scale log2"):
        build(tmp_path, skewed)
    assert len(build(tmp_path, skewed, scale="log2")) == N


@pytest.mark.parametrize(("scale", "factor"), [("ln", np.log2(np.e)), ("log10", np.log2(10))])
def test_other_logarithms_are_converted(tmp_path: Path, scale: str, factor: float) -> None:
    table = labelled(patients())
    table[GENES] /= 4
    cohort = build(tmp_path, table, scale=scale)
    np.testing.assert_allclose(cohort.expression, table[GENES].to_numpy() * factor, rtol=1e-6)


def annotated(path: Path, **more: Any) -> anndata.AnnData:
    counts = np.random.default_rng(0).poisson(20, (N, len(GENES)))
    obs = pd.DataFrame({"disease": ["A", "B"] * 40}, index=[f"S{row}" for row in range(N)])
    data = anndata.AnnData(np.log2(counts + 1).astype(np.float32), obs=obs, var=pd.DataFrame(index=GENES), **more)
    data.layers["counts"] = counts
    data.write_h5ad(path)
    return data


def test_counts_in_a_layer_are_kept_through_import_and_export(tmp_path: Path) -> None:
    data = annotated(tmp_path / "a.h5ad")
    sources = Sources("mine", tmp_path / "a.h5ad", "log2(count+1)", labels=("disease",), text_encoder="none")
    cohort = build_cohort(sources)
    np.testing.assert_array_equal(cohort.counts, data.layers["counts"])
    assert "read counts kept beside them (of counts)" in notes(cohort)
    for suffix in (".h5ad", ".zarr", ".h5mu"):
        if suffix != ".h5ad":
            pytest.importorskip({".zarr": "zarr", ".h5mu": "mudata"}[suffix])
        export_cohort(cohort, cohort.fingerprint(), tmp_path / f"out{suffix}")
        again = build_cohort(Sources("mine", tmp_path / f"out{suffix}", text_encoder="none"))
        assert again.fingerprint() == cohort.fingerprint()
    counts = build_cohort(Sources("mine", tmp_path / "a.h5ad", "counts", labels=("disease",), text_encoder="none",
                                  table=TableRules(layer="counts")))  # fmt: skip
    np.testing.assert_array_equal(counts.expression, data.layers["counts"])
    assert counts.counts is None


def test_natural_logarithms_are_no_log2(tmp_path: Path) -> None:
    annotated(tmp_path / "a.h5ad", uns={"log1p": {"base": None}})
    given = Sources("mine", tmp_path / "a.h5ad", "log2(cpm+1)", labels=("disease",), text_encoder="none")
    with pytest.raises(InputError, match=r"natural logarithms .*--scale ln"):
        build_cohort(given)


def slide(folder: Path, stem: str, features: np.ndarray, **attributes: str) -> Path:
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / f"{stem}.h5", "w") as file:
        file["features"] = features.astype(np.float32)
        file["features"].attrs.update(attributes)
        file["coords"] = np.arange(2 * len(features)).reshape(-1, 2)
    return folder / f"{stem}.h5"


def test_slides_that_are_empty_zero_doubled_frozen_or_normal_are_named(tmp_path: Path) -> None:
    folder, random = tmp_path / "features", np.random.default_rng(0)
    one = random.normal(size=(3, 4))
    for name, features in {
        "TCGA-AB-0001-01Z-00-DX1": one, "TCGA-AB-0002-01Z-00-DX1": one, "TCGA-AB-0003-01Z-00-DX1": 0 * one,
        "TCGA-AB-0001-01A-01-TS1": 2 * one, "TCGA-AB-0001-11A-01-DX1": 3 * one,
    }.items():  # fmt: skip
        slide(folder, name, features)
    found = read_patches(folder)
    assert found.ids.tolist() == ["TCGA-AB-0001", "TCGA-AB-0002"]
    assert {note.reason: note.count for note in found.notes} == {
        "slides of another kind: TS (frozen, top)": 1, "slides of normal tissue": 1,
        "slides whose features are all zero": 1, "slides with the features of another slide, kept": 1,
    }  # fmt: skip
    assert len(read_patches(folder, kinds=("DX", "TS")).patches.values) == 9


def test_the_encoder_is_not_the_name_of_a_slide(tmp_path: Path) -> None:
    one = np.ones((2, 3))
    assert stated_encoder(slide(tmp_path / "features_x", "a", one, encoder="uni_v2", name="a")) == "uni_v2"
    assert stated_encoder(slide(tmp_path / "features_x", "b", one, name="b")) == "x"
    assert stated_encoder(slide(tmp_path / "features_x", "c", one, name="uni_v1")) == "uni_v1"


def test_a_table_names_the_patients_of_slides(tmp_path: Path) -> None:
    for name in ("x17", "x18", "x19"):
        slide(tmp_path / "features", name, np.random.default_rng(len(name)).normal(size=(2, 3)) + int(name[1:]))
    (tmp_path / "slides.csv").write_text("filename,PATIENT\nx17.svs,P1\nx18.h5,P1\n")
    found = read_patches(tmp_path / "features", slides_table=tmp_path / "slides.csv")
    assert found.ids.tolist() == ["P1"]
    assert found.patches.counts.tolist() == [4]
    assert [note.reason for note in found.notes] == ["slides that the table of slides does not name"]
    (tmp_path / "slides.csv").write_text("slide,patient\nx17,P1\nx17,P2\n")
    with pytest.raises(InputError, match="1 slides belong to two patients"):
        read_patches(tmp_path / "features", slides_table=tmp_path / "slides.csv")


def test_many_slides_with_one_fault_are_one_error(tmp_path: Path) -> None:
    for number in range(9):
        slide(tmp_path / "features", f"s{number}", np.ones((2, 3)))
        with h5py.File(tmp_path / "features" / f"s{number}.h5", "r+") as file:
            del file["features"]
    with pytest.raises(InputError, match=r"features: 9 slides \(s0.h5, s1.h5, s2.h5, …\): dataset features") as raised:
        read_patches(tmp_path / "features")
    assert len(raised.value.problems) == 1

"""AnnData and MuData in and out: labels, unit, patients and provenance are kept; damage is named."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_export import export_cohort
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.anndata_files import columns_kept_apart, has_image_rows, read_annotated
from gexbench.tasks.importing.building import Sources, build_cohort
from gexbench.tasks.importing.patch_files import read_patches

SUFFIXES = [".h5ad", ".zarr", ".h5mu"]


@pytest.fixture
def cohort(small_cohort: Cohort) -> Cohort:
    """200 samples of 100 patients, two of each, with a history."""
    some = small_cohort.take(np.arange(200))
    patients = np.repeat([f"patient {number:03d}" for number in range(100)], 2)
    classes = [3, *[2] * (len(some.label_columns) - 1)]
    owners = np.repeat(np.arange(100), 2)
    labels = {
        column: [f"{column} {owner % number}" for owner in owners]
        for column, number in zip(some.label_columns, classes, strict=True)
    }
    clinical = some.clinical.assign(**labels).drop(columns="fold_site", errors="ignore")
    return replace(some, groups=patients, clinical=clinical, provenance={"kind": "test", "from": "somewhere"})


def _export(cohort: Cohort, path: Path) -> Path:
    if path.suffix == ".h5mu":
        pytest.importorskip("mudata")
    if path.suffix == ".zarr":
        pytest.importorskip("zarr")
    export_cohort(cohort, "the fingerprint", path)
    return path


def _gtex(tissues: int = 3, each: int = 60, genes: int = 15) -> anndata.AnnData:
    """Two samples of every donor, one label column, log2(tpm + 1)."""
    random = np.random.default_rng(0)
    n = tissues * each
    obs = pd.DataFrame(
        {
            "tissue": np.repeat([f"tissue {number}" for number in range(tissues)], each),
            "donor": [f"D{row // 2}" for row in range(n)],
        },
        index=[f"S{row:03d}" for row in range(n)],
    )
    values = random.gamma(2, 2, (n, genes)).astype(np.float32)
    return anndata.AnnData(X=values, obs=obs, var=pd.DataFrame(index=[f"ENSG{gene}" for gene in range(genes)]))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_exported_cohort_is_built_again_without_a_word(cohort: Cohort, tmp_path: Path, suffix: str) -> None:
    path = _export(cohort, tmp_path / f"out{suffix}")
    found = build_cohort(Sources("again", path, text_encoder="none"))
    rows = [found.samples.tolist().index(name) for name in cohort.samples]
    np.testing.assert_array_equal(found.expression[rows], cohort.expression)
    assert found.genes == cohort.genes
    assert found.unit == cohort.unit
    assert set(found.label_columns) == set(cohort.label_columns)
    for column in cohort.label_columns:
        assert found.labels(column)[rows].tolist() == cohort.labels(column).tolist()
    assert found.groups[rows].tolist() == cohort.groups.tolist()
    assert found.site_column == cohort.site_column
    stated = {"name": "small", "fingerprint": "the fingerprint", "provenance": {"kind": "test", "from": "somewhere"}}
    assert found.provenance["exported"] == stated
    assert len(found.provenance["files"]["expression"]["sha256"]) == 64
    assert (found.patches is not None) is (suffix == ".h5mu")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_samples_of_one_patient_never_cross_a_fold_after_the_way_through_a_file(
    cohort: Cohort, tmp_path: Path, suffix: str
) -> None:
    found = build_cohort(Sources("again", _export(cohort, tmp_path / f"out{suffix}"), text_encoder="none"))
    owner = dict(zip(found.samples.tolist(), found.groups.tolist(), strict=True))
    for fold in folds(found):
        parts = [{owner[name] for name in ids} for ids in (fold.train, fold.validation, fold.test, fold.audit)]
        assert len(set.union(*parts)) == sum(map(len, parts)) == 100


def test_patches_keep_their_patients_in_a_mudata_file(cohort: Cohort, tmp_path: Path) -> None:
    path = _export(cohort, tmp_path / "out.h5mu")
    assert has_image_rows(path)
    found = build_cohort(Sources("again", path, text_encoder="none"))
    assert found.patches is not None
    assert cohort.patches is not None
    for row, name in enumerate(cohort.samples[:20]):
        mine = found.patches.take(np.array([found.samples.tolist().index(name)])).values
        theirs = cohort.patches.take(np.array([row])).values
        assert sorted(map(tuple, mine.tolist())) == sorted(map(tuple, theirs.tolist()))


@pytest.mark.filterwarnings("ignore:.*pull_on_update:FutureWarning")
def test_a_mudata_without_options_is_written_all_the_same(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(pytest.importorskip("mudata"), "set_options", raising=False)
    found = build_cohort(Sources("again", _export(cohort, tmp_path / "out.h5mu"), text_encoder="none"))
    assert found.samples.tolist() == cohort.samples.tolist()


def test_a_mudata_file_with_one_image_row_per_sample(tmp_path: Path) -> None:
    mudata = pytest.importorskip("mudata")
    gtex = _gtex()
    features = np.random.default_rng(1).normal(size=(100, 4)).astype(np.float32)
    images = anndata.AnnData(X=features, obs=pd.DataFrame(index=gtex.obs_names[:100]))
    with columns_kept_apart():
        mudata.MuData({"rna": gtex, "histology": images}).write_h5mu(tmp_path / "both.h5mu")
    patches = read_patches(tmp_path / "both.h5mu")
    assert patches.patches.counts.tolist() == [1] * 100
    sources = Sources("both", tmp_path / "both.h5mu", "log2(tpm+1)", labels=("tissue",), group="donor", missing="mask")
    found = build_cohort(replace(sources, text_encoder="none"))
    assert found.patches is not None
    assert found.patches.counts.sum() == 100
    np.testing.assert_allclose(found.patches.values[0], features[0], atol=1e-2)


@pytest.mark.parametrize("suffix", [".h5ad", ".zarr"])
def test_a_matrix_with_one_label_column_is_built_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    path, gtex = tmp_path / f"gtex{suffix}", _gtex()
    if suffix == ".zarr":
        pytest.importorskip("zarr")
        gtex.write_zarr(path)
    else:
        gtex.write_h5ad(path)
    runner = CliRunner()
    build = ["cohort", "build", "gtex", "--expression", str(path), "--labels", "tissue", "--group", "donor"]
    built = runner.invoke(app, [*build, "--unit", "log2(tpm+1)"])
    assert built.exit_code == 0, built.output
    assert "180 of 90 patients" in built.output
    results = ["--results", str(tmp_path / "results")]
    run = ["run", "--cohort", "gtex", "--generators", "class-gaussian", "--folds", "0", "--workers", "1", *results]
    done = runner.invoke(app, [*run, "--dry-run"])
    assert done.exit_code == 0, done.output
    back = runner.invoke(app, ["cohort", "export", "gtex", "--out", str(tmp_path / f"back{suffix}")])
    assert back.exit_code == 0, back.output
    assert read_annotated(tmp_path / f"back{suffix}").header["label_columns"] == ["tissue"]
    again = runner.invoke(app, ["cohort", "export", "gtex", "--out", str(tmp_path / f"back{suffix}")])
    assert isinstance(again.exception, InputError)
    assert "--force" in str(again.exception)


def test_a_zarr_store_is_written_and_read_without_a_warning(
    cohort: Cohort, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    pytest.importorskip("zarr")
    warnings.simplefilter("always")
    export_cohort(cohort, "f", tmp_path / "a.zarr")
    read_annotated(tmp_path / "a.zarr")
    assert not [str(found.message) for found in recwarn if issubclass(found.category, UserWarning)]


def test_bad_targets_are_named_at_once(cohort: Cohort, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        export_cohort(cohort, "f", tmp_path / "none" / "out.xlsx")
    assert len(caught.value.problems) == 2


def test_a_folder_is_never_replaced_by_a_file(cohort: Cohort, tmp_path: Path) -> None:
    (tmp_path / "mine.h5ad").mkdir()
    with pytest.raises(InputError, match=r"--out mine\.h5ad: is a folder; choose another name"):
        export_cohort(cohort, "f", tmp_path / "mine.h5ad", force=True)
    assert (tmp_path / "mine.h5ad").is_dir()


def test_image_rows_without_an_owner_are_named(tmp_path: Path) -> None:
    mudata = pytest.importorskip("mudata")
    obs = pd.DataFrame({"sample": ["a", None]}, index=["r0", "r1"])
    images = anndata.AnnData(np.ones((2, 3), dtype=np.float32), obs=obs)
    with columns_kept_apart():
        mudata.MuData({"rna": _gtex(), "patches": images}).write_h5mu(tmp_path / "p.h5mu")
    with pytest.raises(InputError, match=r"p\.h5mu: 1 rows of image features have no sample \(r1\)"):
        read_patches(tmp_path / "p.h5mu")


def test_a_mudata_file_without_expression_lists_what_is_there(tmp_path: Path) -> None:
    mudata = pytest.importorskip("mudata")
    with columns_kept_apart():
        mudata.MuData({"protein": _gtex()}).write_h5mu(tmp_path / "p.h5mu")
    with pytest.raises(
        InputError, match=r"no modality with expression \(there: protein\); rename it to expression or rna"
    ):
        read_annotated(tmp_path / "p.h5mu")
    assert not has_image_rows(tmp_path / "p.h5mu")


def test_a_zarr_store_that_promises_too_much(tmp_path: Path) -> None:
    zarr: Any = pytest.importorskip("zarr")
    _gtex().write_zarr(tmp_path / "a.zarr")
    group = zarr.open_group(tmp_path / "a.zarr", mode="a")
    del group["X"]
    group.create_array("X", shape=(10**6, 10**6), chunks=(1000, 1000), dtype="float32")
    zarr.consolidate_metadata(tmp_path / "a.zarr")
    with pytest.raises(InputError, match=r"array 'X' should hold 4000000000000 bytes"):
        read_annotated(tmp_path / "a.zarr")
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(InputError, match=r"b\.zarr: not a readable \.zarr file"):
        read_annotated(tmp_path / "b.zarr")


def test_a_failed_export_leaves_what_was_there(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.h5ad"
    path.write_bytes(b"before")

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk")

    monkeypatch.setattr(anndata.AnnData, "write_h5ad", fail)
    with pytest.raises(OSError, match="disk"):
        export_cohort(cohort, "f", path, force=True)
    assert path.read_bytes() == b"before"
    assert [each.name for each in tmp_path.iterdir()] == ["out.h5ad"]

"""Cohort folders: bit-exact, whole or not at all, and damage is found."""

import json
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pytest

from gexbench.tasks.cohorts import cohort_folder as module
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import read_cohort, save_cohort
from gexbench.tasks.data_directory import cohort_folder, data_directory, list_cohorts, load_cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.text.text_encoders import encode


@pytest.fixture
def cohort(small_cohort: Cohort) -> Cohort:
    """100 patients, some without patches, with texts."""
    some = small_cohort.take(np.arange(100))
    assert some.patches is not None
    counts = some.patches.counts.copy()
    text = encode([f"Sex: {row % 3}." for row in range(len(some))])
    clinical = some.clinical.assign(
        empty=None, mixed=["a", None] * 50, flag=[True, False] * 50, number=np.arange(100), sample="S"
    )
    kept = np.arange(counts[:-3].sum())
    offsets = np.minimum(some.patches.offsets, len(kept))
    return replace(
        some,
        patches=replace(some.patches, values=some.patches.values[kept], offsets=offsets),
        text={"full": text},
        clinical=clinical,
        provenance={"kind": "test", "numbers": [1, 2.5]},
    )


def test_round_trip(cohort: Cohort, tmp_path: Path) -> None:
    fingerprint = save_cohort(cohort, tmp_path / "mine")
    found = read_cohort(tmp_path / "mine")
    assert found.fingerprint() == fingerprint == cohort.fingerprint()
    assert found.expression.dtype == np.float32
    assert found.samples.tolist() == cohort.samples.tolist()
    assert list(found.clinical.columns) == list(cohort.clinical.columns)
    for column in ("flag", "number", "age_diagnosed", "fold_random", "sample", "ajcc_stage"):
        given = cohort.clinical[column]
        assert found.clinical[column].where(given.notna(), None).tolist() == given.where(given.notna(), None).tolist()
    assert found.clinical["empty"].isna().all()
    assert found.provenance == cohort.provenance
    assert found.site_column == "tss"
    assert found.patches is not None
    assert found.patches.counts[-3:].tolist() == [0, 0, 0]
    assert set(found.text) == {"full"}


def test_the_table_opens_in_anndata(cohort: Cohort, tmp_path: Path) -> None:
    save_cohort(cohort, tmp_path / "mine")
    data = anndata.read_h5ad(tmp_path / "mine" / "cohort.h5ad")
    assert data.uns["unit"] == "log2(rsem+1)"
    assert json.loads(data.uns["gexbench"])["fingerprint"] == cohort.fingerprint()
    assert data.obs["project"].astype(str).tolist() == cohort.labels("project").tolist()


def test_an_existing_folder_is_kept_unless_replaced(cohort: Cohort, tmp_path: Path) -> None:
    save_cohort(cohort, tmp_path / "mine")
    fewer = cohort.take(np.arange(50))
    with pytest.raises(InputError, match="--force"):
        save_cohort(fewer, tmp_path / "mine")
    assert len(read_cohort(tmp_path / "mine")) == 100
    save_cohort(fewer, tmp_path / "mine", replace=True)
    assert len(read_cohort(tmp_path / "mine")) == 50
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_failed_save_leaves_what_was_there(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_cohort(cohort, tmp_path / "mine")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(module, "_write_table", fail)
    with pytest.raises(OSError, match="disk full"):
        save_cohort(cohort.take(np.arange(50)), tmp_path / "mine", replace=True)
    with pytest.raises(OSError, match="disk full"):
        save_cohort(cohort, tmp_path / "other")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert len(read_cohort(tmp_path / "mine")) == 100


def test_damage_is_found(cohort: Cohort, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    save_cohort(cohort, folder)
    whole = {path: path.read_bytes() for path in folder.iterdir()}

    def restore() -> None:
        for path, content in whole.items():
            path.write_bytes(content)

    with np.load(folder / "patches.npz") as arrays:
        values, offsets = arrays["values"].copy(), arrays["offsets"]
    values[0, 0] += 1
    np.savez(folder / "patches.npz", values=values, offsets=offsets)
    with pytest.raises(InputError, match="fingerprint differs"):
        read_cohort(folder)
    assert len(read_cohort(folder, verify=False)) == 100

    np.savez(folder / "patches.npz", values=values[:-1], offsets=np.minimum(offsets, len(values) - 1))
    with pytest.raises(InputError, match=r"patches.npz holds .* expected"):
        read_cohort(folder, verify=False)

    np.savez(folder / "patches.npz", values=np.asarray([{}], dtype=object), offsets=offsets)
    with pytest.raises(InputError, match="is pickled"):
        read_cohort(folder, verify=False)

    restore()
    (folder / "patches.npz").unlink()
    with pytest.raises(InputError, match="no such file"):
        read_cohort(folder)

    restore()
    (folder / "cohort.h5ad").write_bytes(whole[folder / "cohort.h5ad"][:5000])
    with pytest.raises(InputError, match="build the cohort again"):
        read_cohort(folder)


def test_another_schema_is_refused(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SCHEMA", 2)
    save_cohort(cohort, tmp_path / "mine")
    monkeypatch.undo()
    with pytest.raises(InputError, match="schema 2, but this version reads 1"):
        read_cohort(tmp_path / "mine")


def test_data_directory(cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path))
    assert list_cohorts() == [("simulated", "built in")]
    save_cohort(cohort, cohort_folder("mine"))
    assert list_cohorts() == [("simulated", "built in"), ("mine", str(tmp_path / "cohorts" / "mine"))]
    assert load_cohort("mine").fingerprint() == cohort.fingerprint()
    with pytest.raises(InputError, match="did you mean 'mine'"):
        load_cohort("mien")
    with pytest.raises(InputError, match="built-in cohort"):
        cohort_folder("simulated")
    with pytest.raises(InputError, match="cohort name"):
        cohort_folder("../etc")
    monkeypatch.delenv("GEXBENCH_DATA")
    assert data_directory().name == "gexbench"


def test_a_data_directory_that_leads_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "loop"))
    with pytest.raises(InputError, match=r"GEXBENCH_DATA=.*loop: .*; set"):
        cohort_folder("mine")


def test_a_data_directory_that_cannot_be_written_is_named(
    small_cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*names: object, **more: object) -> str:
        raise PermissionError(13, "Permission denied")

    place = tmp_path / "cohorts" / "mine"
    with monkeypatch.context() as patched:
        patched.setattr("tempfile.mkdtemp", refused)
        with pytest.raises(InputError, match=r"cohorts: cannot be written \(Permission denied\); set GEXBENCH_DATA"):
            save_cohort(small_cohort, place)
    save_cohort(small_cohort, place)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refused)
        with pytest.raises(
            InputError, match=r"cohorts/mine: cannot be replaced \(Permission denied\); set GEXBENCH_DATA"
        ):
            save_cohort(small_cohort, place, replace=True)
    assert [path.name for path in place.parent.iterdir()] == ["mine"]
    assert len(read_cohort(place)) == len(small_cohort)

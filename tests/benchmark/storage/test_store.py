"""The store: atomic, checksummed, a corrupt entry is a miss."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from gexbench.benchmark.storage.kept_records import kept_record
from gexbench.benchmark.storage.sealed import sealed
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.keys import content_key
from gexbench.tasks.files.atomic import write_text
from gexbench.tasks.files.input_paths import checksum


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store")
    made.make()
    return made


def test_json_comes_back(store):
    store.write_json("records", "k", {"a": [1, 2.5, None], "b": "x"})
    assert store.read_json("records", "k") == {"a": [1, 2.5, None], "b": "x"}
    assert store.read_json("records", "other") is None
    assert store.corrupt == []


def test_rows_come_back_bit_for_bit(store):
    rows = np.random.default_rng(0).random((5, 3), dtype=np.float32)
    store.write_rows("k", {"test": rows, "test_ids": np.array(["a", "b"])}, {"seeds": {"fit": 3}})
    arrays, facts = store.read_rows("k")
    np.testing.assert_array_equal(arrays["test"], rows)
    assert arrays["test_ids"].tolist() == ["a", "b"]
    assert facts == {"seeds": {"fit": 3}}


def test_a_changed_record_is_a_miss_and_is_reported(store):
    store.write_json("records", "k", {"value": 0.5})
    path = store.folder / "records" / "k.json"
    path.write_text(path.read_text().replace("0.5", "0.9"))
    assert store.read_json("records", "k") is None
    assert store.corrupt == ["records/k.json"]


def test_an_entry_in_another_layout_has_the_same_checksum(store):
    store.write_json("records", "k", {"b": "é", "a": {"sha256": "x", "n": [1.5, None]}})
    path = store.folder / "records" / "k.json"
    whole = store.read_json("records", "k")
    path.write_text(json.dumps(json.loads(path.read_text()), indent=1))
    assert store.read_json("records", "k") == whole
    path.write_text(path.read_text().replace("1.5", "2.5"))
    assert store.read_json("records", "k") is None
    assert store.corrupt == ["records/k.json"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "no facts"])
def test_damaged_rows_are_a_miss(store, damage):
    store.write_rows("k", {"test": np.ones((50, 3), np.float32)}, {})
    path = store.folder / "rows" / "k" / "rows.npz"
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        path.write_bytes(content[:100])
    elif damage == "flip":
        content[200] ^= 1
        path.write_bytes(content)
    else:
        (store.folder / "rows" / "k" / "cell.json").write_text("{")
    assert store.read_rows("k") is None
    assert store.corrupt == ["rows/k"]


def test_nan_is_refused_and_nothing_is_left(store):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json("records", "k", {"value": float("nan")})
    assert list((store.folder / "records").iterdir()) == []


def test_a_failed_write_keeps_the_old_content(store, monkeypatch):
    store.write_json("records", "k", {"value": 1})

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.write_json("records", "k", {"value": 2})
    with pytest.raises(OSError, match="No space"):
        store.write_rows("r", {"test": np.ones(3)}, {})
    monkeypatch.undo()
    assert store.read_json("records", "k") == {"value": 1}
    assert store.read_rows("r") is None
    assert [path.name for path in (store.folder / "records").iterdir()] == ["k.json"]
    assert list((store.folder / "rows").iterdir()) == []


def test_leftovers_of_a_kill_are_swept(store):
    (store.folder / "rows" / ".writing-999999999-x").mkdir()
    (store.folder / "records" / ".writing-y").write_text("half")
    (store.folder / "records" / f".writing-{os.getpid()}-z").write_text("being written")
    store.write_json("records", "k", {})
    store.sweep_temporaries()
    assert sorted(path.name for path in store.folder.glob("*/*")) == [
        f".writing-{os.getpid()}-z",
        "k.json",
    ]


def test_pickled_arrays_are_not_read(store):
    store.write_rows("k", {"test": np.ones(3)}, {})
    folder = store.folder / "rows" / "k"
    np.savez(folder / "rows.npz", test=np.array([{"a": 1}], dtype=object))
    (folder / "cell.json").write_text(sealed({"rows_sha256": checksum(folder / "rows.npz")}, "k"))
    assert store.read_rows("k") is None


def test_keys_depend_on_names_and_values_not_on_order():
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert len({content_key({"a": 1}), content_key({"a": 2}), content_key({"b": 1}), content_key({"a": "1"})}) == 4


def test_write_text_replaces_at_once(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "one")
    write_text(path, "two")
    assert path.read_text() == "two"
    assert list(tmp_path.iterdir()) == [path]


def test_rows_that_are_whole_stay_and_damaged_ones_are_replaced(store):
    """Two processes that train the same cell do not take each other's rows away while they are read."""
    folder = store.folder / "rows" / "k"
    store.write_rows("k", {"test": np.ones(3)}, {"times_s": {"fit": 1.0}})
    store.write_rows("k", {"test": np.ones(3)}, {"times_s": {"fit": 2.0}})
    assert store.read_rows("k")[1] == {"times_s": {"fit": 1.0}}
    store.drop_corrupt_rows("k")
    assert store.has_rows("k")
    for damaged in ("rows.npz", "cell.json"):
        (folder / damaged).write_bytes(b"damaged")
        store.write_rows("k", {"test": np.zeros(3)}, {})
        assert store.read_rows("k")[0]["test"].tolist() == [0, 0, 0]
    (folder / "rows.npz").write_bytes(b"damaged")
    store.drop_corrupt_rows("k")
    assert not store.has_rows("k")
    assert store.corrupt == ["rows/k"] * 3
    assert list((store.folder / "rows").iterdir()) == []


def test_a_folder_that_another_process_keeps_first_stands(store, monkeypatch):
    rename = Path.rename

    def later(path, target):
        if path.name.startswith(".writing"):
            Path(target).mkdir()
            (Path(target) / "other").write_text("first")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", later)
    store.write_model("m", lambda folder: (folder / "mine").write_text("late") and None)
    assert [path.name for path in (store.folder / "models" / "m").iterdir()] == ["other"]
    assert [path.name for path in (store.folder / "models").iterdir()] == ["m"]


def test_an_entry_under_another_key_is_a_miss(store):
    """Whoever copies or renames an entry, by hand or by a broken synchronisation, gets no other cell's numbers."""
    store.write_json("records", "k", {"value": 1})
    store.write_rows("k", {"test": np.ones(3)}, {"seeds": {}})
    store.write_log("k", b"log")
    store.write_model("k", lambda folder: (folder / "model").write_text("weights") and None)
    assert store.model("k") is not None
    for part, suffix in (("records", ".json"), ("training", ".log")):
        shutil.copy(store.folder / part / f"k{suffix}", store.folder / part / f"other{suffix}")
    for part in ("rows", "models"):
        shutil.copytree(store.folder / part / "k", store.folder / part / "other")
    assert store.read_json("records", "other") is store.read_rows("other") is store.read_log("other") is None
    assert store.model("other") is store.read_facts("other") is None
    assert store.corrupt == ["records/other.json", "rows/other", "training/other.log", "models/other"]


@pytest.mark.parametrize("damage", ["facts", "log", "model", "further file"])
def test_facts_logs_and_models_are_under_the_checksum_too(store, damage):
    store.write_rows("k", {"test": np.ones(3)}, {"fitted": 12})
    store.write_log("k", b"log")
    store.write_model("k", lambda folder: (folder / "model").write_text("weights") and None)
    if damage == "facts":
        path = store.folder / "rows" / "k" / "cell.json"
        path.write_text(path.read_text().replace("12", "13"))
        assert store.read_facts("k") is store.read_rows("k") is None
    elif damage == "log":
        path = store.folder / "training" / "k.log"
        path.write_bytes(path.read_bytes() + b".")
        assert store.read_log("k") is None
    else:
        name = "model" if damage == "model" else "more"
        (store.folder / "models" / "k" / name).write_text("other weights")
        assert store.model("k") is None


@pytest.mark.parametrize("change", [{"keys": {"record": "other"}}, {"keys": None}, {"state": "won"}, {"state": None}])
def test_a_record_that_says_another_key_or_no_known_state_is_a_miss(store, change):
    content = {"keys": {"record": "k"}, "state": "ok"}
    store.write_json("records", "k", content)
    assert kept_record(store, "k") == content
    store.write_json("records", "k", {**content, **change})
    assert kept_record(store, "k") is None
    assert store.corrupt == ["records/k.json"]


def test_what_is_no_regular_file_is_a_miss_and_nobody_waits_for_it(store):
    for path in ("records/k.json", "training/k.log"):
        os.mkfifo(store.folder / path)
    (store.folder / "rows" / "k").mkdir()
    os.mkfifo(store.folder / "rows" / "k" / "cell.json")
    assert store.read_json("records", "k") is store.read_log("k") is store.read_rows("k") is None
    assert store.corrupt == ["records/k.json", "training/k.log", "rows/k"]


def test_an_entry_nested_without_end_is_a_miss(store):
    (store.folder / "records" / "k.json").write_text("[" * 100_000)
    assert store.read_json("records", "k") is None

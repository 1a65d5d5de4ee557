"""A store with a cap, a full disk, two processes on one store."""

import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest

from gexbench.benchmark.storage.sealed import SCHEMA
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.storage.store_cap import evict, in_use
from gexbench.tasks.errors import InputError

COMMAND = [sys.executable, "-m", "gexbench.benchmark.cli", "run"]
RUN = [*COMMAND, "--cohort", "small", "--folds", "0", "--generators", "mixup", "--name", "test", "--results"]


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store")
    made.make()
    for key, rows in (("small", 10), ("large", 10_000), ("middle", 5_000)):
        made.write_rows(key, {"test": np.ones((rows, 10), np.float32)}, {})
        made.write_json("records", key, {"state": "ok"})
    return made


def kept(store):
    return {key for key in ("small", "middle", "large") if store.has_rows(key)}


def test_the_largest_rows_leave_first_and_only_as_many_as_must(store):
    assert evict(store, float("inf")).cells == 0
    gone = evict(store, 500_000)
    assert (gone.cells, kept(store)) == (1, {"small", "middle"})
    assert gone.freed > 400_000
    assert gone.held < 500_000
    assert store.read_json("records", "large") == {"state": "ok"}
    assert store.read_rows("large") is None
    assert store.corrupt == []


def test_rows_that_a_running_sweep_needs_stay(store):
    assert evict(store, 0, needed=["large"]).cells == 2
    assert kept(store) == {"large"}


def test_rows_that_another_process_needs_stay_until_it_is_gone(store):
    with in_use(store, ["large"]):
        path = store.folder / "running" / f"{os.getpid()}.json"
        assert json.loads(path.read_text()) == ["large"]
        path.rename(path.with_name("1.json"))  # a process that lives
        assert evict(store, 0).cells == 2
        assert kept(store) == {"large"}
        (store.folder / "running" / "1.json").rename(store.folder / "running" / "999999999.json")
        assert evict(store, 0).cells == 1
    assert list((store.folder / "running").iterdir()) == []


def test_a_store_of_another_schema_is_refused_and_left_alone(store):
    path = store.folder / "store.json"
    assert json.loads(path.read_text()) == {"schema": SCHEMA}
    path.write_text(json.dumps({"schema": SCHEMA + 1}))
    with pytest.raises(InputError, match="another version of gexbench"):
        store.make()
    assert json.loads(path.read_text()) == {"schema": SCHEMA + 1}
    facts = store.folder / "rows" / "small" / "cell.json"
    facts.write_text(facts.read_text().replace(f'"schema": {SCHEMA}', f'"schema": {SCHEMA + 1}'))
    assert store.read_rows("small") is None
    assert store.corrupt == ["rows/small"]


def records(results):
    found = {}
    for path in sorted((results / "leaderboards" / "test" / "records").glob("*.json")):
        record = json.loads(path.read_text())
        found[path.name] = (record["state"], record["metrics"])
    return found


def whole(results):
    """Every entry of the store can be read."""
    store = Store(results / "store")
    for part in ("records", "folds"):
        list(store.each(part))
    for path in (results / "store" / "rows").iterdir():
        assert store.read_rows(path.name) is not None
    return store.corrupt == []


@pytest.mark.slow  # a sweep in a process of its own
def test_a_limit_on_files_is_a_clear_error(workbench, tmp_path):
    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    results = tmp_path / "limited"
    ended = subprocess.run([*RUN, results], capture_output=True, text=True, preexec_fn=limited, check=False)
    assert ended.returncode == 1
    assert "the disk is full" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert whole(results)
    assert list((results / "store" / "rows").iterdir()) == []


@pytest.mark.slow  # two sweeps on a disk of their own
def test_a_full_disk_is_a_clear_error_and_the_same_command_resumes(workbench, tmp_path):
    results = tmp_path / "full"
    results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "none", str(results)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a small file system here")
    try:
        ended = subprocess.run([*RUN, results], capture_output=True, text=True, check=False)
        assert ended.returncode == 1, ended.stdout + ended.stderr
        assert f"the disk is full ({results}" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert whole(results)
        subprocess.run(["mount", "-o", "remount,size=200m", str(results)], check=True)
        subprocess.run([*RUN, results], capture_output=True, check=True)
        assert whole(results)
        assert {state for state, _ in records(results).values()} == {"ok"}
    finally:
        subprocess.run(["umount", str(results)], check=True)


@pytest.mark.slow  # three sweeps, two of them side by side
def test_two_processes_on_one_store_do_not_collide(workbench, tmp_path):
    shared, alone = tmp_path / "shared", tmp_path / "alone"
    both = [subprocess.Popen([*RUN, shared], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    for process in both:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output.decode()
        assert b"corrupt" not in output
    assert whole(shared)
    assert list((shared / "store").glob("*/.writing-*")) == []
    subprocess.run([*RUN, alone], capture_output=True, check=True)
    assert records(shared) == records(alone)


def test_a_sweep_under_a_cap_ends_and_keeps_its_records(workbench):
    runner = workbench.runner({"one": {}})
    runner.store_cap = 0
    summary = runner.run(2, workbench.display())
    assert summary.states == {"ok": 5}
    assert summary.evicted.cells == 5
    assert list((workbench.results / "store" / "rows").iterdir()) == []
    again = runner.run(2, workbench.display())
    assert (again.cached, again.evicted.cells) == (5, 0)

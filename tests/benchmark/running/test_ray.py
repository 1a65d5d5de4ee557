"""Sweeps on a Ray cluster: a head and two nodes on the loopback, in a network namespace of their own."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest

from gexbench.benchmark import cli
from gexbench.benchmark.cells.development import Development, expression_given, told
from gexbench.benchmark.cells.jobs import Job
from gexbench.benchmark.running import ray_pool, ray_worker
from gexbench.benchmark.running.ray_worker import made, needed
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.reading import Given, checked
from gexbench.models import registry
from gexbench.tasks.errors import InputError

COMMAND = [sys.executable, "-m", "gexbench.benchmark.cli", "run"]
ALONE = ["unshare", "--net", "--user", "--map-root-user", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
CLUSTER = """
import json, os, subprocess, sys, time
from pathlib import Path
from ray.cluster_utils import Cluster

runs, results, killed_after = json.loads(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
on_loopback = {"node_ip_address": "127.0.0.1", "object_store_memory": 10**8}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **on_loopback})
nodes = [cluster.add_node(num_cpus=1, **on_loopback) for _ in range(2)]
code = 0
for number, run in enumerate(runs):
    process = subprocess.Popen([*run, "--executor", "ray", "--address", cluster.address])
    while number == 0 and process.poll() is None:
        if len(list((results / "store" / "records").glob("*.json"))) >= killed_after:
            cluster.remove_node(nodes.pop(), allow_graceful=False)
            print("a node was killed", flush=True)
            break
        time.sleep(0.05)
    code = max(code, process.wait())
cluster.shutdown()
sys.exit(code)
"""
BAD = """
import os, signal, time
import numpy as np
from gexbench.models.contract import Generator

class Broken(Generator):
    def fit(self, train, validation, *, seed, progress=None): self.go_wrong()
    def sample(self, conditions, draws=1, *, seed): ...
    def state(self): return {}, {}
    def restore(self, tensors, facts, device): ...
    def go_wrong(self): raise RuntimeError("no luck")

class Exits(Broken):
    def go_wrong(self): print("the last words"); os._exit(7)

class Hangs(Broken):
    def go_wrong(self): signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); time.sleep(600)

class Fills(Broken):
    def go_wrong(self):
        held = []
        while True: held.append(np.ones(2**24))
"""
STATES = {"broken": "failed", "exits": "failed", "hangs": "timeout", "fills": "out of memory"}


def can_be_alone() -> bool:
    return bool(shutil.which("unshare")) and subprocess.run([*ALONE, "true"], capture_output=True).returncode == 0


def records(results: Path, name: str) -> dict[str, dict]:
    folder = results / "leaderboards" / name / "records"
    return {path.name: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def table(results: Path, name: str) -> bytes:
    """The leaderboard's table without the columns of times and memory."""
    frame = pd.read_csv(results / "leaderboards" / name / "leaderboard.csv")
    measured = [column for column in frame.columns if column.endswith(("_cpu_s", "_wall_s", "_memory_bytes"))]
    return frame.drop(columns=measured).to_csv(index=False).encode()


@pytest.mark.slow  # starts a cluster of three nodes and runs four sweeps: three minutes, far more on a busy machine
@pytest.mark.timeout(1500)
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray: pip install 'gexbench[ray]'")
@pytest.mark.skipif(not can_be_alone(), reason="needs a network namespace with a loopback of its own")
def test_one_worker_four_workers_and_a_cluster_that_loses_a_node_give_the_same_table(workbench, tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(BAD)
    here = [*COMMAND, "--cohort", "small", "--folds", "0", "--results"]
    whole = ["--generators", "mixup,vae", "--name", "whole", "--keep-models"]
    wrong = ["--generators", ",".join(f"{bad}:{name.title()}" for name in STATES), "--name", "wrong"]
    wrong += ["--time-limit", "90", "--memory-gb", "1.8"]
    for workers in ("1", "4"):
        subprocess.run([*here, str(tmp_path / workers), *whole, "--workers", workers], check=True, capture_output=True)
    results = tmp_path / "cluster"
    runs = [[*here, str(results), *more, "--workers", "2"] for more in (whole, wrong)]
    script = tmp_path / "cluster.py"
    script.write_text(CLUSTER)
    arguments = [json.dumps(runs), str(results), "2"]
    ended = subprocess.run(
        [*ALONE, sys.executable, str(script), *arguments], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said  # the second sweep holds failed cells
    assert "a node was killed" in said
    assert "its worker was lost" in said
    assert "other versions" not in said
    assert table(results, "whole") == table(tmp_path / "1", "whole") == table(tmp_path / "4", "whole")
    assert {record["state"] for record in records(results, "whole").values()} == {"ok"}
    found = {record["generator"]["name"]: record for record in records(results, "wrong").values()}
    assert {name: found[name]["state"] for name in STATES} == STATES
    assert found["exits"]["output"] == ["the last words"]
    assert "RuntimeError: no luck" in found["broken"]["traceback"]
    assert found["class-gaussian"]["state"] == "ok"
    store = Store(results / "store")
    for path in (store.folder / "rows").iterdir():
        assert store.read_rows(path.name) is not None
    assert list((results / "store" / "models").iterdir()), "--keep-models brings models back from the nodes"
    assert not list((results / "store").glob("*/.writing-*"))
    assert not [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(process.info["cmdline"] or ())
    ]


def test_a_worker_of_a_node_trains_without_the_cohort_and_scores_with_it(workbench, monkeypatch):
    """All that a worker does but Ray: files and expression come as bytes, entries of the store go back."""
    monkeypatch.setattr(ray_worker, "_cells_of_this_node", lambda cpus, gpus: 1)
    monkeypatch.setattr(ray_worker, "_start_workers_without_main", lambda: None)
    runner = workbench.runner({"one": {}})
    plan, cohort, cell = runner.plan, workbench.cohort, runner.plan.cells[-1]
    runner.store.make()
    worker = ray_worker.RayWorker(plan, ray_pool._files(cohort), told(cohort), False, 1.0, 0.0)
    with Development.of(cohort, runner.store.folder / "running") as development:
        ids = expression_given(cell)
        expression = np.fromfile(development.put(cohort, ids), dtype=np.uint8)
        for kind, given in (("prepare", None), ("train", expression), ("score", None)):
            job = Job(kind, cell.fold, None if kind == "prepare" else cell)
            entries = {place: files for place in needed(job, plan) if (files := runner.store.packed(*place))}
            *_, (_, outcome, written) = worker.do(job, entries, given)
            assert outcome.state == "ok", outcome.reason
            for place, files in written.items():
                runner.store.unpack(*place, files)
    assert {path.suffix for path in worker.development.folder.iterdir()} >= {".expression", ".json"}
    worker.close()
    assert runner.state_of(cell) == "cached"
    assert not worker.folder.exists()


def test_what_a_job_reads_and_writes_travels_between_stores(workbench, tmp_path):
    runner = workbench.runner({"one": {}})
    runner.keep_models = True
    runner.run(1, workbench.display())
    plan, here = runner.plan, runner.store
    cell = plan.cells[-1]
    there = Store(tmp_path / "there")
    there.make()
    for kind in ("prepare", "train", "score"):
        job = Job(kind, cell.fold, None if kind == "prepare" else cell)
        for place in (*needed(job, plan), *made(job, plan)):
            there.unpack(*place, here.packed(*place))
    assert there.read_json("records", cell.score_key) == here.read_json("records", cell.score_key) is not None
    assert there.read_json("folds", plan.fold_key(cell.fold)) is not None
    arrays, facts = there.read_rows(cell.train_key)
    assert facts == here.read_rows(cell.train_key)[1]
    assert {name: rows.tobytes() for name, rows in arrays.items()} == {
        name: rows.tobytes() for name, rows in here.read_rows(cell.train_key)[0].items()
    }
    model = here.packed("models", cell.train_key)
    assert model
    assert there.packed("models", cell.train_key) == model
    there.write_log(cell.train_key, b"of an earlier attempt")
    there.unpack("training", cell.train_key, {})
    assert there.read_log(cell.train_key) is None
    for place in (("rows", cell.train_key), ("records", cell.score_key)):
        there.drop(*place)
        assert there.packed(*place) == {}
    assert there.corrupt == []


def test_without_ray_there_is_one_clear_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_pool, "find_spec", lambda name: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gexbench", "run", "--executor", "ray"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "pip install -c constraints.txt 'gexbench[ray]'" in said
    assert len(said.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "message"),
    [("127.0.0.1:1", "no answer"), ("ray://head:10001", "give HOST:PORT"), ("head", "give HOST:PORT")],
)
def test_an_address_without_a_cluster_is_one_clear_error(address, message, monkeypatch):
    monkeypatch.setattr(ray_pool, "find_spec", lambda name: object())
    with pytest.raises(InputError, match=message):
        ray_pool.check_ray(address)


def test_the_executor_and_what_a_cell_takes_stand_in_a_specification():
    content = {"executor": "ray", "address": "head:6379", "resources": {"gpus": 0.5, "threads": 4}}
    found = checked(Given(content, "sweep.yaml", "sweep"), {}, registry())
    assert (found.executor, found.address, found.resources.gpus) == ("ray", "head:6379", 0.5)
    assert checked(Given(content, "sweep.yaml", "sweep"), {"address": "other:1"}, registry()).address == "other:1"
    for wrong, message in (
        ({"address": "head:6379"}, "add executor: ray"),
        ({"executor": "rya"}, "executor: 'rya'"),
        ({"executor": "ray", "resources": {"gpus": 0}}, "resources.gpus: 0"),
    ):
        with pytest.raises(InputError, match=message):
            checked(Given(wrong, "sweep.yaml", "sweep"), {}, registry())


def test_no_command_imports_ray_unasked(tmp_path):
    modules = "gexbench.benchmark.cli, gexbench.benchmark.running.runner"
    code = f"import sys, {modules}; sys.exit('ray' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=os.environ)

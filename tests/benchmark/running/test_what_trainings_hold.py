"""What a process holds that trains: objects, memory, open files and mapped ones, searched from within `fit` and
`sample` for the expression of every patient of the cohort."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from gexbench.benchmark.sweeps.planning import chosen_folds
from gexbench.models.registry import Entry, Registry
from gexbench.tasks.data_directory import cohort_folder

SPY = '''
"""A generator for tests that searches its process for expression, and tells whose it found and how it may read more."""
import gc, json, os, subprocess, sys
from pathlib import Path
import numpy as np
import torch
from gexbench.models.contract import Generator, GeneratorSettings, Samples

MASK = np.uint64(0x5A5A5A5A5A5A5A5A)  # what is searched for is never in memory as it is

def masked():
    return np.load(os.environ["GEXBENCH_TEST_MASKED"])

def in_bytes(content, shifts=range(4)):
    """Patients of whom eight bytes of expression, two neighbouring values, are in a piece of memory."""
    known, found = masked(), set()
    ends = np.zeros(2**16, dtype=bool)
    ends[((known ^ MASK) & np.uint64(0xFFFF)).astype(np.intp)] = True
    for shift in (first + half for first in shifts for half in (0, 4)):
        words = np.frombuffer(content, dtype=np.uint64, offset=shift, count=max(0, len(content) - shift) // 8)
        likely = words[ends[words.view(np.uint16)[::4]]]
        found |= set(np.flatnonzero(np.isin(known, np.unique(likely) ^ MASK)).tolist())
    return found

def in_objects():
    """Arrays are not tracked themselves: they are what tracked objects refer to, globals and frames among them."""
    found, held = set(), {id(one): one for value in gc.get_objects() for one in (value, *gc.get_referents(value))}
    for one in held.values():
        if isinstance(one, torch.Tensor) and one.device.type == "cpu" and one.dtype == torch.float32:
            one = one.detach().numpy()
        if isinstance(one, np.ndarray) and one.dtype == np.float32 and one.size:
            found |= in_bytes(np.ascontiguousarray(one).tobytes(), (0,))
    return found

def in_memory():
    found = set()
    with open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in Path("/proc/self/maps").read_text().splitlines():
            place, rights, _, _, inode = line.split()[:5]
            if rights[:2] != "rw" or inode != "0" or line.endswith("[vvar]"): continue
            start, end = (int(part, 16) for part in place.split("-"))
            for at in range(start, end, 2**22):
                try:
                    memory.seek(at)
                    found |= in_bytes(memory.read(min(2**22 + 8, end - at)), (0,))
                except (OSError, ValueError, OverflowError): break
    return found

def in_files():
    places = {line.split(maxsplit=5)[5] for line in Path("/proc/self/maps").read_text().splitlines() if "/" in line}
    places |= {os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()}
    own = [p for p in places if p.startswith(os.environ["GEXBENCH_TEST_FILES"]) and Path(p).is_file()]
    return set().union(*(in_bytes(Path(place).read_bytes()) for place in own))

def searched():
    return {"objects": sorted(in_objects()), "memory": sorted(in_memory()), "files": sorted(in_files())}

READ = "from gexbench.tasks.data_directory import *; from gexbench.tasks.cohorts.cohort_folder import read_cohort;"

def refused():
    from gexbench.tasks.cohorts.cohort_folder import read_cohort
    from gexbench.tasks.data_directory import load_cohort
    folder, said = os.environ["GEXBENCH_TEST_COHORT"], []
    for read, place in ((load_cohort, "small"), (read_cohort, Path(folder))):
        try: said.append(f"held {len(read(place, verify=False))} patients")
        except Exception as error: said.append(f"{type(error).__name__}: {error}")
    child = [sys.executable, "-c", READ + "load_cohort('small')"]
    said.append(subprocess.run(child, capture_output=True, text=True).stderr.strip().splitlines()[-1])
    return said

class Settings(GeneratorSettings):
    number: int = 0

class Spy(Generator):
    Settings = Settings
    def tell(self, what):
        with Path(os.environ["GEXBENCH_TEST_TOLD"]).open("a") as file: file.write(json.dumps(what) + "\\n")
    def fit(self, train, validation, *, seed, progress=None):
        self.genes, self.mean = train.genes, train.expression.mean(0)
        self.tell({"in": "fit", "pid": os.getpid(), **searched(), "said": refused()})
    def sample(self, conditions, draws=1, *, seed):
        if draws > 1: self.tell({"in": "sample", "pid": os.getpid(), **searched(), "said": refused()})
        noise = torch.randn(len(conditions) * draws, len(self.genes), generator=torch.Generator().manual_seed(seed))
        return Samples.of((self.mean + noise).clamp(min=0), conditions, draws, self.genes)
    def state(self): return {"mean": self.mean}, {"genes": list(self.genes)}
    def restore(self, tensors, facts, device): ...
'''
HOLDS_ALL = """
import json, sys
import gexbench_test_spy as spy
from gexbench.tasks.data_directory import load_cohort
cohort = load_cohort("small")
print(json.dumps(spy.searched()))
"""


def masked(cohort):
    """Of every patient two neighbouring values that nobody else has, masked, (n,) uint64."""
    words = np.ascontiguousarray(cohort.expression[:, : cohort.expression.shape[1] // 2 * 2]).view(np.uint64)
    halves = np.ascontiguousarray(words).view(np.uint32).reshape(*words.shape, 2)
    proper = (halves != 0).all(axis=-1) & (halves[..., 0] != halves[..., 1])
    names, counts = np.unique(words, return_counts=True)
    proper &= counts[np.searchsorted(names, words)] == 1
    assert proper.any(axis=1).all()
    return words[np.arange(len(words)), proper.argmax(axis=1)] ^ np.uint64(0x5A5A5A5A5A5A5A5A)


@pytest.fixture
def spied(workbench, tmp_path, monkeypatch):
    (tmp_path / "modules" / "gexbench_test_spy.py").write_text(SPY)
    np.save(tmp_path / "masked.npy", masked(workbench.cohort))
    monkeypatch.setenv("GEXBENCH_TEST_MASKED", str(tmp_path / "masked.npy"))
    monkeypatch.setenv("GEXBENCH_TEST_TOLD", str(tmp_path / "told.jsonl"))
    monkeypatch.setenv("GEXBENCH_TEST_COHORT", str(cohort_folder("small")))
    monkeypatch.setenv("GEXBENCH_TEST_FILES", str(tmp_path))
    entries = [
        Entry(name, "gexbench_test_spy:Spy", "test", (), "for tests", settings={"number": number})
        for number, name in enumerate(("spy", "second-spy"))
    ]
    workbench.registry = Registry((*workbench.registry.values(), *entries))
    return workbench


@pytest.mark.parametrize("fork", [True, False])
def test_a_training_holds_expression_of_its_development_patients_alone(spied, tmp_path, fork):
    runner = spied.runner({"spy": {}, "second-spy": {}}, folds=(0, 1))
    runner.fork = fork
    summary = runner.run(1, spied.display())
    assert summary.states == {"ok": len(runner.plan.cells)}, spied.log.read_text()
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert len(told) == 8, "two spies on two folds, in fit and in sample"
    number = {name: row for row, name in enumerate(spied.cohort.samples.tolist())}
    may_see = {
        fold.index: sorted(number[name] for name in (*fold.train, *fold.validation))
        for fold in chosen_folds(spied.cohort, "random", (0, 1))
    }
    assert may_see[0] != may_see[1]
    for one in told:
        assert one["objects"] in may_see.values(), "also shows that the search finds what is there"
        assert one["memory"] == one["objects"]
        assert {*one["files"]} <= {*one["objects"]}
        assert len(one["said"]) == 3
        for said in one["said"]:
            assert "cohort small: cannot be read while a generator is trained" in said
    assert all(seen in [one["objects"] for one in told] for seen in may_see.values())


def test_the_search_finds_whoever_is_held(spied):
    """Without isolation the test above fails: a process that has read the cohort holds everyone."""
    ended = subprocess.run(
        [sys.executable, "-c", HOLDS_ALL],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(spied.results.parent / "modules")},
    )
    found = json.loads(ended.stdout)
    everyone = list(range(len(spied.cohort)))
    assert found["objects"] == found["memory"] == everyone


def test_scores_and_preparations_run_no_code_of_a_generator(spied, tmp_path):
    """The processes that ran a spy are not those that wrote the folds and records."""
    entry = replace(spied.registry["spy"], target="gexbench_test_spy:Nothing")
    runner = spied.runner({"spy": {}})
    runner.run(1, spied.display())
    for path in (spied.results / "store" / "records").glob("*.json"):
        path.unlink()
    (tmp_path / "modules" / "gexbench_test_spy.py").write_text("raise RuntimeError('imported where rows are scored')")
    cells = tuple(
        replace(cell, entry=replace(entry, name=cell.entry.name)) if cell.entry.name == "spy" else cell
        for cell in runner.plan.cells
    )
    runner.plan = replace(runner.plan, cells=cells)
    assert runner.run(1, spied.display(), train=False).states == {"ok": len(cells)}

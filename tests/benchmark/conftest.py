"""A small stored cohort and generators that misbehave, for tests of the runner with real processes."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from gexbench.benchmark.cells.objective import Objective
from gexbench.benchmark.running.progress import Display
from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.sweeps.planning import chosen_folds, plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.benchmark.tuning import searches as tuning
from gexbench.benchmark.tuning.search import search_tasks
from gexbench.benchmark.tuning.searches import TrialDisplay, Tuner
from gexbench.models import BUILT_IN
from gexbench.models.registry import Entry, Registry
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import save_cohort
from gexbench.tasks.data_directory import cohort_folder

MISBEHAVIOUR = '''
"""Generators for tests: each breaks the contract in its own way."""
import os, resource, signal, subprocess, sys, time
import numpy as np, torch
from gexbench.models.contract import Generator, GeneratorSettings, Samples, Unavailable
from gexbench.tasks.files.atomic import DiskFull

class Settings(GeneratorSettings):
    how: str = "well"
    shift: float = 0.0

SLEEP = "import os, time; open(os.environ['GEXBENCH_TEST_PIDS'], 'a').write(f'{os.getpid()} '); time.sleep(600)"

def start_children():
    subprocess.Popen([sys.executable, "-c", SLEEP])
    subprocess.Popen([sys.executable, "-c", "import os; os.setsid(); os.fork() and os._exit(0);" + SLEEP])
    while not os.path.exists(os.environ["GEXBENCH_TEST_PIDS"]): time.sleep(0.05)
    time.sleep(1)

def write_into_every_pipe():
    for number in range(3, 64):
        place = f"/proc/self/fd/{number}"
        if os.path.exists(place) and os.readlink(place).startswith(("pipe:", "socket:")):
            try: os.write(number, b"abcd" * 10)
            except OSError: pass

def report_oddly(progress):
    progress(np.int64(1), torch.tensor(2), loss=torch.tensor(0.5), text="x", nothing=None)
    time.sleep(0.6)
    progress(float("nan"), 10**400, loss=10**400, other=[1])

class Behaved(Generator):
    Settings = Settings
    def fit(self, train, validation, *, seed, progress=None):
        how = self.settings.how
        print("the last words of", how, "in /home/someone/data")
        if how == "no-message": write_into_every_pipe(); time.sleep(600)
        if how == "file-limit": resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, resource.RLIM_INFINITY))
        if how == "full-elsewhere": raise DiskFull(28, "No space left on device", "/home/someone/scratch")
        if how == "odd-progress": report_oddly(progress)
        if how == "half-character": raise RuntimeError("\\ud800 is half a character")
        if how == "raise": raise RuntimeError("no luck with /home/someone/data")
        if how == "sys-exit": sys.exit(3)
        if how == "exit": os._exit(7)
        if how == "segfault": os.kill(os.getpid(), signal.SIGSEGV)
        if how == "hang": signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32)); time.sleep(600)
        if how == "allocate":
            held = []
            while True: held.append(np.ones(2**24))
        if how == "print":
            line = b"x" * 99 + bytes([10])
            for _ in range(1000): os.write(1, line * 10_000)
            raise RuntimeError("printed a gigabyte")
        if how == "children": start_children()
        if how == "orphans": start_children(); os._exit(7)
        if how == "patch": torch.set_default_dtype(torch.float64); torch.randn = lambda *a, **k: torch.zeros(*a)
        if how == "unavailable": raise Unavailable("needs something else")
        if how == "write": train.expression.zero_()
        self.genes = train.genes
        self.mean, self.sd = train.expression.mean(0), train.expression.std(0)
    def sample(self, conditions, draws=1, *, seed):
        n, how = len(conditions) * draws, self.settings.how
        rows = self.mean + self.sd * torch.randn(n, len(self.genes), generator=torch.Generator().manual_seed(seed))
        rows = (rows + self.settings.shift).clamp(min=0)
        if how == "nan": rows[0, 0] = float("nan")
        if how == "few": rows = rows[:-1]
        if how == "shape": rows = rows[:, :-1]
        if how == "type": return rows
        genes = self.genes[::-1] if how == "genes" else self.genes
        return Samples.of(rows, conditions, draws, genes)
    def state(self): return {"mean": self.mean, "sd": self.sd}, {"genes": list(self.genes)}
    def restore(self, tensors, facts, device):
        self.mean, self.sd, self.genes = tensors["mean"], tensors["sd"], tuple(facts["genes"])
'''
NAMES = ("one", "two", "three", "four")
HOWS = (
    "raise", "sys-exit", "exit", "segfault", "hang", "allocate", "print", "children", "orphans", "unavailable", "write",
    "nan", "few", "shape", "type", "genes", "no-message", "file-limit", "full-elsewhere", "odd-progress",
    "half-character",
)  # fmt: skip


@dataclass
class Workbench:
    """A results folder, a cohort in the data directory and a registry with the test generators."""

    results: Path
    cohort: Cohort
    registry: Registry
    log: Path

    def runner(self, generators: dict[str, dict[str, object]], **sweep: object) -> Runner:
        values: dict[str, object] = {
            "cohort": self.cohort.name,
            "folds": (0,),
            "settings": {name: given for name, given in generators.items() if given},
            **sweep,
        }
        made = sweep_of(self.registry, generators=tuple(generators), **values)
        planned = plan(made, self.registry, self.cohort, self.cohort.fingerprint())
        return Runner(planned, self.cohort, self.results, "test")

    def display(self) -> Display:
        return Display(Console(file=self.log.open("a"), force_terminal=False))


@contextmanager
def set_up(tmp_path: Path, small_cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    """A workbench in a folder, for as long as it is entered."""
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    save_cohort(small_cohort, cohort_folder(small_cohort.name))
    module = tmp_path / "modules" / "gexbench_test_generators.py"
    module.parent.mkdir()
    module.write_text(MISBEHAVIOUR)
    monkeypatch.syspath_prepend(str(module.parent))
    entries = [
        Entry(name, "gexbench_test_generators:Behaved", "test", (), "for tests", settings=settings)
        for name, settings in [*((name, {}) for name in NAMES), *((how, {"how": how}) for how in HOWS)]
    ]
    monkeypatch.setenv("GEXBENCH_TEST_PIDS", str(tmp_path / "pids"))
    yield Workbench(tmp_path / "results", small_cohort, Registry((*BUILT_IN, *entries)), tmp_path / "log.txt")
    sys.modules.pop("gexbench_test_generators", None)


@pytest.fixture
def workbench(tmp_path: Path, small_cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    with set_up(tmp_path, small_cohort, monkeypatch) as made:
        yield made


@pytest.fixture(scope="module")
def workbench_of_module(tmp_path_factory: pytest.TempPathFactory, small_cohort: Cohort) -> Iterator[Workbench]:
    """A workbench whose sweep several tests look at."""
    folder = tmp_path_factory.mktemp("workbench")
    with pytest.MonkeyPatch.context() as monkeypatch, set_up(folder, small_cohort, monkeypatch) as made:
        yield made


GENERATOR = '''
"""A generator for tests: its validation score is known beforehand, and it notes every id that it is shown."""
import json, math, os, time
from pathlib import Path
import torch
from gexbench.models.contract import Diverged, Generator, GeneratorSettings, Samples
from gexbench.models.settings.search_space import Choice, IntRange, LogRange

class Settings(GeneratorSettings):
    rate: float = 1e-3
    depth: int = 2
    kind: str = "plain"
    pause: float = 0.0
    how: str = "well"
    search_space = {"rate": LogRange(1e-4, 1e-1), "depth": IntRange(1, 4), "kind": Choice(("odd", "even"))}

def score(settings):
    return (math.log10(settings.rate) + 2) ** 2 + settings.depth / 10

class Tunable(Generator):
    Settings = Settings
    def fit(self, train, validation, *, seed, progress):
        seen = {part: split.conditions.ids.tolist() for part, split in (("train", train), ("validation", validation))}
        tensors = {"text": sorted({len(text) for text in train.conditions.text.values()}),
                   "labels": len(train.conditions.classes)}
        with Path(os.environ["GEXBENCH_TEST_SPY"]).open("a") as file:
            seen |= {"tensors": tensors, "seed": seed, "settings": self.settings.model_dump()}
            file.write(json.dumps(seen) + "\\n")
        if self.settings.how == "diverge" and self.settings.rate > 1e-3: raise Diverged("the loss is nan after 3 steps")
        if self.settings.how == "write" and self.settings.rate > 1e-3: train.standardised.zero_()
        if self.settings.how == "exit" and self.settings.rate != 1e-3: os._exit(9)
        self.report.curves["validation_score"] = []
        for step in range(1, 7):
            time.sleep(self.settings.pause)
            value = score(self.settings) + (6 - step)
            self.report.curves["validation_score"].append(value)
            progress(step, 6, validation_score=value)
            if self.settings.how == "late" and step == 4: raise Diverged("the loss is nan after 4 of 6 steps")
        self.genes, self.mean = train.genes, train.expression.mean(0)
        self.report.log = {"step": [3.0, 6.0], "loss": [2.0, 1.0], "validation_score": [float("nan"), 0.5]}
        if self.settings.how == "ragged": self.report.log["loss"].append(0.5)
        self.report.facts["not a number"] = float("nan")
    def sample(self, conditions, draws=1, *, seed):
        noise = torch.randn(len(conditions) * draws, len(self.genes), generator=torch.Generator().manual_seed(seed))
        return Samples.of((self.mean + noise).clamp(min=0), conditions, draws, self.genes)
    def state(self): return {"mean": self.mean}, {"genes": list(self.genes)}
    def restore(self, tensors, facts, device): ...
'''
ENTRY = Entry("tunable", "gexbench_test_tunable:Tunable", "test", (), "for tests")


class InProcess:
    """Stands in for the pool: the same objective without processes, which take seconds to start."""

    def __init__(self, serve, arguments, size, *, answer, **limits):
        self.arguments, self.answer = arguments, answer

    def run(self, next_job, done, progress, stopping):
        objective = Objective(*self.arguments[1:], lambda score: self.answer(self.job, score))
        while not stopping() and (job := next_job()) is not None:
            self.job = job
            done(job, objective.do(job, lambda *_: None))


@pytest.fixture
def in_process(monkeypatch):
    monkeypatch.setattr(tuning, "Pool", InProcess)


@pytest.fixture
def tune(workbench, tmp_path, monkeypatch):
    """`tune(trials, folds, settings, workers)` runs a tuning; `tune.spied()` reads what its trials were shown."""
    (tmp_path / "modules" / "gexbench_test_tunable.py").write_text(GENERATOR)
    monkeypatch.setenv("GEXBENCH_TEST_SPY", str(tmp_path / "spy.jsonl"))

    class Tune:
        results, cohort = workbench.results, workbench.cohort

        def tuner(self, trials, folds=(0,), settings=None, results=None, objective="validation score"):
            entry = Entry(ENTRY.name, ENTRY.target, "test", (), "for tests", settings=settings or {})
            chosen = chosen_folds(self.cohort, "random", folds)
            print_ = self.cohort.fingerprint()
            tasks = search_tasks(
                {"tunable": entry},
                chosen,
                fingerprint=print_,
                budget="quick",
                threads=1,
                device="cpu",
                objective=objective,
            )
            return Tuner(tasks, self.cohort, trials, results or self.results, "test")

        def __call__(
            self, trials, folds=(0,), settings=None, workers=1, results=None, objective="validation score", **options
        ):
            tuner = self.tuner(trials, folds, settings, results, objective)
            display = TrialDisplay(Console(file=workbench.log.open("a"), force_terminal=False))
            return tuner, tuner.run(workers, display, **options)

        def spied(self):
            return [json.loads(line) for line in (tmp_path / "spy.jsonl").read_text().splitlines()]

    yield Tune()
    sys.modules.pop("gexbench_test_tunable", None)


@pytest.fixture
def tunable_entry() -> Entry:
    return ENTRY

"""A small stored cohort and generators that misbehave, for tests of the runner with real processes."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from rich.console import Console

from gexbench.benchmark.progress import Display
from gexbench.benchmark.runner import Runner
from gexbench.benchmark.sweep import plan, sweep_of
from gexbench.models import BUILT_IN
from gexbench.models.registry import Entry, Registry
from gexbench.tasks.cohort import Cohort
from gexbench.tasks.cohort_folder import save_cohort
from gexbench.tasks.data_directory import cohort_folder

MISBEHAVIOUR = '''
"""Generators for tests: each breaks the contract in its own way."""
import os, signal, time
import numpy as np, torch
from gexbench.models.contract import Generator, GeneratorSettings, Samples, Unavailable

class Settings(GeneratorSettings):
    how: str = "well"
    shift: float = 0.0

class Behaved(Generator):
    Settings = Settings
    def fit(self, train, validation, *, budget, seed, progress=None):
        how = self.settings.how
        if how == "raise": raise RuntimeError("no luck with /home/someone/data")
        if how == "exit": os._exit(7)
        if how == "segfault": os.kill(os.getpid(), signal.SIGSEGV)
        if how == "hang": time.sleep(600)
        if how == "unavailable": raise Unavailable("needs something else")
        if how == "write": train.expression.zero_()
        self.genes = train.genes
        self.mean, self.sd = train.expression.mean(0), train.expression.std(0)
    def sample(self, conditions, draws=1, *, seed):
        n, how = len(conditions) * draws, self.settings.how
        rows = self.mean + self.sd * torch.randn(n, len(self.genes), generator=torch.Generator().manual_seed(seed))
        rows = rows + self.settings.shift
        if how == "nan": rows[0, 0] = float("nan")
        if how == "shape": rows = rows[:-1]
        genes = self.genes[::-1] if how == "genes" else self.genes
        return Samples.of(rows, conditions, draws, genes)
    def state(self): return {"mean": self.mean, "sd": self.sd}, {"genes": list(self.genes)}
    def restore(self, tensors, facts, device): ...
'''


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


@pytest.fixture
def workbench(tmp_path: Path, small_cohort: Cohort, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workbench]:
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    save_cohort(small_cohort, cohort_folder(small_cohort.name))
    module = tmp_path / "modules" / "gexbench_test_generators.py"
    module.parent.mkdir()
    module.write_text(MISBEHAVIOUR)
    monkeypatch.syspath_prepend(str(module.parent))
    entries = [
        Entry(name, "gexbench_test_generators:Behaved", "test", (), "for tests")
        for name in ("one", "two", "three", "four")
    ]
    yield Workbench(tmp_path / "results", small_cohort, Registry((*BUILT_IN, *entries)), tmp_path / "log.txt")
    sys.modules.pop("gexbench_test_generators", None)

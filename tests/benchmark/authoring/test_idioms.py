"""Five ways in which models are written elsewhere, ported in few lines: they keep the contract and get their row."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gexbench.benchmark.authoring.local_generators import local_entry
from gexbench.benchmark.conformance import CHECKS, Subject, check_fold, checked
from gexbench.tasks.cohorts.cohort_folder import save_cohort
from gexbench.tasks.data_directory import cohort_folder

IDIOMS = sorted((Path(__file__).parent / "idioms").glob("*.py"))
MOST_LINES = 30
LIBRARY = '''
"""Stands in for a library of generators of tables: it draws from global random state, as such libraries do."""
import numpy as np, pandas as pd
class TableGan:
    def __init__(self, epochs): self.epochs = epochs
    def fit(self, table, discrete_columns):
        self.table, self.numbers = table, table.columns.drop(discrete_columns)
        self.sd = table[self.numbers].std() * np.random.uniform(0.9, 1.1, len(self.numbers))
    def sample(self, n, column, value):
        rows = self.table[self.table[column] == value].sample(n, replace=True).reset_index(drop=True)
        rows[self.numbers] += 0.3 * self.sd.to_numpy() * np.random.standard_normal((n, len(self.numbers)))
        return rows
'''


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the library, on the path of this and of new processes."""
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "tablegan.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path / "library"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "library"))
    return tmp_path / "library"


@pytest.mark.parametrize("path", IDIOMS, ids=lambda path: path.stem)
def test_a_port_is_short(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if line.strip() and not line.startswith(("import", "from"))]
    assert len(lines) <= MOST_LINES, len(lines)


@pytest.mark.slow  # imports a library each and fits six times
@pytest.mark.parametrize("path", IDIOMS, ids=lambda path: path.stem)
def test_a_port_keeps_the_contract(path: Path, library: Path) -> None:
    subject = Subject(local_entry(str(path)), check_fold())
    broken = [found.lesson for check in CHECKS if (found := checked(check, subject)).state == "broken"]
    assert broken == []


@pytest.mark.slow  # one sweep with all five
@pytest.mark.timeout(3600)
def test_ports_get_their_rows(library: Path, tmp_path: Path, small_cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    save_cohort(small_cohort, cohort_folder(small_cohort.name))
    for path in IDIOMS:
        shutil.copy(path, tmp_path)
    named = ",".join(path.name for path in IDIOMS)
    command = [sys.executable, "-m", "gexbench", "run", "--cohort", "small", "--folds", "0", "--name", "ports"]
    ended = subprocess.run([*command, "--generators", named], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = tmp_path / "gexbench-results" / "leaderboards" / "ports" / "records"
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    local = {record["generator"]["file"]["name"]: record["state"] for record in found if record["generator"]["local"]}
    assert local == {path.name: "ok" for path in IDIOMS}

"""A stranger's package, pip-installed beside gexbench into a fresh environment, is listed, checked and gets its row."""

import csv
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from gexbench.benchmark.authoring.new_generator import write_generator
from gexbench.models import registry

ROOT = Path(__file__).resolve().parents[2]
NAME = "stranger-gaussian"
PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "strangers-models"
version = "1.0"
dependencies = ["gexbench"]

[project.entry-points."gexbench.generators"]
stranger-gaussian = "strangers_models.entry:ENTRY"

[tool.setuptools]
packages = ["strangers_models"]
"""
ENTRY = """from gexbench.models.registry import Entry

ENTRY = Entry(
    "stranger-gaussian",
    "strangers_models.model:StrangerGaussian",
    family="strangers",
    conditions=("labels",),
    summary="a normal distribution per class, by a stranger",
)
"""

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="needs the source tree")


def ran(command, folder):
    """Output of a command in a folder, with nothing of this environment but its third-party packages."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"GEXBENCH_DATA": str(folder / "data"), "COLUMNS": "200"}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture
def environment(tmp_path):
    """`bin` of a fresh environment: gexbench's wheel and the package are installed, the rest is on its path."""
    package = tmp_path / "package"
    (package / "strangers_models").mkdir(parents=True)
    (package / "pyproject.toml").write_text(PYPROJECT)
    (package / "strangers_models" / "__init__.py").touch()
    (package / "strangers_models" / "entry.py").write_text(ENTRY)
    model, _ = write_generator(NAME, tmp_path, registry())
    model.replace(package / "strangers_models" / "model.py")
    venv.create(tmp_path / "fresh", with_pip=False)
    (site,) = (tmp_path / "fresh").glob("lib/python*/site-packages")
    others = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
    (site / "others.pth").write_text("\n".join(others) + "\n")  # their own .pth files, as of editable installs, rest
    install = [str(tmp_path / "fresh" / "bin" / "python"), "-m", "pip", "install", "-q", "--no-deps"]
    for source in (ROOT, package):
        ran([*install, "--no-build-isolation", "--ignore-installed", str(source)], tmp_path)
    return tmp_path / "fresh" / "bin"


@pytest.mark.slow  # installs two packages, checks a generator, trains and scores six cells: minutes
@pytest.mark.timeout(1800)
def test_a_strangers_package_is_listed_checked_and_gets_its_row(environment, tmp_path):
    gexbench = str(environment / "gexbench")
    where = ran([str(environment / "python"), "-c", "import gexbench.models as m; print(m.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(tmp_path / "fresh")
    listed = next(line for line in ran([gexbench, "ls", "generators"], tmp_path).splitlines() if NAME in line)
    assert "by a stranger" in listed
    assert "✗" not in ran([gexbench, "check", NAME], tmp_path)
    ran([gexbench, "run", "--generators", NAME, "--folds", "0", "--name", "mine", "--workers", "1"], tmp_path)
    folder = tmp_path / "gexbench-results" / "leaderboards" / "mine"
    record = json.loads((folder / "records" / f"{NAME}.random-0.0.json").read_text())
    assert (record["state"], record["generator"]["local"]) == ("ok", False), record["reason"]
    with (folder / "leaderboard.csv").open(newline="") as table:
        (row,) = [row for row in csv.DictReader(table) if row["generator"] == NAME]
    assert (row["rank"], row["family"]) == ("1", "strangers")
    assert float(row["overall_score_mean"]) > 0

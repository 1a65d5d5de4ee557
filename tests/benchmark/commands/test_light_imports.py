"""Listing, planning and reporting import no torch, and listing is quick."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gexbench.leaderboards.publishing.folders import differences

PUBLISHED = Path(__file__).resolve().parents[3] / "leaderboards" / "published"
HEAVY = ("torch", "sklearn", "xgboost", "pyro", "anndata")
CODE = """
import json, sys
from gexbench.benchmark.cli import app
sys.argv = ["gexbench", *json.loads(sys.argv[1])]
try:
    app()
except SystemExit as error:
    assert not error.code, error.code
print("LOADED", json.dumps([name for name in json.loads(sys.stdin.read()) if name in sys.modules]))
"""


def loaded(arguments, heavy=HEAVY):
    ended = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(arguments)],
        input=json.dumps(heavy),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.rsplit("LOADED", 1)[1]), ended.stdout


@pytest.mark.parametrize(
    ("what", "expected"),
    [("generators", "gemm-gan"), ("metrics", "coverage"), ("tasks", "classification"), ("cohorts", "simulated")],
)
def test_ls_imports_nothing_heavy(what, expected):
    began = time.monotonic()
    found, output = loaded(["ls", what])
    assert found == []
    assert expected in output
    assert time.monotonic() - began < 60  # a hang, not a speed: timings are in tests/benchmarks


def test_a_dry_run_imports_no_torch(tmp_path):
    found, output = loaded(["run", "--dry-run", "--results", str(tmp_path / "results")], ("torch", "xgboost", "pyro"))
    assert found == []
    assert "gemm-gan.random-0.0" in output
    assert "to do" in output


def test_metrics_catalogue_imports_no_torch():
    modules = "gexbench.tasks.panel.catalogue, gexbench.tasks.panel.scores"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the source tree")
def test_report_imports_no_torch_and_rebuilds_the_published_tables(tmp_path):
    folders = sorted(path.parent for path in PUBLISHED.glob("*/*/records"))
    assert folders
    for folder in folders:
        copy = shutil.copytree(folder, tmp_path / folder.parent.name / folder.name)
        for name in ("leaderboard.md", "leaderboard.csv", "leaderboard.html"):
            (copy / name).unlink()
        found, _ = loaded(["report", str(copy)], ("torch", "xgboost", "sklearn", "pyro"))
        assert found == []
        for name in ("leaderboard.md", "leaderboard.csv"):  # a page may stay as another version drew it
            assert (copy / name).read_bytes() == (folder / name).read_bytes()
        assert (copy / "leaderboard.html").is_file()
        assert differences(folder) == {}


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the source tree")
def test_figures_of_records_import_no_torch(tmp_path):
    command = ["figures", str(PUBLISHED / "tcga-site" / "v1"), "--only", "overall", "--formats", "svg"]
    found, output = loaded([*command, "--out", str(tmp_path / "paper")])
    assert found == []
    assert (tmp_path / "paper" / "overall.svg").is_file()
    assert str(tmp_path / "paper") in output


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the source tree")
def test_compare_imports_no_torch():
    found, output = loaded(["compare", str(PUBLISHED / "tcga/v3"), "--generators", "cvae,vae"], ("torch", "xgboost"))
    assert found == []
    assert "overall" in output

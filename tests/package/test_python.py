"""The package from Python: light to import, the same as the command line, and the page that shows it runs."""

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import pytest

import gexbench

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "python.md"
PUBLISHED = ROOT / "leaderboards" / "published" / "tcga-site" / "v1"

in_the_source_tree = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="needs the source tree")


def test_importing_it_costs_nothing_heavy():
    code = "import json, sys, gexbench; dir(gexbench), gexbench.__version__; print(json.dumps([*sys.modules]))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(ended.stdout)}
    assert not loaded & {"pandas", "torch", "numpy", "scipy", "sklearn", "pydantic", "typer", "rich", "matplotlib"}


def test_every_public_name_is_there_and_documented():
    assert gexbench.__version__ == version("gexbench")
    for name in gexbench.__all__:
        assert name in dir(gexbench)
        assert getattr(gexbench, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = gexbench.runn


def test_python_m_gexbench_is_the_command_line():
    command = [sys.executable, "-m", "gexbench", "ls", "generators"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "gemm-gan" in ended.stdout


@in_the_source_tree
def test_a_published_leaderboard_is_the_frame_of_its_table():
    frame, stated = gexbench.load_leaderboard(PUBLISHED), pd.read_csv(PUBLISHED / "leaderboard.csv")
    assert list(frame.columns) == list(stated.columns)
    assert list(frame["generator"]) == list(stated["generator"])
    for column in ("overall_score_mean", "coverage_pcs_mean", "coverage_pcs_half_width"):
        assert frame[column].to_numpy(dtype=float) == pytest.approx(stated[column], rel=1e-8, nan_ok=True)


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(gexbench.InputError, match="records: no such folder"):
        gexbench.load_leaderboard(tmp_path)


@pytest.mark.parametrize(
    ("specification", "keys", "problems"),
    [
        ("smoke", {"budgt": "cpu"}, ["unknown key 'budgt'; did you mean 'budget'?"]),
        (
            {"budget": "big", "generators": {"cvea": {}}, "resources": {"thread": 2}},
            {},
            ["specification: budget: 'big'", "resources: unknown key 'thread'; did you mean 'threads'?", "'cvea'"],
        ),
        ("smoke", {"resources": {"threads": 0}, "generators": ["vae", "nobody.py:Model"]}, ["nobody.py: cannot be"]),
        ("smoke", {"retry": ["lost"]}, ["unknown state of retry 'lost'"]),
        ("smok", {}, ["did you mean 'smoke'?"]),
    ],
)
def test_bad_input_is_told_at_once_and_nothing_is_run(specification, keys, problems, tmp_path):
    with pytest.raises(gexbench.InputError) as caught:
        gexbench.run(specification, results=tmp_path / "results", **keys)
    for problem in problems:
        assert problem in str(caught.value)
    assert not (tmp_path / "results").exists()


def test_a_cohort_is_refused_as_the_command_line_refuses_it(tmp_path, monkeypatch):
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path))
    (tmp_path / "cohorts" / "mine").mkdir(parents=True)
    with pytest.raises(gexbench.InputError) as caught:
        gexbench.build_cohort("mine", expression=tmp_path / "none.csv", duplicates="last")
    assert len(caught.value.problems) == 2
    assert "exists" in caught.value.problems[0]
    assert "unknown value of duplicates 'last'" in caught.value.problems[1]
    with pytest.raises(gexbench.InputError, match=r"none\.csv: no such file"):
        gexbench.build_cohort("mine", expression=tmp_path / "none.csv", replace=True)
    with pytest.raises(gexbench.InputError, match="reserved for the built-in cohort"):
        gexbench.build_cohort("simulated", expression=tmp_path / "none.csv")


@pytest.fixture
def example(small_cohort, tmp_path):
    """The page's example as a script, in a folder with the files that it reads."""
    genes = pd.DataFrame(small_cohort.expression, index=small_cohort.samples, columns=list(small_cohort.genes))
    genes.rename_axis("sample").to_csv(tmp_path / "expression.csv")
    labels = small_cohort.clinical[[small_cohort.label_columns[0]]].set_axis(["subtype"], axis=1)
    labels.rename_axis("sample").to_csv(tmp_path / "clinical.csv")
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    script = tmp_path / "example.py"
    script.write_text("\n".join(blocks) + '\nprint("STATES", sweep.states, len(table))\n')
    return script


@in_the_source_tree
@pytest.mark.timeout(600)
def test_the_pages_example_runs_as_a_script_without_a_main_guard_and_resumes(example, tmp_path, monkeypatch):
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    first, second = (
        subprocess.run([sys.executable, example.name], cwd=tmp_path, capture_output=True, text=True, check=False)
        for _ in range(2)
    )
    assert first.returncode == 0, first.stdout + first.stderr
    assert first.stdout.splitlines()[-1] == "STATES {'ok': 4} 4"
    assert "4/4 cells" in first.stdout
    assert second.returncode == 0, second.stdout + second.stderr
    assert second.stdout.splitlines()[-1] == "STATES {} 4"

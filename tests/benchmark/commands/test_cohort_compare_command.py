"""`gexbench cohort compare` and `cohort card` as a user types them."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gexbench.benchmark import cli
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import save_cohort
from gexbench.tasks.data_directory import cohort_folder


@pytest.fixture
def cohorts(small_cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`one`, `near` (0.005 off in a value) and `far` (a gene 1 higher), stored."""
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    near, far = small_cohort.expression.copy(), small_cohort.expression.copy()
    near[0, 0] += np.float32(0.005)
    far[:, 3] += 1
    for name, values in (("one", small_cohort.expression), ("near", near), ("far", far)):
        save_cohort(replace(small_cohort, name=name, expression=values), cohort_folder(name))
    return tmp_path


def gexbench(*words: object) -> int:
    before, sys.argv = sys.argv, ["gexbench", *map(str, words)]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def test_the_verdict_is_the_last_line_and_the_exit_code(
    cohorts: Path, small_cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gexbench("cohort", "compare", "one", "one") == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == "verdict: same"
    assert gexbench("cohort", "compare", "one", "near") == 0
    assert "verdict: within 0.01 log2 per gene" in capsys.readouterr().out
    assert gexbench("cohort", "compare", "one", "far") == 1
    output = capsys.readouterr().out
    last = output.strip().splitlines()[-1]
    assert last.startswith("verdict: different: expression: largest difference")
    assert f"worst 1 ({small_cohort.genes[3]})" in last
    assert f"{len(small_cohort.genes) - 1:,} of {len(small_cohort.genes):,} genes within 0.01" in last


def test_json_has_every_gene(cohorts: Path, small_cohort: Cohort, capsys: pytest.CaptureFixture[str]) -> None:
    assert gexbench("cohort", "compare", "one", "far", "--json") == 1
    content = json.loads(capsys.readouterr().out)
    assert content["verdict"] == "different"
    assert len(content["genes"]) == len(small_cohort.genes)
    assert content["genes"][0] == pytest.approx(
        {"gene": small_cohort.genes[3], "largest": 1.0, "mean": 1.0, "sd": 0.0}, abs=1e-5
    )


def test_a_card_tells_a_rebuilt_cohort(cohorts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = cohorts / "one.card.json"
    assert gexbench("cohort", "card", "one", "--out", card) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == f"card of one: {card}"
    assert gexbench("cohort", "compare", card, "one") == 0
    assert gexbench("cohort", "compare", card, "near") == 0
    assert gexbench("cohort", "compare", card, "far") == 1
    assert gexbench("cohort", "compare", card, "far", "--without", "expression") == 0
    output = capsys.readouterr().out
    assert "verdict: same (without expression)" in output
    assert "A one.card.json, B far" in output


def test_a_published_card_is_compared_by_name(cohorts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gexbench("cohort", "compare", "published:tcga", "published:tcga") == 0
    assert "A published:tcga, B published:tcga" in capsys.readouterr().out
    assert gexbench("cohort", "compare", "published:tcga", "one") == 1
    assert "verdict: different" in capsys.readouterr().out
    assert gexbench("cohort", "compare", "published:tgca", "one") == 2
    assert "did you mean 'tcga'" in capsys.readouterr().err


def test_a_card_that_is_there_needs_force(cohorts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = cohorts / "card.json"
    card.write_text("mine")
    assert gexbench("cohort", "card", "one", "--out", card) == 2
    assert "card.json: already exists; use --force to replace it" in capsys.readouterr().err
    assert card.read_text() == "mine"
    assert gexbench("cohort", "card", "one", "--out", card, "--force") == 0
    assert gexbench("cohort", "compare", card, "one") == 0
    (cohorts / "folder.json").mkdir()
    assert gexbench("cohort", "card", "one", "--out", cohorts / "folder.json", "--force") == 2
    assert gexbench("cohort", "compare", cohorts / "folder.json", "one") == 2
    assert capsys.readouterr().err.count("folder.json: is a folder; give a file") == 2


def test_bad_input(cohorts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gexbench("cohort", "compare", "one", "absent") == 2
    assert gexbench("cohort", "card", "one", "--out", cohorts / "absent" / "card.json") == 2
    assert gexbench("cohort", "card", "one", "--out", cohorts / "card.txt") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_named(
    cohorts: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*names: object, **more: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refused)
    assert gexbench("cohort", "card", "one", "--out", cohorts / "card.json") == 2
    assert "card.json: cannot be written (Permission denied); choose another file" in capsys.readouterr().err
    monkeypatch.setattr("tempfile.mkdtemp", refused)
    assert gexbench("cohort", "export", "one", "--out", cohorts / "one.h5ad") == 2
    assert "cannot be written (Permission denied); choose another folder" in capsys.readouterr().err
    assert sorted(path.name for path in cohorts.iterdir()) == ["data"]

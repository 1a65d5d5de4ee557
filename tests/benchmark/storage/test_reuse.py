"""Cells of another leaderboard's folder are taken by key, and only by key; what does not match is said."""

import dataclasses
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from gexbench import leaderboards
from gexbench.benchmark.cli import app
from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.storage.reuse import reused
from gexbench.benchmark.sweeps.sweep import ANCHORS
from gexbench.leaderboards.publishing.folders import publish
from gexbench.tasks.errors import InputError

TUNING = {
    "settings": {}, "validation_score": 0.5, "default_validation_score": None, "objective": "overall score",
    "trials": {"complete": 8, "pruned": 0, "failed": 0},
}  # fmt: skip


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Folders that tests hand on, made once: name → folder."""
    return {"home": tmp_path_factory.mktemp("given")}


@pytest.fixture
def published(workbench, given):
    """A published leaderboard of the anchors and `one`, with a training log of `one`."""
    target = given["home"] / "v1"
    if not target.exists():
        runner = workbench.runner({"one": {"shift": 0.5}})
        runner.run(2, workbench.display())
        log = runner.folder / "training" / "one.random-0.0.parquet"
        log.parent.mkdir(exist_ok=True)
        pd.DataFrame({"step": [1, 2], "loss": [0.5, 0.25]}).to_parquet(log)
        publish(runner.folder, target, {}, None)
    return target


PUBLISHED = Path(leaderboards.__file__).parent / "published"


def elsewhere(workbench, tmp_path, generators, *folders, **sweep):
    other = dataclasses.replace(workbench, results=tmp_path / "elsewhere")
    plan = other.runner(generators, **sweep).plan
    return Runner(plan, other.cohort, other.results, "test", reused=reused(folders, plan))


def test_matching_cells_are_taken_as_they_are_and_only_the_new_one_is_computed(workbench, tmp_path, published):
    made = elsewhere(workbench, tmp_path, {"one": {"shift": 0.5}, "two": {}}, published)
    states = {cell.entry.name: made.state_of(cell) for cell in made.plan.cells}
    assert states == {**dict.fromkeys(ANCHORS, "reused"), "one": "reused", "two": "to do"}
    assert not (tmp_path / "elsewhere").exists()
    summary = made.run(1, workbench.display())
    assert (summary.cached, summary.states) == (len(ANCHORS) + 1, {"ok": 1})
    for path in (published / "records").iterdir():
        assert json.loads((made.folder / "records" / path.name).read_text()) == json.loads(path.read_text())
    log = "one.random-0.0.parquet"
    assert (made.folder / "training" / log).read_bytes() == (published / "training" / log).read_bytes()
    one = next(cell for cell in made.plan.cells if cell.entry.name == "one")
    assert not made.store.has_rows(one.train_key)
    assert made.state_of(one) == "cached"


def test_other_settings_panels_and_folds_are_not_taken_and_said(workbench, tmp_path, published):
    other = elsewhere(workbench, tmp_path, {"one": {"shift": 1.5}}, published).reused
    assert len(other.records) == len(ANCHORS)
    assert other.unmatched == {"one: other settings, tuning, metrics' versions or gene sets": 1}
    fold = elsewhere(workbench, tmp_path, {}, published, folds=(1,)).reused
    assert fold.unmatched == {"another fold or track (random 0)": len(ANCHORS) + 1}
    panel = elsewhere(workbench, tmp_path, {}, published, panel="extended").reused
    assert panel.unmatched == {"panel core": len(ANCHORS) + 1}
    assert not other.logs


def test_the_same_patients_under_another_track_are_not_taken(workbench, tmp_path, published):
    copy = shutil.copytree(published, tmp_path / "copy")
    (copy / "SHA256SUMS").unlink()
    for path in (copy / "records").iterdir():
        content = json.loads(path.read_text())
        content["fold"]["track"] = "custom"
        path.write_text(json.dumps(content))
    other = elsewhere(workbench, tmp_path, {}, copy).reused
    assert other.unmatched == {"another fold or track (custom 0)": len(ANCHORS) + 1}


def test_a_folder_of_another_protocol_is_refused(workbench, tmp_path):
    with pytest.raises(InputError, match="records of protocol 1, and this sweep makes records of protocol 2; tables"):
        elsewhere(workbench, tmp_path, {}, PUBLISHED / "tcga" / "v6")


def test_a_published_folder_with_a_changed_file_is_refused(workbench, tmp_path, published):
    copy = shutil.copytree(published, tmp_path / "copy")
    path = copy / "records" / "one.random-0.0.json"
    path.write_text(path.read_text().replace('"state": "ok"', '"state":  "ok"'))
    with pytest.raises(InputError, match=r"one\.random-0\.0\.json: changed since it was published"):
        elsewhere(workbench, tmp_path, {}, copy)


@pytest.mark.parametrize(
    ("place", "value"),
    [("generator.settings", {"how": "well", "shift": 9.0}), ("repeat", 3), ("keys.rows", "0" * 64)],
)
def test_a_record_that_says_another_cell_than_its_key_is_refused(workbench, tmp_path, published, place, value):
    copy = shutil.copytree(published, tmp_path / "copy")
    (copy / "SHA256SUMS").unlink()
    path = copy / "records" / "one.random-0.0.json"
    content = json.loads(path.read_text())
    *outer, last = place.split(".")
    target = content[outer[0]] if outer else content
    target[last] = value
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"one\.random-0\.0\.json: {place} does not match its key"):
        elsewhere(workbench, tmp_path, {"one": {"shift": 0.5}}, copy)


def test_a_failed_record_is_not_taken_and_a_broken_one_is_refused(workbench, tmp_path, published):
    copy = shutil.copytree(published, tmp_path / "copy")
    (copy / "SHA256SUMS").unlink()
    path = copy / "records" / "one.random-0.0.json"
    content = {**json.loads(path.read_text()), "state": "failed", "reason": "no luck"}
    path.write_text(json.dumps(content))
    made = elsewhere(workbench, tmp_path, {"one": {"shift": 0.5}}, copy)
    assert made.reused.unmatched == {"ended as failed": 1}
    assert [made.state_of(cell) for cell in made.plan.cells if cell.entry.name == "one"] == ["to do"]
    path.write_text("{")
    with pytest.raises(InputError, match=r"--reuse .*one\.random-0\.0\.json: broken JSON"):
        elsewhere(workbench, tmp_path, {}, copy)


def test_seeds_beyond_those_of_the_sweep_are_said_with_the_option_that_takes_them(workbench, tmp_path, monkeypatch):
    runner = workbench.runner({}, repeats_of={"class-gaussian": 2})
    runner.run(2, workbench.display())
    other = elsewhere(workbench, tmp_path, {}, runner.folder).reused
    assert other.unmatched == {"class-gaussian: training seed 1, which this sweep does not have": 1}
    monkeypatch.chdir(tmp_path)
    options = ["run", "--cohort", "small", "--folds", "0", "--generators", "reused,mixup", "--dry-run"]
    options += ["--reuse", str(runner.folder)]
    said = CliRunner().invoke(app, [*options, "--seeds", "1,mixup=3"]).output
    assert "to reuse the other training seeds as well, add --seeds 1,class-gaussian=2,mixup=3\n" in said
    said = CliRunner().invoke(app, [*options, "--seeds", "1,class-gaussian=2,mixup=3"]).output
    assert "8 cells: 5 reused, 3 to do" in said
    assert "not reused" not in said
    assert "the other training seeds" not in said


def test_a_tuned_record_is_said_to_need_the_file_of_settings(workbench, tmp_path, published):
    copy = shutil.copytree(published, tmp_path / "copy")
    (copy / "SHA256SUMS").unlink()
    path = copy / "records" / "one.random-0.0.json"
    content = json.loads(path.read_text())
    content["generator"] |= {"variant": "tuned", "tuning": TUNING}
    content["keys"]["record"] = "0" * 64
    path.unlink()
    path.with_name("one-tuned.random-0.0.json").write_text(json.dumps(content))
    other = elsewhere(workbench, tmp_path, {"one": {"shift": 0.5}}, copy).reused
    (reason,) = other.unmatched
    assert reason.startswith("one-tuned: tuned settings")
    assert "--settings tuned:FILE" in reason


def test_the_command_says_what_it_takes_and_what_not(workbench, tmp_path, published, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = ["run", "--cohort", "small", "--folds", "0", "--dry-run"]
    ended = CliRunner().invoke(app, [*options, "--generators", "reused,mixup", "--reuse", str(published)])
    said = " ".join(ended.output.split())
    assert f"4 of 5 cells are reused from {published} (records and logs, no rows)" in said
    assert "not reused: 1 × one: not in this sweep" in said
    assert "5 cells: 4 reused, 1 to do" in said
    refused = CliRunner().invoke(app, [*options, "--generators", "reused,mixup"])
    assert isinstance(refused.exception, InputError)
    assert "--reuse" in str(refused.exception)
    missing = CliRunner().invoke(app, [*options, "--reuse", "nowhere"])
    assert isinstance(missing.exception, InputError)
    assert list(tmp_path.glob("gexbench-results")) == []

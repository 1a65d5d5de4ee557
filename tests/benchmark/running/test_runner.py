"""Sweeps with real processes: a bad cell costs itself, what exists is skipped, nothing is lost."""

import io
import json
import shlex

import pytest
import typer
from rich.console import Console

from gexbench.benchmark.commands import run
from gexbench.benchmark.running.runner import RunSummary
from gexbench.benchmark.storage.store_cap import Evicted
from gexbench.benchmark.sweeps.sweep import ANCHORS


def records(runner):
    found = {}
    for path in (runner.folder / "records").glob("*.json"):
        record = json.loads(path.read_text())
        found[record["generator"]["name"]] = record
    return found


def test_what_exists_is_skipped_failures_are_tried_again_and_numbers_repeat(workbench):
    generators = {"one": {"shift": 0.5}, "two": {"how": "raise"}}
    first = workbench.runner(generators)
    summary = first.run(2, workbench.display())
    assert summary.cached == 0
    assert summary.states == {"ok": len(ANCHORS) + 1, "failed": 1}
    before = records(first)
    again = workbench.runner(generators).run(2, workbench.display())
    assert again.cached == len(ANCHORS) + 1
    assert again.states == {"failed": 1}
    for path in (workbench.results / "store").glob("r*/*"):
        if path.is_file():
            path.unlink()
        else:
            (path / "cell.json").unlink()
    anew = workbench.runner(generators)
    anew.run(1, workbench.display())
    for name, record in records(anew).items():
        assert record["metrics"] == before[name]["metrics"], name


def test_changed_settings_train_again_and_others_do_not(workbench):
    workbench.runner({"one": {"shift": 0.5}}).run(2, workbench.display())
    changed = workbench.runner({"one": {"shift": 1.5}})
    states = {cell.entry.name: changed.state_of(cell) for cell in changed.plan.cells}
    assert states == {**dict.fromkeys(ANCHORS, "cached"), "one": "to do"}


def test_kept_rows_are_scored_again_without_training(workbench):
    runner = workbench.runner({"one": {}})
    runner.run(2, workbench.display())
    before = records(runner)
    for path in (workbench.results / "store" / "records").glob("*.json"):
        path.unlink()
    summary = workbench.runner({"one": {}}).run(2, workbench.display(), train=False)
    assert summary.states == {"ok": len(ANCHORS) + 1}
    after = records(runner)
    for name in before:
        assert after[name]["metrics"] == before[name]["metrics"]
        assert after[name]["times_s"]["fit"] == before[name]["times_s"]["fit"]


def test_the_extended_panel_scores_kept_rows_without_training(workbench):
    core = workbench.runner({})
    core.run(1, workbench.display())
    before = records(core)
    runner = workbench.runner({}, panel="extended")
    assert {runner.state_of(cell) for cell in runner.plan.cells} == {"rows kept"}
    assert runner.run(1, workbench.display(), train=False).states == {"ok": len(ANCHORS)}
    after = records(runner)
    for name, record in after.items():
        assert record["panel"] == "extended"
        assert record["keys"]["rows"] == before[name]["keys"]["rows"]
        assert before[name]["metrics"].items() < record["metrics"].items()
        assert record["metrics"]["membership_auc"]["value"] is not None
        assert before[name]["reference_values"]["trtr"].items() < record["reference_values"]["trtr"].items()
    assert {workbench.runner({}).state_of(cell) for cell in core.plan.cells} == {"cached"}


def test_retry_takes_only_the_named_states(workbench):
    generators = {"one": {"how": "raise"}, "two": {"how": "nan"}}
    workbench.runner(generators).run(2, workbench.display())
    summary = workbench.runner(generators).run(2, workbench.display(), retry=("diverged",))
    assert summary.states == {"diverged": 1}


def test_a_corrupt_record_is_made_again_and_reported(workbench):
    runner = workbench.runner({"one": {}})
    runner.run(2, workbench.display())
    path = workbench.results / "store" / "records" / f"{runner.plan.cells[0].score_key}.json"
    path.write_text(path.read_text()[:50])
    again = workbench.runner({"one": {}})
    summary = again.run(2, workbench.display())
    assert summary.states == {"ok": 1}
    assert any(runner.plan.cells[0].score_key in place for place in summary.corrupt)


def test_corrupt_rows_are_trained_again_and_reported(workbench):
    runner = workbench.runner({"one": {}})
    runner.run(2, workbench.display())
    before = records(runner)
    keys = {cell.entry.name: cell.train_key for cell in runner.plan.cells}
    damaged = workbench.results / "store" / "rows" / keys["one"] / "rows.npz"
    damaged.write_bytes(damaged.read_bytes()[:100])
    for path in (workbench.results / "store" / "records").iterdir():
        path.unlink()
    display = workbench.display()
    kept_only = workbench.runner({"one": {}}).run(2, workbench.display(), train=False)
    assert kept_only.states == {"ok": len(ANCHORS), "failed": 1}
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"damaged")
    damaged.with_name("cell.json").write_text("{}")
    summary = workbench.runner({"one": {}}).run(2, display)
    assert (summary.states, summary.cached) == ({"ok": 1}, len(ANCHORS))
    assert list(summary.corrupt) == [f"rows/{keys['one']}"]
    task = display.jobs.tasks[0]
    assert (task.completed, task.total) == (3, 3), "the score that found it out, a training and a score"
    assert records(runner)["one"]["metrics"] == before["one"]["metrics"]
    assert runner.store.read_rows(keys["one"]) is not None


def test_the_command_that_tries_again_can_be_copied(workbench, monkeypatch):
    shown: list[str] = []
    monkeypatch.setattr("gexbench.benchmark.commands.report.write_and_show", lambda *_, remarks: shown.extend(remarks))

    class Ended:
        folder = workbench.results

        def run(self, workers, display, retry):
            states = {"ok": 4, "out of memory": 1, "timeout": 2, "skipped": 1}
            return RunSummary(states, 0, False, (), Evicted(0, 0, 0))

    console = Console(file=io.StringIO(), width=200)
    with pytest.raises(typer.Exit) as ended:
        run._run(console, Ended(), 2, (), None)
    assert ended.value.exit_code == 1
    (said,) = shown
    assert said.startswith("1 out of memory, 2 timeout; ")
    assert shlex.split(said.partition("`")[2].partition("`")[0])[-1] == "out of memory,timeout"

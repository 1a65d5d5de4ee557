"""What a training leaves beside its record: the log, also of one that diverged, and the figures."""

import io
import json
import math

import pandas as pd
import pytest

from gexbench.benchmark.cells.training_log import BadLog, columns_of, jsonable, log_table
from gexbench.benchmark.commands.report import write_and_show
from gexbench.benchmark.running.runner import FINAL_STATES, Runner
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import ANCHORS, sweep_of
from gexbench.models.registry import Registry


@pytest.fixture
def runner(workbench, tune, tunable_entry):
    """`runner(how, name)`: a sweep of `tunable` on fold 0."""

    def made(how="well", name="test"):
        registry = Registry((*workbench.registry.values(), tunable_entry))
        values = {"settings": {"tunable": {"how": how}}, "cohort": workbench.cohort.name, "folds": (0,)}
        sweep = sweep_of(registry, generators=("tunable",), **values)
        fingerprint = workbench.cohort.fingerprint()
        return Runner(plan(sweep, registry, workbench.cohort, fingerprint), workbench.cohort, workbench.results, name)

    return made


def test_a_log_lies_beside_its_record_and_is_published_again_without_training(runner, workbench):
    runner().run(1, workbench.display())
    log = runner().folder / "training" / "tunable.random-0.0.parquet"
    frame = pd.read_parquet(log)
    assert frame["step"].tolist() == [3, 6]
    assert frame["loss"].tolist() == [2, 1]
    assert math.isnan(frame["validation_score"][0])
    assert [path.name for path in log.parent.iterdir()] == [log.name], "references keep no log"
    record = json.loads((runner().folder / "records" / "tunable.random-0.0.json").read_text())
    assert record["diagnostics"]["not a number"] is None
    whole = log.read_bytes()
    log.unlink()
    assert runner().run(1, workbench.display()).cached == len(ANCHORS) + 1
    assert log.read_bytes() == whole


def test_a_training_that_diverges_is_shown_with_its_reason_and_is_never_a_result(runner, workbench, capsys):
    from rich.console import Console

    made = runner("late")
    assert made.run(1, workbench.display()).states == {"ok": len(ANCHORS), "diverged": 1}
    write_and_show(Console(width=150), made.folder, None)
    text = (made.folder / "leaderboard.md").read_text()
    assert "1 of 1 cells diverged and scored 0: fold 0 seed 0 (the loss is nan after 4 of 6 steps)" in text
    assert "0/1" in capsys.readouterr().out
    cell = next(cell for cell in made.plan.cells if cell.entry.name == "tunable")
    assert made.state_of(cell) == "diverged"
    assert "diverged" not in FINAL_STATES, "the next run tries it again"
    assert not made.store.has_rows(cell.train_key)
    frame = pd.read_parquet(made.folder / "training" / "tunable.random-0.0.parquet")
    assert frame["step"].tolist() == [1, 2, 3, 4]


def test_a_log_that_is_no_table_costs_the_log_alone(runner, workbench):
    made = runner("ragged")
    assert made.run(1, workbench.display()).states == {"ok": len(ANCHORS) + 1}
    record = json.loads((made.folder / "records" / "tunable.random-0.0.json").read_text())
    assert record["state"] == "ok"
    assert any("report.log was left out: its columns have unequal lengths" in text for text in record["warnings"])
    assert not (made.folder / "training").exists()


def test_log_tables():
    assert log_table({}) is None
    assert log_table({"step": []}) is None
    frame = pd.read_parquet(io.BytesIO(log_table({"loss": [1, 2], "step": [10, 20]})))
    assert list(frame) == ["step", "loss"]
    assert (frame.dtypes == "float64").all()
    for bad in ({"loss": [1.0]}, {"step": [1.0], "loss": [1.0, 2.0]}, {"step": [1.0], "loss": ["much"]}):
        with pytest.raises(BadLog):
            log_table(bad)


def test_rows_become_columns_of_equal_length():
    columns = columns_of([{"step": 1.0, "loss": 2.0}, {"step": 2.0, "score": 0.5}])
    assert columns["step"] == [1, 2]
    assert columns["loss"][0] == 2
    assert math.isnan(columns["loss"][1])
    assert math.isnan(columns["score"][0])


def test_what_is_not_finite_becomes_null():
    content = {"a": [1.0, math.nan, {"b": math.inf}], "c": "x", "d": (2, None)}
    assert json.loads(json.dumps(jsonable(content), allow_nan=False)) == {
        "a": [1.0, None, {"b": None}],
        "c": "x",
        "d": [2, None],
    }


def test_a_store_forgets_the_log_of_an_earlier_attempt(tmp_path):
    store = Store(tmp_path)
    store.make()
    store.write_log("k", b"log")
    assert store.read_log("k") == b"log"
    store.write_log("k", None)
    assert store.read_log("k") is None

"""Tuned rows beside default rows: cells, keys, records, the table, and what a sweep refuses."""

import json

import pytest

from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.sweeps.option import NOT_TYPED, read_settings, read_tuned
from gexbench.benchmark.sweeps.planning import chosen_folds, plan
from gexbench.benchmark.sweeps.sweep import ANCHORS, Sweep, read_sweep, sweep_of
from gexbench.benchmark.sweeps.tuned import read_tuning_file, to_json, tuned_settings
from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.rendering import to_markdown
from gexbench.leaderboards.records import read_records
from gexbench.models.registry import Registry
from gexbench.tasks.errors import InputError


@pytest.fixture
def sweep(workbench, tunable_entry):
    """`sweep(path, folds, **values)`: runner of a sweep of `tunable` with the tuned settings of a file."""
    registry = Registry((*workbench.registry.values(), tunable_entry))

    def made(path, folds=(0, 1), generators=("tunable",), **values):
        cohort, fingerprint = workbench.cohort, workbench.cohort.fingerprint()
        found = None
        if path is not None:
            found = tuned_settings(
                path,
                generators=dict.fromkeys(("tunable", "one"), "1"),
                cohort=cohort.name,
                fingerprint=fingerprint,
                budget="quick",
                folds=chosen_folds(cohort, "random", folds),
            )
        plain = sweep_of(registry, generators=generators, cohort=cohort.name, folds=folds, **values)
        planned = plan(plain.model_copy(update={"tuned": found}), registry, cohort, fingerprint)
        return Runner(planned, cohort, workbench.results, "test")

    return made


def replaced(path, changes, fold=0):
    """Rewrite a tuning file with other settings of one fold."""
    held = json.loads(path.read_text())
    for found in held["generators"]["tunable"]["folds"].values():
        if found["index"] == fold:
            found["settings"] |= changes
    path.write_text(json.dumps(held))


def test_default_and_tuned_rows_stand_in_one_table(in_process, tune, sweep, workbench):
    tuner, _ = tune(2, folds=(0, 1))
    replaced(tuner.path, {"rate": 1e-3, "depth": 2, "kind": "plain"}, fold=0)
    replaced(tuner.path, {"rate": 0.01, "depth": 1, "kind": "odd"}, fold=1)
    runner = sweep(tuner.path)
    trained = len(tune.spied())
    summary = runner.run(1, workbench.display())
    assert summary.states == {"ok": 2 * (len(ANCHORS) + 2)}
    assert len(tune.spied()) - trained == 3, "the tuned cell with default settings has the default cell's rows"
    of_fold = [record for record in read_records(runner.folder / "records") if record.fold.index == 1]
    records = {record.generator.full_name: record for record in of_fold}
    tuned, default = records["tunable-tuned"], records["tunable"]
    assert tuned.generator.name == default.generator.name == "tunable"
    assert (tuned.generator.variant, default.generator.variant) == ("tuned", "default")
    assert tuned.generator.settings["rate"] == 0.01
    assert default.generator.settings["rate"] == 1e-3
    assert tuned.generator.tuning.trials.model_dump() == {"complete": 2, "pruned": 0, "failed": 0}
    assert tuned.seeds == default.seeds
    assert (runner.folder / "records" / "tunable-tuned.random-1.0.json").exists()
    board = leaderboard(list(read_records(runner.folder / "records")))
    assert {"tunable", "tunable-tuned"} <= set(board.rows["generator"])
    text = to_markdown(board)
    assert "rate=0.001 / 0.01 (folds 0 / 1)" in text
    assert "settings tuned per fold on its training and validation patients, 2 trials" in text
    # the stored sweep alone says where the settings came from, and plans the same cells
    stored = read_sweep(runner.folder)
    registry = Registry((*workbench.registry.values(), runner.plan.cells[-1].entry))
    again = plan(stored, registry, workbench.cohort, workbench.cohort.fingerprint())
    assert [cell.score_key for cell in again.cells] == [cell.score_key for cell in runner.plan.cells]
    assert stored.rows(registry)[-2:] == ("tunable", "tunable-tuned")


def test_tuned_rows_change_no_other_key(in_process, tune, sweep):
    tuner, _ = tune(2, folds=(0, 1))
    with_tuned, without = sweep(tuner.path).plan.cells, sweep(None).plan.cells
    keys = {cell.slot: (cell.train_key, cell.score_key) for cell in with_tuned}
    assert {cell.slot: (cell.train_key, cell.score_key) for cell in without}.items() <= keys.items()
    assert len(with_tuned) == len(without) + 2
    assert keys["tunable.random-0.0"][1] != keys["tunable-tuned.random-0.0"][1]


def test_what_a_sweep_refuses(in_process, tune, sweep):
    tuner, _ = tune(1, folds=(0,))
    with pytest.raises(InputError, match=r"no settings of tunable for fold 1,2; run `gexbench tune .* --folds 1,2`"):
        sweep(tuner.path, folds=(0, 1, 2))
    with pytest.raises(InputError, match="given and tuned"):
        sweep(tuner.path, folds=(0,), settings={"tunable": {"depth": 3}})
    with pytest.raises(InputError, match="no tuned settings in"):
        sweep(tuner.path.with_name("absent.json"))
    whole = tuner.path.read_text()
    for change, message in (
        (('"budget": "quick"', '"budget": "cpu"'), "tuned on budget cpu, this sweep is on quick"),
        (('"version": "1"', '"version": "7"'), "was tuned in version 7, here is 1"),
        (('"rate": 0.001', '"rat": 0.001'), "unknown setting 'rat'; did you mean 'rate'"),
        (('"format": 1', '"format": 2'), "is no tuning file"),
    ):
        tuner.path.write_text(whole.replace(*change))
        with pytest.raises(InputError) as caught:
            sweep(tuner.path, folds=(0,))
        assert message in str(caught.value)


def test_a_tuning_file_comes_back(in_process, tune):
    tuner, _ = tune(2)
    held = read_tuning_file(tuner.path)
    assert to_json(held) == tuner.path.read_text()
    assert "/" not in tuner.path.read_text().replace("random/", "")


def test_options():
    assert (read_settings(["a.b=1"]), read_tuned(["a.b=1"])) == ({"a": {"b": 1}}, NOT_TYPED)
    assert (read_settings(["tuned", "a.b=1"]), read_tuned(["tuned", "a.b=1"])) == ({"a": {"b": 1}}, True)
    assert (read_settings(["tuned:x/y.json"]), read_tuned(["tuned:x/y.json"])) == ({}, "x/y.json")
    with pytest.raises(InputError, match="one of them"):
        read_tuned(["tuned", "tuned:x"])


def test_an_old_sweep_is_read(tmp_path):
    (tmp_path / "sweep.json").write_text('{"generators": ["cvae"], "folds": [0]}')
    assert read_sweep(tmp_path) == Sweep(generators=("cvae",), folds=(0,))

"""Tuning with real processes: what a trial sees, pruning, failures, stopping and going on, and tuned rows."""

import contextlib
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pytest

from gexbench.benchmark.cells.objective import fitted, kept_validation_score
from gexbench.benchmark.cells.validation_panel import ValidationPanel
from gexbench.benchmark.sweeps.planning import chosen_folds
from gexbench.benchmark.sweeps.tuned import read_tuning_file
from gexbench.benchmark.tuning import search
from gexbench.benchmark.tuning import searches as tuning
from gexbench.benchmark.tuning.search import Search, search_tasks, storage_at
from gexbench.models import registry
from gexbench.models.contract import Budget
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import rows_of
from gexbench.tasks.errors import InputError


def test_a_trial_sees_training_and_validation_patients_only(in_process, tune, small_cohort):
    tune(2, folds=(0, 1))
    dealt = [replace(fold, test=(), audit=()) for fold in chosen_folds(small_cohort, "random", (0, 1))]
    folds = {tuple(fold.opaque(fold.train)): fold for fold in dealt}
    spied = tune.spied()
    assert len(spied) == 4
    for seen in spied:
        fold = folds[tuple(seen["train"])]
        assert seen["validation"] == fold.opaque(fold.validation).tolist()
        # the tensors behind the conditions hold nobody else either
        assert seen["tensors"]["text"] == [len(fold.train) + len(fold.validation)]


def test_the_default_comes_first_and_tuned_is_never_worse(in_process, tune):
    tuner, summary = tune(6)
    spied = tune.spied()
    assert {key: spied[0]["settings"][key] for key in ("rate", "depth", "kind")} == {
        "rate": 1e-3,
        "depth": 2,
        "kind": "plain",
    }
    (found,) = summary.found.values()
    assert found.default_validation_score == pytest.approx(1.2)
    assert found.validation_score <= 1.2
    assert found.trials.complete + found.trials.pruned == 6
    assert len({seen["seed"] for seen in spied}) == 1
    best = min(trial.validation_score for trial in found.search if trial.state == "complete")
    assert found.validation_score == best
    held = read_tuning_file(tuner.path)
    (fold,) = held.generators["tunable"].folds.values()
    assert fold.settings == found.settings


def test_a_trial_worse_than_the_median_at_a_third_of_the_steps_is_pruned(in_process, tune):
    """By hand: at step 2 of 6 a trial shows its score + 4; from the third on it is held against the median so far."""
    _, summary = tune(8)
    (found,) = summary.found.values()
    complete = []
    for trial in found.search:
        value = (math.log10(trial.settings["rate"]) + 2) ** 2 + trial.settings["depth"] / 10
        middle = sorted(complete)
        median = (middle[(len(middle) - 1) // 2] + middle[len(middle) // 2]) / 2 if len(middle) >= 2 else math.inf
        assert trial.state == ("pruned" if value > median else "complete"), (value, complete)
        if trial.state == "complete":
            complete.append(value)
    assert found.trials.pruned


def test_finished_trials_are_judged_by_their_overall_score_on_the_validation_patients(in_process, tune, small_cohort):
    tuner, summary = tune(2, objective="overall score")
    (found,) = summary.found.values()
    assert found.objective == "overall score"
    assert 0 < found.validation_score < 1
    assert found.default_validation_score != pytest.approx(1.2)
    (fold,) = chosen_folds(small_cohort, "random", (0,))
    seen = small_cohort.take(np.sort(rows_of(small_cohort, fold.train + fold.validation)))
    panel = ValidationPanel.of(seen, fold, "cpu", small_cohort.fingerprint())
    again = {name: judged(panel, small_cohort, fold, name) for name in ("train-copy", "class-gaussian", "class-mean")}
    assert again["train-copy"] > 0.8
    assert again["train-copy"] > again["class-gaussian"] > again["class-mean"] + 0.1
    assert again["train-copy"] > 1 - found.default_validation_score
    assert tune.tuner(2).tasks[0].study_name != tuner.tasks[0].study_name


def test_a_major_version_of_optuna_and_another_sampler_search_in_a_study_of_their_own(tune, monkeypatch):
    (task,) = tune.tuner(1).tasks
    name = task.study_name
    major = optuna.__version__.partition(".")[0]
    monkeypatch.setattr(optuna, "__version__", f"{major}.99.9")
    assert task.study_name == name
    monkeypatch.setattr(optuna, "__version__", f"{int(major) - 1}.5.0")
    assert task.study_name != name
    monkeypatch.undo()
    monkeypatch.setitem(search._SAMPLER, "multivariate", False)
    assert task.study_name != name


def judged(panel, cohort, fold, name):
    entry = registry()[name]
    held = put_on_device(cohort, fold)
    generator = entry.load()(entry.load().Settings())
    generator.fit(held.train, held.validation, seed=0)
    return panel.overall(generator, True, seed=1)


def check_failures(summary, trials, reason):
    (found,) = summary.found.values()
    failed = [trial for trial in found.search if trial.state == "failed"]
    assert failed
    assert found.trials.failed == len(failed)
    assert all(reason in trial.reason and trial.settings["rate"] != 1e-3 for trial in failed)
    assert found.trials.complete + found.trials.pruned + found.trials.failed == trials
    assert found.settings["rate"] <= 1e-3


def test_a_failing_trial_is_a_failed_trial_and_not_the_end(in_process, tune):
    _, summary = tune(6, settings={"how": "diverge"})
    check_failures(summary, 6, "diverged: the loss is nan")


def test_a_trial_that_writes_to_its_inputs_fails_and_spoils_no_later_one(in_process, tune):
    _, summary = tune(6, settings={"how": "write"}, objective="overall score")
    check_failures(summary, 6, "modified its inputs")
    (found,) = summary.found.values()
    assert 0 < found.default_validation_score < 1


def test_a_trial_that_ends_its_process_costs_itself(tune):
    _, summary = tune(2, settings={"how": "exit"})
    check_failures(summary, 2, "exit code 9")


def test_an_interruption_changes_nothing(in_process, tune, tmp_path):
    _, alone = tune(5, folds=(0, 1))
    tune(2, folds=(0, 1), results=tmp_path / "c")
    _, resumed = tune(5, folds=(0, 1), results=tmp_path / "c")
    assert resumed.found == alone.found
    before = len(tune.spied())
    tune(5, folds=(0, 1), results=tmp_path / "c")
    assert len(tune.spied()) == before


@pytest.mark.slow  # starts three worker processes: about fifteen seconds
def test_workers_change_nothing(tune, tmp_path, request):
    _, together = tune(4, folds=(0, 1), workers=2)
    request.getfixturevalue("in_process")
    _, alone = tune(4, folds=(0, 1), results=tmp_path / "b")
    assert alone.found == together.found


def test_a_stale_trial_is_tried_again_and_does_not_count(in_process, tune, tmp_path):
    _, alone = tune(4)
    for killed_at in (0, 2):
        results = tmp_path / str(killed_at)
        if killed_at:
            tune(killed_at, results=results)
        tuner = tune.tuner(4, results=results)
        tuner.path.parent.mkdir(parents=True, exist_ok=True)
        search = Search(tuner.tasks[0], storage_at(tuner.path.with_suffix(".sqlite")))
        search.next_settings()  # and the process dies
        _, resumed = tune(4, results=results)
        assert resumed.found == alone.found


def test_two_tunings_of_one_file_do_not_meet(in_process, tune):
    tuner = tune.tuner(2)
    tuner.path.parent.mkdir(parents=True)
    with tuning._alone(tuner.path), pytest.raises(InputError, match="another `gexbench tune`"):
        tune(2)


def test_a_time_limit_leaves_the_rest_for_later(in_process, tune):
    _, summary = tune(3, settings={"pause": 0.05}, time_limit_s=0.1)
    assert summary.stopped
    _, summary = tune(3, settings={"pause": 0.05})
    assert not summary.stopped


def test_a_file_of_other_data_is_not_written_over(in_process, tune):
    tuner, _ = tune(1)
    tuner.path.write_text(tuner.path.read_text().replace(tuner.tasks[0].fingerprint, "other"))
    with pytest.raises(InputError, match="another --name"):
        tune(1)


def test_what_cannot_be_tuned_is_said_at_once(small_cohort):
    from gexbench.models import registry

    entries = registry()
    with pytest.raises(InputError) as caught:
        search_tasks(
            {name: entries[name] for name in ("class-mean", "mixup")},
            chosen_folds(small_cohort, "random", (0,)),
            fingerprint="print",
            budget="quick",
            threads=1,
            device="cpu",
        )
    assert len(caught.value.problems) == 2
    assert "class-mean has nothing to tune" in str(caught.value)


SCRIPT = """
import json, sys
from pathlib import Path
from rich.console import Console
from gexbench.benchmark.tuning.search import search_tasks
from gexbench.benchmark.sweeps.planning import chosen_folds
from gexbench.benchmark.tuning.searches import TrialDisplay, Tuner
from gexbench.models.registry import Entry
from gexbench.tasks.data_directory import load_cohort

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    entry = Entry("tunable", "gexbench_test_tunable:Tunable", "test", (), "for tests", settings={"pause": 0.1})
    cohort = load_cohort("small")
    tasks = search_tasks({"tunable": entry}, chosen_folds(cohort, "random", (0, 1)), fingerprint=cohort.fingerprint(),
                         budget="quick", threads=1, device="cpu", objective="validation score")
    Tuner(tasks, cohort, 4, Path(sys.argv[2]), "test").run(2, TrialDisplay(Console()))
"""


@pytest.mark.slow  # starts and kills a tuning three times: about forty seconds
def test_killed_at_any_moment_the_same_command_finds_the_same(tune, tmp_path):
    _, undisturbed = tune(4, folds=(0, 1), settings={"pause": 0.1}, workers=2)
    script, results = tmp_path / "script.py", tmp_path / "killed"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(tmp_path / "modules"), str(results)]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "modules")}
    for number in range(3):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        time.sleep(6 + 1.7 * number)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 0
    held = read_tuning_file(Path(results) / "tuning" / "test.json")
    found = {fold.index: fold for fold in held.generators["tunable"].folds.values()}
    assert found == {fold.index: fold for fold in undisturbed.found.values()}


@pytest.mark.parametrize(("facts", "expected"), [({}, 1.0), ({"kept_validation_score": 3.0}, 3.0)])
def test_a_trial_is_judged_by_the_state_that_its_fit_keeps(facts, expected):
    """A fit that keeps its last state does not get the score of an earlier checkpoint."""

    class Keeps:
        class Settings:
            model_validate = staticmethod(lambda settings, strict: settings)

        def __init__(self, settings):
            self.report = SimpleNamespace(curves={"validation_score": [2.0, 1.0, 3.0]}, facts=facts)

        def fit(self, *_, **__):
            pass

    job = SimpleNamespace(entry=SimpleNamespace(load=lambda: Keeps, name="keeps"), settings={}, seed=0)
    generator = fitted(job, None, None, Budget("quick"), lambda *_: None, lambda _: False)
    assert kept_validation_score(generator, "keeps") == expected


def test_a_damaged_file_of_trials_gets_one_clear_error(tmp_path):
    path = tmp_path / "trials.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match=r"trials\.sqlite: not a trial database .* move it away"):
        storage_at(path)

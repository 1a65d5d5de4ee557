"""Checkpoints, log, progress and averaged weights of a training."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from gexbench.models.contract import Diverged, FitReport
from gexbench.models.training.averaging import AveragedWeights
from gexbench.models.training.dispersion import report_dispersion
from gexbench.models.training.run import LOGGED_STEPS, TrainingRun, gradient_norm
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import folds


def test_averaged_weights_warm_up_and_the_best_are_restored() -> None:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    weights = AveragedWeights(network, 0.9)
    expected, averages = 0.0, []
    for step in range(3):
        nn.init.constant_(network.weight, float(step + 1))
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * (step + 1)
        averages.append(expected)
        weights.update()
        weights.swap()
        assert float(network.weight.detach()) == pytest.approx(expected)
        weights.swap()
        assert float(network.weight.detach()) == step + 1
        if step == 1:
            weights.keep()
    weights.restore()
    assert float(network.weight.detach()) == pytest.approx(averages[1])


class Recorder:
    """A run over a fixed list of scores that writes down what happens."""

    def __init__(self, steps: int, scores: list[float], **given: Any) -> None:
        self.kept: list[int] = []
        self.calls: list[tuple[int, int, dict[str, float]]] = []
        left = iter(scores)
        self.step = 0
        self.run = TrainingRun(
            steps,
            checkpoints=len(scores),
            score=lambda: next(left),
            keep=lambda: self.kept.append(self.step),
            progress=lambda step, steps, **values: self.calls.append((step, steps, values)),
            **given,
        )

    def train(self, **last: float) -> FitReport:
        for step in range(1, self.run.steps + 1):
            self.step = step
            values = last if step == self.run.steps and last else {"loss": torch.tensor(1.0 / step)}
            self.run.after(step, **values)
        report = FitReport()
        self.run.describe(report)
        return report


def test_the_best_checkpoint_is_kept_and_reported() -> None:
    recorder = Recorder(300, [3.0, 1.0, 2.0])
    report = recorder.train()
    assert recorder.kept == [100, 200]
    assert report.facts == {"steps": 300, "best_step": 200, "kept_validation_score": 1.0}
    assert report.curves == {"validation_score": [3.0, 1.0, 2.0]}
    at_checkpoints = [(step, values) for step, _, values in recorder.calls if "validation_score" in values]
    assert at_checkpoints == [
        (100 * number, {"validation_score": value}) for number, value in ((1, 3.0), (2, 1.0), (3, 2.0))
    ]
    assert recorder.calls[-1][:2] == (300, 300)


def test_the_last_state_is_kept_when_asked_or_without_checkpoints() -> None:
    for recorder in (Recorder(30, [1.0, 2.0], keep_last=True), Recorder(30, [])):
        assert recorder.train().facts["best_step"] == 30
        assert recorder.kept == [30]
    assert Recorder(30, [1.0, 2.0], keep_last=True).train().facts["kept_validation_score"] == 2.0


def test_the_log_has_even_steps_and_columns_of_equal_length() -> None:
    log = Recorder(1000, [2.0, 1.0]).train().log
    assert log["step"] == [float(10 * number) for number in range(1, LOGGED_STEPS + 1)]
    assert log["loss"] == pytest.approx([1 / step for step in log["step"]])
    assert [value for value in log["validation_score"] if not math.isnan(value)] == [2.0, 1.0]
    assert len(log["validation_score"]) == LOGGED_STEPS


def test_a_loss_or_score_that_is_not_finite_ends_the_training() -> None:
    with pytest.raises(Diverged, match="loss is nan after 20 of 20 steps"):
        Recorder(20, [1.0]).train(loss=math.nan)
    with pytest.raises(Diverged, match="the validation score is inf after 10 of 20 steps"):
        Recorder(20, [math.inf, 1.0]).train()


def test_gradient_norm_by_hand() -> None:
    network = nn.Linear(2, 1)
    network.weight.grad, network.bias.grad = torch.tensor([[1.0, 2.0]]), torch.tensor([2.0])
    assert float(gradient_norm([*network.parameters(), torch.zeros(1)])) == pytest.approx(3.0)


def test_samples_without_any_variance_are_a_divergence(small_cohort: Cohort) -> None:
    validation = put_on_device(small_cohort, folds(small_cohort)[0]).validation
    with pytest.raises(Diverged, match="samples collapsed"):
        report_dispersion(FitReport(), torch.zeros_like(validation.standardised), validation)
    with pytest.raises(Diverged, match="samples collapsed"):
        report_dispersion(FitReport(), torch.full_like(validation.standardised, math.nan), validation)
    report = FitReport()
    report_dispersion(report, validation.standardised, validation)
    assert report.facts == {"within_class_variance_ratio": 1.0}

"""The common validation score and the dispersion in the record."""

import numpy as np
import pytest
import torch

from gexbench.models.contract import FitReport
from gexbench.models.training.dispersion import report_dispersion, variance_ratio
from gexbench.models.training.validation_score import COMPONENTS, ValidationScore
from gexbench.tasks.cohorts.device_fold import DeviceFold


def mean_distance(first: np.ndarray, second: np.ndarray, same: bool) -> float:
    distances = [
        float(np.linalg.norm(a - b)) for i, a in enumerate(first) for j, b in enumerate(second) if not (same and i == j)
    ]
    return float(np.mean(distances))


@pytest.mark.parametrize("labelled", [True, False])
def test_the_score_is_the_energy_distance(data: DeviceFold, labelled: bool) -> None:
    train, validation = data.train.standardised.numpy(), data.validation.standardised.numpy()
    center = train.mean(0)
    basis = np.linalg.svd(train - center, full_matrices=False)[2][:COMPONENTS].T
    rng = np.random.default_rng(0)
    made = rng.normal(size=validation.shape).astype(np.float32)
    real, synthetic = (validation - center) @ basis, (made - center) @ basis
    if labelled:
        squared = [np.sum((a - b) ** 2) for i, a in enumerate(real) for b in real[:i]]
        one_hot = np.eye(8)[data.validation.conditions.finest.numpy()] * np.sqrt(np.median(squared) / 2)
        real, synthetic = np.hstack([real, one_hot]), np.hstack([synthetic, one_hot])
    expected = (
        2 * mean_distance(real, synthetic, False)
        - mean_distance(real, real, True)
        - mean_distance(synthetic, synthetic, True)
    )
    score = ValidationScore(data.train, data.validation, labelled=labelled)
    assert score(torch.from_numpy(made)) == pytest.approx(expected, abs=2e-3)


def test_ignoring_the_condition_costs_only_when_labels_count(data: DeviceFold) -> None:
    rows = data.validation.standardised
    moved = rows[torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))]
    labelled = ValidationScore(data.train, data.validation, labelled=True)
    unlabelled = ValidationScore(data.train, data.validation, labelled=False)
    assert labelled(moved) > labelled(rows) + 0.05
    assert unlabelled(moved) == pytest.approx(unlabelled(rows), abs=1e-5)


def test_collapse_is_reported(data: DeviceFold) -> None:
    validation = data.validation
    codes = validation.conditions.finest
    means = torch.stack([validation.standardised[codes == code].mean(0) for code in codes.tolist()])
    shrunk = means + 0.5 * (validation.standardised - means)
    assert variance_ratio(shrunk, validation.standardised, codes) == pytest.approx(0.25, rel=1e-4)
    for rows, warned in ((shrunk, True), (validation.standardised, False)):
        report = FitReport()
        report_dispersion(report, rows, validation)
        assert bool(report.warnings) is warned

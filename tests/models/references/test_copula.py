"""Gaussian copulas of classes: marginals, correlation, rare classes, residuals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm, rankdata
from sklearn.covariance import LedoitWolf

from gexbench.models import registry
from gexbench.models.references.condition_ridge import ConditionRidge, RidgeCopula
from gexbench.models.references.copula import RARE, Copulas, normal_scores
from gexbench.models.references.pools import LabelPools
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import DeviceFold

BIG, GENES = 60, 5


@pytest.fixture(scope="module")
def skewed() -> torch.Tensor:
    """Rows (60, 5) of correlated, skewed genes with ties at 0, and a constant gene."""
    rng = np.random.default_rng(0)
    normal = rng.standard_normal((BIG, 1)) + 0.6 * rng.standard_normal((BIG, GENES))
    rows = np.maximum(np.exp(normal) - 0.4, 0.0)
    rows[:, 3] = 2.5
    return torch.from_numpy(rows)


def copulas(*parts: torch.Tensor, centred: bool = False) -> Copulas:
    codes = [code for code, part in enumerate(parts) for _ in range(len(part))]
    pools = LabelPools.of(codes, "project", [f"k{code}" for code in range(len(parts))])
    return Copulas.fit(torch.cat(parts), pools, centred=centred)[0]


def draw(fitted: Copulas, code: int, rows: int = 20000) -> np.ndarray:
    return fitted.draw(torch.full((rows,), code), torch.Generator().manual_seed(1)).double().numpy()


def test_normal_scores_are_those_of_mean_ranks(skewed: torch.Tensor) -> None:
    expected = norm.ppf((rankdata(skewed.numpy(), axis=0) - 0.5) / BIG)
    found = normal_scores(skewed, skewed.sort(dim=0).values)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)


def test_every_gene_has_the_quantiles_of_its_class(skewed: torch.Tensor) -> None:
    drawn = draw(copulas(skewed), 0)
    rows = skewed.numpy()
    chances = np.linspace(0.02, 0.98, 25)
    expected = np.quantile(rows, chances, axis=0, method="hazen")
    np.testing.assert_allclose(np.quantile(drawn, chances, axis=0), expected, rtol=0.06, atol=0.05)
    assert (drawn.min(0) >= rows.min(0) - 1e-6).all()
    assert (drawn.max(0) <= rows.max(0) + 1e-6).all()
    np.testing.assert_allclose(drawn[:, 3], 2.5, atol=1e-6)
    np.testing.assert_allclose((drawn == 0).mean(0)[:3], (rows == 0).mean(0)[:3], atol=1.5 / BIG)


def test_the_scores_have_ledoit_wolfs_correlation(skewed: torch.Tensor) -> None:
    scores = normal_scores(skewed, skewed.sort(dim=0).values).numpy()[:, [0, 1, 2, 4]]
    scaled = (scores - scores.mean(0)) / scores.std(0)
    fitted = copulas(skewed[:, [0, 1, 2, 4]])
    normal = fitted.normals.draw(torch.zeros(40000, dtype=torch.long), torch.Generator().manual_seed(2)).numpy()
    expected = LedoitWolf(assume_centered=True).fit(scaled).covariance_
    np.testing.assert_allclose(np.cov(normal.T), expected, atol=0.03)
    assert expected[0, 1] > 0.4


@pytest.mark.parametrize("few", [1, 2, RARE - 1])
def test_a_rare_class_has_the_shared_spread_around_its_own_mean(skewed: torch.Tensor, few: int) -> None:
    rare = skewed[:few] + 30.0
    drawn = draw(copulas(skewed, rare), 1)
    several = skewed if few == 1 else torch.cat([skewed - skewed.mean(0), rare - rare.mean(0)])
    freedom = len(several) - (1 if few == 1 else 2)
    pooled = (several - several.mean(0)).square().sum(0).div(freedom).sqrt().numpy()
    np.testing.assert_allclose(drawn.mean(0), rare.mean(0).numpy(), atol=0.15)
    np.testing.assert_allclose(drawn.std(0), pooled, rtol=0.12, atol=1e-6)


def test_rare_residuals_are_drawn_around_zero(skewed: torch.Tensor) -> None:
    drawn = draw(copulas(skewed, skewed[:2] + 30.0, centred=True), 1)
    assert np.abs(drawn.mean(0)).max() < 0.3


def test_a_class_of_enough_patients_shares_nothing(skewed: torch.Tensor) -> None:
    alone, beside = copulas(skewed[:RARE]), copulas(skewed[:RARE], skewed + 9.0)
    np.testing.assert_allclose(alone.quantiles, beside.quantiles[:RARE])
    assert len(beside.counts) == 2


def test_only_classes_of_one_patient_give_their_rows(skewed: torch.Tensor) -> None:
    drawn = draw(copulas(skewed[:1], skewed[1:2]), 1, 3)
    np.testing.assert_allclose(drawn, np.broadcast_to(skewed[1].numpy(), drawn.shape), rtol=1e-6)


def fit(name: str, data: DeviceFold) -> RidgeCopula | ConditionRidge:
    generator = create(registry()[name], "quick")
    generator.fit(data.train, data.validation, seed=0)
    assert isinstance(generator, RidgeCopula | ConditionRidge)
    return generator


def test_ridge_copula_predicts_as_condition_ridge_and_keeps_no_residual(data: DeviceFold) -> None:
    unit = type(data.train.cohort.unit)("other")
    data = replace(data, train=replace(data.train, cohort=replace(data.train.cohort, unit=unit)))
    copula, donors = fit("ridge-copula", data), fit("condition-ridge", data)
    for name in ("weights", "intercept"):
        torch.testing.assert_close(getattr(copula, name), getattr(donors, name))
    one = data.test_conditions.take([0, 5])
    means = [each.sample(one, 3000, seed=1).expression.reshape(2, 3000, -1).mean(1) for each in (copula, donors)]
    sd = data.train.standardiser.sd.numpy()
    assert np.abs((means[0] - means[1]) / sd).mean() < 0.1
    kept = copula.state()[0]
    assert "donated" not in kept
    assert not torch.equal(kept["quantiles"], donors.donated)
    assert "training_ids" not in copula.state()[1]

"""Differential privacy of dp-class-gaussian: the accountant, sensitivities, and what noise leaves."""

from dataclasses import replace
from math import exp, inf, sqrt

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from gexbench.models import registry
from gexbench.models.contract import Unavailable
from gexbench.models.references import dp_gaussian
from gexbench.models.references.dp_gaussian import SHARES, DpClassGaussian
from gexbench.models.references.gaussian_mechanism import GaussianMechanism, delta_of, mu_of
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.cohorts.split import Split

NAME = "dp-class-gaussian-10"


@pytest.mark.parametrize(
    ("epsilon", "delta", "noise"),
    [(1.0, 1e-5, 3.7306316), (1.0, 1e-6, 4.2246789), (10.0, 1e-5, 0.4998886), (10.0, 1e-6, 0.5410868)],
)
def test_the_noise_is_that_of_dp_accounting(epsilon: float, delta: float, noise: float) -> None:
    """Least noise multipliers by the privacy loss distributions of dp-accounting 0.6, discretised to 1e-4."""
    assert 1 / mu_of(epsilon, delta) == pytest.approx(noise, rel=1e-6)


@pytest.mark.parametrize(("mu", "epsilon"), [(0.27, 1.0), (1.0, 0.5), (2.0, 10.0)])
def test_delta_is_the_integral_of_what_exceeds_exp_epsilon(mu: float, epsilon: float) -> None:
    start = epsilon / mu + mu / 2

    def exceeding(value: float) -> float:
        return float(norm.pdf(value, mu) - exp(epsilon) * norm.pdf(value))

    assert delta_of(mu, epsilon) == pytest.approx(quad(exceeding, start, inf, epsabs=1e-14)[0], rel=1e-6)
    assert delta_of(mu_of(epsilon, 1e-5), epsilon) <= 1e-5


def test_releases_spend_their_shares_and_no_more() -> None:
    assert sum(SHARES.values()) <= 1 + 1e-12
    mechanism = GaussianMechanism(0.5, torch.Generator().manual_seed(0))
    assert sum((3.0 / mechanism.sd(3.0, share)) ** 2 for share in SHARES.values()) == pytest.approx(0.25)
    noise = mechanism.release(torch.zeros(200, 200, dtype=torch.float64), 2.0, 0.25)
    assert float(noise.std()) == pytest.approx(2.0 / (0.5 * sqrt(0.25)), rel=0.02)
    both = mechanism.release_symmetric(torch.zeros(300, 300, dtype=torch.float64), 2.0, 0.25)
    assert torch.equal(both, both.T)
    assert float(both.diagonal().std()) == pytest.approx(8.0, rel=0.15)
    assert float(both[~torch.eye(300, dtype=torch.bool)].std()) == pytest.approx(8.0 / sqrt(2), rel=0.02)


def fit(train: Split, data: DeviceFold, **settings: float) -> DpClassGaussian:
    generator = create(registry()[NAME], "quick", settings)
    generator.fit(train, data.validation, seed=3)
    assert isinstance(generator, DpClassGaussian)
    return generator


def part(split: Split, rows: torch.Tensor) -> Split:
    return replace(
        split,
        expression=split.expression[rows],
        standardised=split.standardised[rows],
        conditions=split.conditions.take(rows),
    )


def test_one_patient_moves_every_release_by_no_more_than_its_sensitivity(
    data: DeviceFold, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each release is recorded without noise; the later ones see the same centre and directions in both data sets."""
    released: list[tuple[torch.Tensor, float, float]] = []

    def recorded(self: GaussianMechanism, total: torch.Tensor, sensitivity: float, share: float) -> torch.Tensor:
        released.append((total.clone(), sensitivity, share))
        return fixed[len(released) - 1] if fixed else total

    monkeypatch.setattr(GaussianMechanism, "release", recorded)
    monkeypatch.setattr(GaussianMechanism, "release_symmetric", recorded)
    fixed: list[torch.Tensor] = []
    outlier = replace(data.train, expression=data.train.expression.clone())
    outlier.expression[0] = torch.where(torch.arange(len(data.train.genes)) % 2 == 0, 1e6, -1e6)
    fit(outlier, data)
    whole, released[:] = list(released), []
    fixed = [total for total, *_ in whole]
    fit(part(outlier, torch.arange(1, len(outlier))), data)
    assert [share for *_, share in whole] == [SHARES[name] for name in ("counts", "centre", "scatter", "means")]
    moved = [float((one[0] - other[0]).norm()) for one, other in zip(whole, released, strict=True)]
    for distance, (_, sensitivity, _) in zip(moved, whole, strict=True):
        assert 0 < distance <= sensitivity * (1 + 1e-6)
    assert moved[2] > 0.99 * whole[2][1]


def test_nothing_of_the_training_rows_is_kept(data: DeviceFold) -> None:
    generator = fit(data.train, data)
    tensors, facts = generator.state()
    classes, genes = len(data.train.conditions.classes["project"]), len(data.train.genes)
    assert len(tensors["factors"]) <= genes
    assert facts["codes"] == list(range(classes))
    other = replace(data.train, standardised=data.train.standardised + 1.0)
    for name, tensor in fit(other, data).state()[0].items():
        assert torch.equal(tensor, tensors[name]), name


def test_with_a_large_budget_it_has_the_classes_means_and_covariance(data: DeviceFold) -> None:
    generator = fit(data.train, data, epsilon=1e7, delta=0.5, clip=8.0, centre_clip=12.0)
    names, rows = data.train.conditions.names("project"), data.train.expression.double().numpy()
    wanted = int(np.flatnonzero(data.test_conditions.names("project") == "SIM-LUSC")[0])
    monkey = generator.sample(data.test_conditions.take([wanted]), 4000, seed=0).expression
    free = rows.min(0) > 2.0
    centred = np.concatenate([rows[names == each] - rows[names == each].mean(0) for each in np.unique(names)])
    real = rows[names == "SIM-LUSC"].mean(0)
    assert np.abs(monkey.mean(0) - real)[free].max() < 0.25
    expected = np.cov(centred.T)
    found = np.cov(monkey.T.astype(np.float64))
    assert np.abs(found - expected)[np.ix_(free, free)].mean() < 0.1 * np.abs(np.diag(expected)[free]).mean()


def test_a_smaller_epsilon_is_farther_from_the_class_means(data: DeviceFold) -> None:
    names, rows = data.train.conditions.names("project"), data.train.expression.double()
    classes = data.train.conditions.classes["project"]
    errors = []
    for epsilon in (1.0, 30.0, 1000.0):
        generator = fit(data.train, data, epsilon=epsilon)
        found = (generator.means + generator.gene_mean).double()
        real = torch.stack([rows[torch.from_numpy(names == each)].mean(0) for each in classes])
        errors.append(float((found - real).square().mean()))
    assert errors[0] > 1.2 * errors[1] > 1.44 * errors[2]


def test_the_eigenvalues_are_corrected_for_the_noise() -> None:
    size, true = 300, 900.0
    noise = torch.randn((size, size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    direction = torch.nn.functional.one_hot(torch.tensor(4), size).double()
    shown = true * torch.outer(direction, direction) + 20.0 * (noise + noise.T) / 2
    values, directions = dp_gaussian._leading(shown, 20.0)
    assert values.tolist() == pytest.approx([true], rel=0.03)
    assert float(torch.linalg.eigvalsh(shown)[-1]) > 1.05 * true
    assert float(directions[4, 0].abs()) > 0.9


def test_without_a_public_range_it_is_unavailable(data: DeviceFold) -> None:
    unit = type(data.train.cohort.unit)("other")
    other = replace(data.train, cohort=replace(data.train.cohort, unit=unit))
    with pytest.raises(Unavailable, match="found None to None for the unit 'other'; give the settings lower and upper"):
        fit(other, data)
    assert fit(other, data, lower=0.0, upper=20.0).report.facts["epsilon"] == 10.0

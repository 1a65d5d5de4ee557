"""The VAE family: its bound, its randomness, its priors."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor, nn

from gexbench.models import registry
from gexbench.models.registry import create
from gexbench.models.training.latent_mixture import LatentMixture, of_conditions, of_labels, of_mixture
from gexbench.models.vae.bound import DeviceBound
from gexbench.models.vae.generator import Vae
from gexbench.models.vae.networks import SMALLEST_SCALE, VaeNetwork
from gexbench.models.vae.sampling import LatentSource, decoded
from gexbench.models.vae.settings import VaeSettings
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.errors import InputError

GENES = 7


def network(width: int = 0, **settings: Any) -> VaeNetwork:
    """A small network with fixed weights, for conditions of this width."""
    conditioner = nn.Identity()
    conditioner.out_features = width  # type: ignore[assignment]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VaeNetwork(GENES, conditioner, VaeSettings(hidden=5, latent=4, **settings))


def batch(rows: int = 6) -> tuple[Tensor, Tensor]:
    """Rows and their conditions, of width 0."""
    return torch.randn(rows, GENES, generator=torch.Generator().manual_seed(1)), torch.zeros(rows, 0)


def bound(
    net: VaeNetwork, rows: Tensor, condition: Tensor, beta: float = 1.0, *, differentiable: bool = False
) -> Tensor:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        loss = DeviceBound().differentiable_loss(net.model, net.guide, rows, condition, beta)
    return loss if differentiable else loss.detach()


def constant_encoder(net: VaeNetwork, mean: float, log_variance: float) -> None:
    """Make the posterior the same for every row."""
    last = net.encoder[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias[: net.latents].fill_(mean)
        last.bias[net.latents :].fill_(log_variance)


def constant_decoder(net: VaeNetwork) -> None:
    """Make the reconstruction 0 with scale 1, whatever the latent."""
    with torch.no_grad():
        net.decoder[-1].weight.zero_()
        net.decoder[-1].bias.zero_()
        net.log_scale.fill_(np.log(1 - SMALLEST_SCALE))


def reconstruction(rows: Tensor) -> float:
    """-log N(rows; 0, 1), summed over genes and rows."""
    return float(0.5 * rows.square().sum() + 0.5 * rows.numel() * np.log(2 * np.pi))


def test_kl_is_zero_exactly_at_mean_zero_and_variance_one() -> None:
    net, (rows, condition) = network(), batch()
    constant_encoder(net, 0.0, 0.0)
    mean, scale = net.encode(rows, condition)
    assert (mean == 0).all()
    assert (scale == 1).all()
    constant_decoder(net)
    assert float(bound(net, rows, condition)) == pytest.approx(reconstruction(rows), rel=1e-6)
    assert float(bound(net, rows, condition, beta=5.0)) == pytest.approx(float(bound(net, rows, condition)), abs=1e-6)


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_kl_by_hand_and_its_weight(beta: float) -> None:
    net, (rows, condition) = network(), batch()
    constant_encoder(net, 0.5, np.log(4.0))
    constant_decoder(net)
    kl = 0.5 * (4.0 + 0.25 - 1.0 - np.log(4.0)) * net.latents * len(rows)
    assert float(bound(net, rows, condition, beta)) == pytest.approx(reconstruction(rows) + beta * kl, rel=1e-5)


def test_reconstruction_is_summed_over_genes_with_a_learned_scale_per_gene() -> None:
    net, (rows, condition) = network(), batch()
    constant_encoder(net, 0.0, 0.0)
    constant_decoder(net)
    scale = torch.linspace(0.5, 2.0, GENES)
    with torch.no_grad():
        net.log_scale.copy_((scale - SMALLEST_SCALE).log())
    expected = (0.5 * (rows / scale).square() + scale.log() + 0.5 * np.log(2 * np.pi)).sum()
    assert float(bound(net, rows, condition)) == pytest.approx(float(expected), rel=1e-5)
    loss = bound(net, rows, condition, differentiable=True)
    (gradient,) = torch.autograd.grad(loss, net.log_scale)
    assert (gradient != 0).all()


@pytest.mark.parametrize("beta", [1.0, 0.25])
def test_the_bound_and_its_gradient_are_those_of_pyro_to_the_bit(beta: float) -> None:
    net, (rows, _) = network(width=3), batch()
    found = []
    for cls in (DeviceBound, TraceMeanField_ELBO):
        with torch.random.fork_rng():
            torch.manual_seed(2)
            loss = cls().differentiable_loss(net.model, net.guide, rows, torch.ones(len(rows), 3), beta)
        weights = [*net.encoder.parameters(), *net.decoder.parameters(), net.log_scale]
        found.append([loss.detach(), *torch.autograd.grad(loss, weights)])
    assert all(torch.equal(ours, theirs) for ours, theirs in zip(*found, strict=True))


def test_encoder_and_decoder_see_the_condition() -> None:
    rows, _ = batch()
    one, other = torch.zeros(len(rows), 3), torch.ones(len(rows), 3)
    net, latent = network(width=3), torch.zeros(len(rows), 4)
    assert (net.encode(rows, one)[0] != net.encode(rows, other)[0]).any()
    assert (net.decode(latent, one)[0] != net.decode(latent, other)[0]).any()


def test_samples_carry_the_noise_of_the_likelihood() -> None:
    net = network()
    constant_decoder(net)
    rows = decoded(
        LatentSource(net, None, by_label=False),
        torch.zeros(4000, dtype=torch.int64),
        torch.zeros(4000, 0),
        torch.Generator(),
    )
    assert float(rows.std()) == pytest.approx(1.0, abs=0.03)


def test_latent_widths_of_the_paper() -> None:
    entries = registry()
    assert create(entries["vae"], "cpu", {"latent": None}).settings.latents == 64  # type: ignore[attr-defined]
    assert create(entries["cvae"], "cpu", {"latent": None}).settings.latents == 256  # type: ignore[attr-defined]


def fitted(data: DeviceFold, name: str = "cvae", seed: int = 0, **settings: Any) -> Vae:
    generator = create(
        registry()[name], "quick", {"hidden": 32, "latent": 8, "steps": 30, "checkpoints": 3, **settings}
    )
    assert isinstance(generator, Vae)
    generator.fit(data.train, data.validation, seed=seed)
    return generator


def test_pyro_keeps_nothing_and_global_random_state_is_untouched(data: DeviceFold) -> None:
    pyro.clear_param_store()
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    fitted(data).sample(data.test_conditions, seed=0)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]  # noqa: NPY002
    assert len(pyro.get_param_store()) == 0


def test_a_fit_does_not_depend_on_global_random_state_or_earlier_fits(data: DeviceFold) -> None:
    first = fitted(data).sample(data.test_conditions, seed=0).expression
    torch.rand(5)
    second = fitted(data).sample(data.test_conditions, seed=0).expression
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("prior", ["standard", "aggregate"])
def test_training_lowers_the_validation_score_and_keeps_the_best(data: DeviceFold, prior: str) -> None:
    generator = fitted(data, steps=200, checkpoints=10, prior=prior)
    curve, facts = generator.report.curves["validation_score"], generator.report.facts
    assert len(curve) == 10
    assert min(curve) < curve[0]
    assert facts["best_step"] == 20 * (1 + int(np.argmin(curve)))
    assert facts["parameters"] == sum(value.numel() for value in generator.state()[0].values()) - sum(
        value.numel() for name, value in generator.state()[0].items() if not name.startswith("network.")
    )


def test_collapse_is_a_warning(data: DeviceFold) -> None:
    generator = fitted(data, prior="standard", steps=200)
    ratio = generator.report.facts["within_class_variance_ratio"]
    assert bool(generator.report.warnings) == (ratio < 0.7)


def test_progress_reports_steps(data: DeviceFold) -> None:
    seen: list[tuple[int, int]] = []
    generator = create(registry()["cvae"], "quick", {"steps": 30})
    generator.fit(
        data.train,
        data.validation,
        seed=0,
        progress=lambda step, steps, **values: seen.append((step, steps)),
    )
    assert seen[-1] == (30, 30)
    assert len(seen) < 30


def test_a_combination_never_seen_is_refused(data: DeviceFold) -> None:
    labels = data.test_conditions.labels.clone()
    labels[0, 1] = (labels[0, 1] + 1) % len(data.test_conditions.classes["primary_site"])
    with pytest.raises(InputError, match="do not occur in the training data"):
        fitted(data).sample(replace(data.test_conditions, labels=labels), seed=0)


def posterior() -> tuple[Tensor, Tensor, Tensor]:
    """Two well-separated groups of latents with correlated dimensions, and the spread of each row."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.arange(3000) % 2
    shape = torch.tensor([[1.0, 0.0], [0.8, 0.3]])
    mean = torch.randn(3000, 2, generator=generator) @ shape.T + torch.where(codes == 1, 8.0, -8.0)[:, None]
    return mean, torch.full((3000, 2), 0.5), codes


def moments(mixture: LatentMixture, component: int) -> tuple[Tensor, Tensor]:
    drawn = mixture.draw(torch.full((40000,), component), torch.Generator().manual_seed(1))
    return drawn.mean(0), drawn.T.cov()


def test_aggregate_posterior_has_its_mean_and_covariance() -> None:
    mean, scale, codes = posterior()
    mixture = of_labels(mean, scale, codes, classes=3)
    for code in (0, 1):
        rows = mean[codes == code]
        centre, covariance = moments(mixture, code)
        torch.testing.assert_close(centre, rows.mean(0), atol=0.05, rtol=0)
        torch.testing.assert_close(covariance, rows.T.cov() + 0.25 * torch.eye(2), atol=0.05, rtol=0)
    assert torch.isfinite(moments(mixture, 2)[1]).all()


def test_latents_regressed_on_a_condition_have_its_slope_and_the_residuals_covariance() -> None:
    random = torch.Generator().manual_seed(4)
    condition = torch.randn(4000, 3, generator=random) * 5 + 2
    slope = torch.tensor([[1.0, -1.0], [0.5, 0.0], [0.0, 2.0]])
    shape = torch.tensor([[1.0, 0.0], [0.6, 0.4]])
    mean = condition @ slope + 3 + torch.randn(4000, 2, generator=random) @ shape.T
    prior = of_conditions(mean, torch.full((4000, 2), 0.5), condition)
    torch.testing.assert_close(prior.weight, slope, atol=0.02, rtol=0)
    wanted = torch.tensor([[2.0, 1.0, 0.0]]).expand(40000, 3)
    drawn = prior.draw(wanted, torch.Generator().manual_seed(1))
    torch.testing.assert_close(drawn.mean(0), wanted[0] @ slope + 3, atol=0.1, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), shape @ shape.T + 0.25 * torch.eye(2), atol=0.06, rtol=0)


def test_mixture_finds_the_groups() -> None:
    mean, scale, codes = posterior()
    mixture = of_mixture(mean, scale, 2, torch.Generator().manual_seed(0))
    assert sorted(mixture.weights.tolist()) == pytest.approx([0.5, 0.5], abs=0.01)
    assert sorted(mixture.means[:, 0].tolist()) == pytest.approx(
        [float(mean[codes == code, 0].mean()) for code in (0, 1)], abs=0.05
    )
    chosen = mixture.choose(4000, torch.Generator().manual_seed(3))
    assert float(chosen.float().mean()) == pytest.approx(0.5, abs=0.03)

"""The diffusion family: parameterisation, samplers, marginals, spaces, guidance, training, saving."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from gexbench.models.diffusion.denoiser import Denoiser
from gexbench.models.diffusion.generator import Diffusion
from gexbench.models.diffusion.marginals import KNOTS, NormalScores
from gexbench.models.diffusion.representation import Representation
from gexbench.models.diffusion.sampling import guided, sampled_rows
from gexbench.models.diffusion.schedule import CosineDiffusion, cosine_rates, drawn, velocity
from gexbench.models.diffusion.settings import DiffusionSettings, SamplerName
from gexbench.models.diffusion.space import ComponentSpace, GeneSpace
from gexbench.models.diffusion.training import DenoiserTraining, rate
from gexbench.models.registry import Entry, create
from gexbench.models.training.expression_scale import ExpressionScale
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.cohorts.split import Standardiser
from gexbench.tasks.errors import InputError

CPU = torch.device("cpu")
SAMPLERS: tuple[SamplerName, ...] = ("ddpm", "ddim", "dpm-solver++")


def entry(conditioning: str) -> Entry:
    return Entry(
        "tried",
        "gexbench.models.diffusion.generator:Diffusion",
        "diffusion",
        (),
        "",
        settings={"conditioning": conditioning},
        settings_target="gexbench.models.diffusion.settings:DiffusionSettings",
    )


def fitted(data: DeviceFold, conditioning: str, **overrides: Any) -> Diffusion:
    tiny = {"steps": 20, "checkpoints": 2, "warm_start_steps": 3, **overrides}
    generator = create(entry(conditioning), "quick", tiny)
    generator.fit(data.train, data.validation, seed=0)
    assert isinstance(generator, Diffusion)
    return generator


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def unscaled(genes: int) -> ExpressionScale:
    names = tuple(f"G{gene}" for gene in range(genes))
    return ExpressionScale(Standardiser(torch.zeros(genes), torch.ones(genes)), names, None)


# v-prediction and the schedule


def test_velocity_gives_back_clean_latents_and_noise() -> None:
    clean, noise = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, 3.0]])
    alpha, sigma = torch.tensor([[0.6]]), torch.tensor([[0.8]])
    predicted, noisy = velocity(clean, noise, alpha, sigma), alpha * clean + sigma * noise
    torch.testing.assert_close(predicted, torch.tensor([[0.6 * 0.5 - 0.8 * 2.0, 0.6 * 3.0 + 0.8 * 1.0]]))
    torch.testing.assert_close(alpha * noisy - sigma * predicted, clean)
    torch.testing.assert_close(sigma * noisy + alpha * predicted, noise)


def test_rates_are_those_of_the_cosine_schedule() -> None:
    alpha, sigma = cosine_rates(CPU)
    torch.testing.assert_close(alpha.square() + sigma.square(), torch.ones(1000))

    def cosine(share: float) -> float:
        return math.cos((share + 0.008) / 1.008 * math.pi / 2)

    for timestep in (0, 250, 500, 900):
        expected = cosine((timestep + 1) / 1000) / cosine(0.0)
        assert float(alpha[timestep]) == pytest.approx(expected, rel=1e-4)


# Samplers

MEAN, SD = torch.tensor([0.0, 2.0, -1.0, 0.0]), torch.tensor([0.1, 0.3, 1.0, 2.0])


def exact(noisy: Tensor, timestep: Tensor) -> Tensor:
    """E[v | z] for independent normal latents with MEAN and SD."""
    alpha, sigma = (rates[timestep, None] for rates in cosine_rates(CPU))
    gain = alpha * SD**2 / (alpha**2 * SD**2 + sigma**2)
    clean = MEAN + gain * (noisy - alpha * MEAN)
    return velocity(clean, (noisy - alpha * clean) / sigma, alpha, sigma)


@pytest.mark.parametrize(
    ("sampler", "steps", "tolerance"),
    [("ddpm", 250, 0.04), ("ddim", 250, 0.04), ("dpm-solver++", 50, 0.07), ("dpm-solver++", 10, 0.05)],
)
def test_samplers_give_the_moments_of_a_gaussian(sampler: SamplerName, steps: int, tolerance: float) -> None:
    start = torch.randn((20_000, 4), generator=random())
    rows = drawn(exact, start, sampler, steps, random(1))
    torch.testing.assert_close(rows.mean(0), MEAN, atol=0.06, rtol=0)
    torch.testing.assert_close(rows.std(0) / SD, torch.ones(4), atol=tolerance, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_values_far_from_zero_are_not_clipped(sampler: SamplerName) -> None:
    def far(noisy: Tensor, timestep: Tensor) -> Tensor:
        alpha, sigma = (rates[timestep, None] for rates in cosine_rates(CPU))
        clean = torch.full_like(noisy, 30.0)
        return velocity(clean, (noisy - alpha * clean) / sigma, alpha, sigma)

    rows = drawn(far, torch.randn((8, 2), generator=random()), sampler, 20, random(1))
    torch.testing.assert_close(rows, torch.full((8, 2), 30.0), atol=0.5, rtol=0)


def test_an_unknown_sampler_is_refused() -> None:
    with pytest.raises(InputError, match="setting sampler: 'euler'"):
        create(entry("none"), "quick", {"sampler": "euler"})


def test_guidance_without_condition_dropout_is_refused() -> None:
    with pytest.raises(InputError, match="guidance 2 needs condition_dropout above 0"):
        create(entry("labels"), "quick", {"guidance": 2.0})


# Marginals


def test_normal_scores_are_normal_and_come_back() -> None:
    rows = skewed(3000)
    marginals = NormalScores.fit(rows)
    assert marginals.knots.shape == (3, KNOTS)
    scores = marginals.forward(rows, random())
    expected = norm.ppf((rows[:, 1].argsort().argsort().numpy() + 0.5) / 3000)
    inner = np.abs(expected) < 2.5
    np.testing.assert_allclose(scores[:, 1].numpy()[inner], expected[inner], atol=0.05)
    back = marginals.inverse(scores)
    assert float((back - rows).abs().median()) < 1e-4
    assert float((back - rows).abs().max()) < 0.1 * float(rows.max())


def skewed(count: int) -> Tensor:
    """Three genes: skewed, heavy, and one that is at its floor in 40 % of the rows."""
    values = torch.randn((count, 3), generator=random(3))
    values[:, 0], values[:, 2] = values[:, 0].exp(), (values[:, 2] + 0.2533).clamp_min(0)
    return values


def test_an_atom_becomes_normal_and_comes_back_as_an_atom() -> None:
    rows = skewed(2000)
    marginals = NormalScores.fit(rows)
    scores = marginals.forward(rows, random())[:, 2]
    assert float(scores.mean()) == pytest.approx(0, abs=0.03)
    assert float(scores.std()) == pytest.approx(1, abs=0.03)
    fresh = marginals.inverse(torch.randn((20_000, 3), generator=random(1)))
    assert bool(((fresh[:, 2] == 0) | (fresh[:, 2] > 1e-5)).all())
    assert float((fresh[:, 2] == 0).float().mean()) == pytest.approx(float((rows[:, 2] == 0).float().mean()), abs=0.01)
    assert float(fresh[:, 0].max()) <= float(rows[:, 0].max())


def test_a_constant_gene_stays_constant() -> None:
    marginals = NormalScores.fit(torch.full((50, 1), 3.0))
    assert torch.isfinite(marginals.forward(torch.tensor([[3.0], [4.0]]), random())).all()
    torch.testing.assert_close(marginals.inverse(torch.tensor([[-9.0], [0.0], [9.0]])), torch.full((3, 1), 3.0))


# Spaces


def correlated(count: int, seed: int = 0) -> Tensor:
    mixing = torch.randn((6, 30), generator=random(99))
    return torch.randn((count, 6), generator=random(seed)) @ mixing + torch.randn(
        (count, 30), generator=random(seed + 1)
    )


def test_latents_are_white_and_their_inverse_keeps_the_covariance() -> None:
    rows = correlated(4000)
    space = ComponentSpace.fit(rows, components=6, clusters=3, seed=0)
    latents = space.forward(rows)
    assert latents.shape == (4000, space.latents) == (4000, 7)
    torch.testing.assert_close(latents[:, :6].T @ latents[:, :6] / 4000, torch.eye(6), atol=1e-3, rtol=0)
    again = space.inverse(latents, random())
    torch.testing.assert_close(torch.cov(again.T), torch.cov(rows.T), atol=0.25, rtol=0)
    torch.testing.assert_close(space.forward(again)[:, :6], latents[:, :6], atol=0.15, rtol=0)
    assert float((again - rows).norm()) > 0.1 * float(rows.norm())


def test_the_size_of_the_rest_is_a_latent() -> None:
    rows = correlated(2000)
    quiet = rows.clone()
    basis = torch.linalg.svd(rows - rows.mean(0), full_matrices=False)[2][:6]
    inside = (rows - rows.mean(0)) @ basis.T @ basis + rows.mean(0)
    quiet[:1000] = inside[:1000] + 0.2 * (rows - inside)[:1000]
    space = ComponentSpace.fit(quiet, components=6, clusters=1, seed=0)
    latents = space.forward(quiet)
    again = space.inverse(latents, random())
    rest = ((again - space.centre) @ space.rest_basis.T).square().mean(1).sqrt()
    assert float(rest[:1000].mean() / rest[1000:].mean()) == pytest.approx(0.2, abs=0.03)


def test_the_rest_is_as_wide_as_its_cluster() -> None:
    rows = correlated(3000)
    rows[:1500] += 40 * torch.eye(30)[0]
    rows[:1500, 29] += 3 * torch.randn(1500, generator=random(5))
    space = ComponentSpace.fit(rows, components=1, clusters=2, seed=0)
    again = space.inverse(space.forward(rows), random())
    found = again[:1500, 29].std() / again[1500:, 29].std()
    assert float(found) == pytest.approx(float(rows[:1500, 29].std() / rows[1500:, 29].std()), rel=0.15)


def test_widening_takes_the_spread_of_other_rows() -> None:
    rows = correlated(40)
    space, others = ComponentSpace.fit(rows, components=6, clusters=1, seed=0), correlated(4000, seed=7)
    wide = space.widened(others)
    along = [
        ((each.inverse(space.forward(rows), random()) - space.centre) @ space.rest_basis.T) for each in (space, wide)
    ]
    wanted = ((others - space.centre) @ space.rest_basis.T).square().mean()
    assert float(along[0].square().mean()) < 0.8 * float(wanted)
    assert float(along[1].square().mean()) == pytest.approx(float(wanted), rel=0.15)


def test_weights_have_mean_one_and_follow_the_variances() -> None:
    space = ComponentSpace.fit(correlated(500), components=4, clusters=1, seed=0)
    weights = space.weights(0.5)
    assert float(weights.mean()) == pytest.approx(1)
    torch.testing.assert_close(weights[:4] / weights[0], space.scale / space.scale[0])
    torch.testing.assert_close(space.weights(0.0), torch.ones(5))
    assert GeneSpace(3).weights(0.5).tolist() == [1, 1, 1]


def test_more_components_than_rows_leave_a_rest() -> None:
    rows = torch.randn((8, 30), generator=random())
    space = ComponentSpace.fit(rows, components=50, clusters=20, seed=0)
    assert space.latents <= 8
    assert torch.isfinite(space.inverse(space.forward(rows), random())).all()


# Denoiser and guidance


def denoiser(condition: int = 3) -> Denoiser:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Denoiser(5, condition, 16, 2, 0.0).eval()
        for weights in network.parameters():
            torch.nn.init.normal_(weights, std=0.3)
    return network


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    return (
        torch.randn((4, 5), generator=random()),
        torch.tensor([0, 10, 500, 999]),
        torch.randn((4, 3), generator=random(1)),
    )


def test_an_untrained_denoiser_is_that_of_standard_normal_latents() -> None:
    with torch.random.fork_rng():
        network = Denoiser(5, 3, 16, 2, 0.1)
    assert not network(*inputs()).any()


def test_a_saved_denoiser_loads_bit_equal(tmp_path: Path) -> None:
    network = denoiser()
    network.save_pretrained(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "diffusion_pytorch_model.safetensors"]
    with torch.random.fork_rng():
        loaded = Denoiser.from_pretrained(tmp_path, low_cpu_mem_usage=False)
    assert torch.equal(loaded(*inputs()), network(*inputs()))
    assert dict(loaded.config)["latents"] == 5


def test_time_and_condition_matter() -> None:
    network, (noisy, timestep, condition) = denoiser(), inputs()
    base = network(noisy, timestep, condition)
    assert (network(noisy, timestep.flip(0), condition) != base).any(1).all()
    assert (network(noisy, timestep, condition + 1) != base).any(1).all()


def test_guidance_0_is_unconditional_1_conditional_and_2_extrapolates() -> None:
    network, (noisy, timestep, condition) = denoiser(), inputs()
    absent = torch.ones(4, dtype=torch.bool)
    without, within = network(noisy, timestep, condition, absent), network(noisy, timestep, condition)
    assert torch.equal(without, network(noisy, timestep, condition + 5, absent))
    assert (without != within).any()
    assert torch.equal(guided(network, condition, 1.0)(noisy, timestep), within)
    assert torch.equal(guided(network, condition, 0.0)(noisy, timestep), without)
    torch.testing.assert_close(guided(network, condition, 2.0)(noisy, timestep), 2 * within - without)


def test_guidance_does_nothing_without_conditions() -> None:
    network, (noisy, timestep, _) = denoiser(0), inputs()
    empty = torch.zeros((4, 0))
    assert torch.equal(guided(network, empty, 3.0)(noisy, timestep), network(noisy, timestep, empty))


# Training


TWO_MODES = DiffusionSettings(
    preset="quick", steps=250, hidden=32, hidden_dropout=0.0, checkpoints=0, learning_rate=5e-3, sampling_steps=60,
    space="genes", marginals="z-scores",
)  # fmt: skip


PROCESS = CosineDiffusion.of(TWO_MODES.sampler, TWO_MODES.sampling_steps, CPU)


@pytest.fixture(scope="module")
def two_modes() -> Denoiser:
    """Trained on latents with modes at ±1.5 of sd 0.2 along the first axis, N(0, 1) along the second."""
    latents = torch.randn((400, 2), generator=random()) * torch.tensor([0.2, 1.0])
    latents[:, 1] = (latents[:, 1] - latents[:, 1].mean()) / latents[:, 1].std()
    latents[:200, 0] += 1.5
    latents[200:, 0] -= 1.5
    reader = cast("Any", _Empty(400))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Denoiser(2, 0, 32, 2, 0.0)
        training = DenoiserTraining(
            torch.nn.Identity(), network, latents, torch.ones(2), reader, PROCESS, TWO_MODES, random(2)
        )
        training.run(lambda: 0.0, lambda step, steps, **values: None)
    return network


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_trained_denoiser_finds_two_modes(two_modes: Denoiser, sampler: SamplerName) -> None:
    settings = TWO_MODES.model_copy(update={"sampler": sampler})
    representation = Representation(unscaled(2), None, GeneSpace(2))
    process = CosineDiffusion.of(settings.sampler, settings.sampling_steps, CPU)
    rows = sampled_rows(two_modes, representation, torch.zeros((2000, 0)), process, 1.0, random(4))
    assert float((rows[:, 0] > 0).float().mean()) == pytest.approx(0.5, abs=0.06)
    assert float(rows[:, 0].abs().mean()) == pytest.approx(1.5, abs=0.1)
    assert float(rows[:, 0].abs().std()) == pytest.approx(0.2, abs=0.1)
    assert float(rows[:, 1].std()) == pytest.approx(1.0, rel=0.12)


class _Empty:
    """Conditions of width 0 for any number of rows."""

    def __init__(self, rows: int) -> None:
        self.labels = torch.zeros((rows, 0))

    def batch(self, index: Tensor, generator: Any = None) -> Tensor:
        return self.labels[index]


def test_the_rate_rises_and_falls_to_nothing() -> None:
    assert rate(1, 2000) == pytest.approx(0.01)
    assert rate(100, 2000) == pytest.approx(0.5 * (1 + math.cos(math.pi * 99 / 2000)))
    assert rate(2000, 2000) < 1e-5
    assert rate(1, 1) == 1.0


def test_conditions_are_dropped_at_the_stated_share(data: DeviceFold) -> None:
    generator = fitted(data, "labels", condition_dropout=0.25)
    reader = generator._conditioner.reader(data.train.conditions)
    training = DenoiserTraining(
        generator._encoder,
        generator._denoiser,
        torch.zeros((1, 1)),
        torch.ones(1),
        reader,
        PROCESS,
        generator.settings,
        random(),
    )
    absent = training._absent(20_000, CPU)
    assert absent is not None
    assert float(absent.float().mean()) == pytest.approx(0.25, abs=0.02)
    assert bool(generator._denoiser.absent.any())
    assert not bool(fitted(data, "labels")._denoiser.absent.any())


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_makes_rows(data: DeviceFold, sampler: str) -> None:
    generator = fitted(data, "labels", sampler=sampler, sampling_steps=5)
    first, second = (generator.sample(data.test_conditions, 2, seed=3).expression for _ in range(2))
    assert np.array_equal(first, second)
    assert np.isfinite(first).all()
    assert generator.report.facts["sampler"] == sampler


def test_the_report_states_the_facts(data: DeviceFold) -> None:
    report = fitted(data, "labels").report
    for name in ("parameters", "steps", "best_step", "sampler", "sampling_steps", "guidance", "validation_score"):
        assert name in report.facts
    assert len(report.curves["validation_score"]) == 2
    assert {"step", "loss", "gradient_norm", "validation_score"} == set(report.log)
    assert all(math.isfinite(value) for name in ("loss", "gradient_norm") for value in report.log[name])


def test_without_conditions_rows_do_not_depend_on_them(data: DeviceFold) -> None:
    generator = fitted(data, "none")
    moved = data.test_conditions.take(list(range(len(data.test_conditions)))[::-1])
    others = replace(moved, ids=data.test_conditions.ids)
    first, second = (generator.sample(each, seed=2).expression for each in (data.test_conditions, others))
    assert np.array_equal(first, second)


def test_the_encoder_stays_fixed_over_the_head_steps(data: DeviceFold) -> None:
    fixed, joint = (fitted(data, "fusion", head_steps=head, steps=4) for head in (4, 0))
    short = fitted(data, "fusion", head_steps=4, steps=1)
    weights = [next(iter(each._encoder.parameters())) for each in (fixed, short, joint)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


@pytest.mark.parametrize("space", ["genes", "components"])
@pytest.mark.parametrize("marginals", ["z-scores", "normal-scores"])
def test_spaces_and_marginals_are_saved(data: DeviceFold, space: str, marginals: str) -> None:
    generator = fitted(data, "labels", space=space, marginals=marginals, widen=True)
    tensors, facts = generator.state()
    again = Diffusion(generator.settings)
    again.restore(tensors, facts, CPU)
    first, second = (each.sample(data.test_conditions, seed=5).expression for each in (generator, again))
    assert np.array_equal(first, second)
    assert ("knots" in tensors) == (marginals == "normal-scores")
    assert generator.report.facts["latents"] == (40 if space == "genes" else 25)


def test_settings_import_neither_torch_nor_diffusers() -> None:
    code = "import sys, gexbench.models.diffusion.settings; sys.exit(bool({'torch', 'diffusers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

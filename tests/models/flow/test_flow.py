"""Flow matching: the path, its solvers, guidance, what it learns, and what it shares with diffusion."""

import math
import subprocess
import sys
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from gexbench.models import registry
from gexbench.models.diffusion.denoiser import Denoiser
from gexbench.models.diffusion.generator import Diffusion
from gexbench.models.diffusion.sampling import guided
from gexbench.models.diffusion.training import DenoiserTraining
from gexbench.models.flow.generator import Flow
from gexbench.models.flow.path import LAST, OptimalTransportPath, solved
from gexbench.models.flow.settings import FlowSettings, SolverName
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.errors import InputError

SOLVERS: tuple[SolverName, ...] = ("euler", "heun")


def random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fitted(data: DeviceFold, name: str = "flow-label", **overrides: Any) -> Flow:
    generator = create(registry()[name], "quick", {"steps": 20, "checkpoints": 2, **overrides})
    generator.fit(data.train, data.validation, seed=0)
    assert isinstance(generator, Flow)
    return generator


# The path


@pytest.mark.parametrize("least_sd", [0.0, 0.1])
def test_the_path_is_a_straight_line_from_noise_with_its_derivative_as_target(least_sd: float) -> None:
    clean = torch.randn((6, 3), generator=random(1)).double()
    path = OptimalTransportPath("euler", 10, least_sd)

    def at(time: float) -> tuple[Tensor, Tensor]:
        noised = path.noised(clean, torch.full((6,), time, dtype=torch.float64), random(2))
        assert noised.timestep.tolist() == pytest.approx([LAST * time] * 6)
        return noised.noisy, noised.target

    start, end, step = at(0.0)[0], at(1.0)[0], 1e-4
    noise = torch.randn((6, 3), generator=random(2)).double()
    torch.testing.assert_close(start, noise)
    torch.testing.assert_close(end, clean + least_sd * noise)
    for time in (0.0, 0.3, 0.9):
        slope = (at(time + step)[0] - at(time)[0]) / step
        torch.testing.assert_close(slope, at(time)[1], atol=1e-9, rtol=1e-6)
        torch.testing.assert_close(at(time)[0], start.lerp(end, time))


# Solvers

MEAN, SD = torch.tensor([0.0, 2.0, -1.0, 0.0]).double(), torch.tensor([0.2, 0.5, 1.0, 2.0]).double()


def exact(latents: Tensor, timestep: Tensor) -> Tensor:
    """E[x₁ − x₀ | x_t] for independent normal latents with MEAN and SD."""
    time = (timestep / LAST)[:, None].double()
    variance = (time * SD) ** 2 + (1 - time) ** 2
    return MEAN + (time * SD**2 - (1 - time)) / variance * (latents - time * MEAN)


@pytest.mark.parametrize(("solver", "evaluations", "tolerance"), [("euler", 400, 0.02), ("heun", 60, 0.02)])
def test_solvers_give_the_moments_of_a_gaussian(solver: SolverName, evaluations: int, tolerance: float) -> None:
    start = torch.randn((20_000, 4), generator=random()).double()
    rows = solved(exact, start, solver, evaluations)
    torch.testing.assert_close(rows, MEAN + SD * start, atol=4 * tolerance, rtol=tolerance)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2)])
def test_solvers_have_their_order(solver: SolverName, order: int) -> None:
    """dx/dt = x: doubling the steps divides the error by 2 to the order; x(1) = e."""
    start, per_step = torch.ones((1, 1)).double(), order

    def error(steps: int) -> float:
        found = solved(lambda latents, timestep: latents, start, solver, steps * per_step)
        return abs(float(found[0, 0]) - math.e)

    assert math.log2(error(32) / error(64)) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("evaluations", [2, 5, 20])
def test_no_more_evaluations_than_asked_for_and_times_within_the_path(solver: SolverName, evaluations: int) -> None:
    asked: list[float] = []

    def counted(latents: Tensor, timestep: Tensor) -> Tensor:
        asked.append(float(timestep[0]))
        return torch.ones_like(latents)

    rows = solved(counted, torch.zeros((2, 3)), solver, evaluations)
    assert evaluations - 1 <= len(asked) <= evaluations
    assert min(asked) == 0.0
    assert max(asked) <= LAST
    torch.testing.assert_close(rows, torch.ones((2, 3)))


# Training and guidance


def test_a_trained_flow_finds_two_modes_of_their_classes() -> None:
    """Latents around ±1.5 by class: guidance 1 gives the class, 0 both, 2 sharpens."""
    settings = FlowSettings(
        preset="quick", steps=300, hidden=32, hidden_dropout=0.0, checkpoints=0, learning_rate=5e-3, space="genes",
        marginals="z-scores", conditioning="labels", condition_dropout=0.3,
    )  # fmt: skip
    latents = torch.randn((400, 2), generator=random()) * torch.tensor([0.3, 1.0])
    latents[:200, 0] += 1.5
    latents[200:, 0] -= 1.5
    classes = torch.where(torch.arange(400) < 200, 1.0, -1.0)[:, None]
    path = OptimalTransportPath("heun", 40)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Denoiser(2, 1, 32, 2, 0.0)
        training = DenoiserTraining(
            torch.nn.Identity(),
            network,
            latents,
            torch.ones(2),
            cast("Any", _Codes(classes)),
            path,
            settings,
            random(2),
        )
        training.run(lambda: 0.0, lambda step, steps, **values: None)
    network.eval()
    start = torch.randn((2000, 2), generator=random(4))

    def first(guidance: float) -> Tensor:
        with torch.no_grad():
            return path.drawn(guided(network, torch.ones((2000, 1)), guidance), start, random())[:, 0]

    assert float((first(1.0) > 0).float().mean()) > 0.97
    assert float(first(1.0).mean()) == pytest.approx(1.5, abs=0.15)
    assert float(first(1.0).std()) == pytest.approx(0.3, abs=0.15)
    assert float((first(0.0) > 0).float().mean()) == pytest.approx(0.5, abs=0.08)
    assert float(first(2.0).mean()) > float(first(1.0).mean())


class _Codes:
    """Conditions of width 1."""

    def __init__(self, codes: Tensor) -> None:
        self.labels = codes

    def batch(self, index: Tensor, generator: Any = None) -> Tensor:
        return self.labels[index]


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_makes_rows_and_is_reported(data: DeviceFold, solver: str) -> None:
    generator = fitted(data, solver=solver, sampling_steps=5)
    first, second = (generator.sample(data.test_conditions, 2, seed=3).expression for _ in range(2))
    assert np.array_equal(first, second)
    assert np.isfinite(first).all()
    assert (generator.report.facts["sampler"], generator.report.facts["sampling_steps"]) == (solver, 5)


def test_it_is_saved_without_a_trace_of_diffusion(data: DeviceFold) -> None:
    generator = fitted(data)
    again = Flow(generator.settings)
    again.restore(*generator.state(), torch.device("cpu"))
    other = Diffusion(create(registry()["diffusion-label"], "quick").settings)
    other.restore(*generator.state(), torch.device("cpu"))
    rows = [each.sample(data.test_conditions, seed=5).expression for each in (generator, again, other)]
    assert np.array_equal(rows[0], rows[1])
    assert not np.allclose(rows[0], rows[2], atol=0.1)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InputError, match="setting solver: 'ddim'"):
        create(registry()["flow"], "quick", {"solver": "ddim"})
    with pytest.raises(InputError, match="guidance 2 needs condition_dropout above 0"):
        create(registry()["flow-label"], "quick", {"guidance": 2.0})


def test_the_settings_import_no_torch() -> None:
    code = "import sys, gexbench.models.flow.settings; sys.exit(bool({'torch', 'diffusers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

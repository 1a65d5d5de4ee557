"""The fast steps against the plain formulation, and properties of the critic's loss."""

from types import ModuleType

import pytest
import torch
from torch import Tensor

from gexbench.models.conditioning.batch import ConditionBatch
from gexbench.models.conditioning.encoders import EncoderSizes
from gexbench.models.conditioning.fusion import FusionSizes
from gexbench.models.contract import silent
from gexbench.models.training.averaging import AveragedWeights
from gexbench.models.training.run import TrainingRun
from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator, parameter_count
from gexbench.models.wgan_gp.networks import Critic, critic_loss, gradient_penalty
from gexbench.models.wgan_gp.settings import WganGpSettings
from gexbench.models.wgan_gp.steps import generator_loss, judged
from gexbench.models.wgan_gp.training import Training, train_reference

GENES, PATIENTS = 11, 6


def settings(**given: object) -> WganGpSettings:
    values = {"preset": "quick", "conditioning": "fusion", "training": "reference", "dropout": 0.0}
    values |= {"width": 16, "hidden": 12, "latent": 5, "batch": PATIENTS, "steps": 1, **given}
    return WganGpSettings.model_validate(values)


def sizes(wiring: str = "sequential", patch_width: int = 7, token_width: int = 9, width: int = 16) -> EncoderSizes:
    return EncoderSizes((3,), FusionSizes(patch_width, token_width, width, 4, 2, 0.0, wiring))  # type: ignore[arg-type]


def conditions(patches: int, rows: int = PATIENTS) -> ConditionBatch:
    patch_mask = torch.zeros(rows, patches, dtype=torch.bool)
    token_mask = torch.zeros(rows, 6, dtype=torch.bool)
    patch_mask[0] = True
    patch_mask[1, 2:], token_mask[1, 3:] = True, True
    labels = torch.zeros(rows, 1, dtype=torch.int64)
    return ConditionBatch(labels, torch.randn(rows, 6, 9), token_mask, torch.randn(rows, patches, 7), patch_mask)


class OneBatch:
    """A reader that always gives the same batch."""

    def __init__(self, batch: ConditionBatch) -> None:
        self.given = batch

    def batch(self, index: Tensor, generator: torch.Generator | None = None) -> ConditionBatch:
        return self.given


@pytest.fixture(autouse=True)
def _double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def networks(wiring: str) -> tuple[ConditionalGenerator, ConditionalCritic]:
    chosen = settings(wiring=wiring)
    return ConditionalGenerator(chosen, sizes(wiring), GENES), ConditionalCritic(chosen, sizes(wiring), GENES)


def plain_pair(plain: ModuleType, generator: ConditionalGenerator, critic: ConditionalCritic, wiring: str):
    fusion = sizes(wiring).fusion
    pair = plain.PlainNetwork(fusion, 5, 12, GENES), plain.PlainNetwork(fusion, GENES, 12, 1)
    plain.copy_weights(generator, pair[0])
    plain.copy_weights(critic, pair[1])
    return pair


@pytest.mark.parametrize("wiring", ["sequential", "parallel"])
@pytest.mark.parametrize("patches", [4, 10], ids=["film-first", "film-in-one-product"])
def test_gradients_equal_the_plain_formulation(plain: ModuleType, wiring: str, patches: int) -> None:
    generator, critic = networks(wiring)
    other, judge = plain_pair(plain, generator, critic, wiring)
    batch, real = conditions(patches), torch.randn(PATIENTS, GENES)
    noise, mix = torch.randn(PATIENTS, 5), torch.rand(PATIENTS, 1)
    fake = generator(noise, batch).detach()
    loss = critic_loss(judged(critic, real, fake, batch, mix), 10.0)
    expected = plain.plain_critic_loss(other, judge, real, batch, noise, mix)
    torch.testing.assert_close(loss, expected, atol=1e-10, rtol=0)
    compare(plain, critic, judge, loss, expected)
    loss = generator_loss(generator, critic, noise, generator.encoder(batch), critic.encoder(batch))
    expected = plain.plain_generator_loss(other, judge, noise, batch)
    torch.testing.assert_close(loss, expected, atol=1e-10, rtol=0)
    compare(plain, generator, other, loss, expected)


def compare(plain: ModuleType, ours, theirs, loss: Tensor, expected: Tensor) -> None:
    names = [name for name, _ in ours.named_parameters()]
    found = torch.autograd.grad(loss, list(ours.parameters()), allow_unused=True)
    other = dict(theirs.named_parameters())
    wanted = torch.autograd.grad(expected, [other[plain.plain_name(name)] for name in names], allow_unused=True)
    for name, gradient, want in zip(names, found, wanted, strict=True):
        gradient = torch.zeros(()) if gradient is None else gradient
        torch.testing.assert_close(gradient.expand_as(want), want, atol=1e-10, rtol=0, msg=name)


def test_one_reference_step_of_five_and_one_updates_equals_the_plain_loop(plain: ModuleType) -> None:
    generator, critic = networks("sequential")
    other, judge = plain_pair(plain, generator, critic, "sequential")
    batch, rows = conditions(10), torch.randn(PATIENTS, GENES)
    random = torch.Generator().manual_seed(3)
    weights = AveragedWeights(generator, 0.0)
    run = TrainingRun(1, checkpoints=0, score=lambda: 0.0, keep=weights.keep, progress=silent)
    train_reference(Training(generator, critic, rows, OneBatch(batch), settings(), random, weights, run))  # type: ignore[arg-type]

    random = torch.Generator().manual_seed(3)
    real = rows[torch.randperm(PATIENTS, generator=random)]
    optimisers = [torch.optim.RMSprop(network.parameters(), lr=5e-4) for network in (judge, other)]
    for _ in range(5):
        noise = torch.randn(PATIENTS, 5, generator=random)
        loss = plain.plain_critic_loss(other, judge, real, batch, noise, torch.rand(PATIENTS, 1, generator=random))
        optimisers[0].zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(judge.parameters(), 10.0)
        optimisers[0].step()
    loss = plain.plain_generator_loss(other, judge, torch.randn(PATIENTS, 5, generator=random), batch)
    optimisers[1].zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(other.parameters(), 2.0)
    optimisers[1].step()
    for ours, theirs in ((generator, other), (critic, judge)):
        wanted = theirs.state_dict()
        for name, value in ours.state_dict().items():
            torch.testing.assert_close(value, wanted[plain.plain_name(name)], atol=1e-10, rtol=0, msg=name)


def test_separate_passes_change_nothing_without_dropout() -> None:
    _, critic = networks("sequential")
    batch, real, fake = conditions(4), torch.randn(PATIENTS, GENES), torch.randn(PATIENTS, GENES)
    mix = torch.rand(PATIENTS, 1)
    one, three = (judged(critic, real, fake, batch, mix, separate=separate) for separate in (False, True))
    for left, right in zip(one, three, strict=True):
        torch.testing.assert_close(left, right, atol=1e-10, rtol=0)


def test_gradient_reaches_every_parameter_but_the_critics_output_bias() -> None:
    generator, critic = networks("sequential")
    batch, real, fake = conditions(10), torch.randn(PATIENTS, GENES), torch.randn(PATIENTS, GENES)
    critic_loss(judged(critic, real, fake, batch, torch.rand(PATIENTS, 1)), 10.0).backward()
    untouched = [n for n, p in critic.named_parameters() if p.grad is None or float(p.grad.abs().max()) < 1e-14]
    assert untouched == ["head.output.bias"]
    loss = generator_loss(generator, critic, torch.randn(PATIENTS, 5), generator.encoder(batch), critic.encoder(batch))
    loss.backward()
    assert all(float(p.grad.abs().max()) > 1e-14 for p in generator.parameters() if p.grad is not None)
    assert all(p.grad is not None for p in generator.parameters())


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_closed_form_equals_autograd_and_leaves_the_condition_alone(activation: str) -> None:
    critic = Critic(GENES, 3, 12, activation)
    real, fake, mix = torch.randn(8, GENES), torch.randn(8, GENES), torch.rand(8, 1)
    condition = torch.randn(8, 3, requires_grad=True)
    uses = (condition, condition, condition)
    closed, traced = (critic.judge(real, fake, mix, uses, detach=detach) for detach in (True, False))
    torch.testing.assert_close(closed.slopes, traced.slopes, atol=1e-12, rtol=0)
    (gradient,) = torch.autograd.grad(gradient_penalty(traced), condition, allow_unused=True, retain_graph=True)
    assert gradient is None or float(gradient.abs().max()) == 0.0
    left, right = (torch.autograd.grad(gradient_penalty(each), critic.first.weight)[0] for each in (closed, traced))
    torch.testing.assert_close(left, right, atol=1e-12, rtol=0)


def test_detaching_is_refused_for_a_smooth_activation() -> None:
    critic = Critic(GENES, 3, 12, "silu")
    real, fake, mix, condition = torch.randn(8, GENES), torch.randn(8, GENES), torch.rand(8, 1), torch.randn(8, 3)
    with pytest.raises(ValueError, match="SiLU depends on the condition"):
        critic.judge(real, fake, mix, (condition, condition, condition))
    condition.requires_grad_(True)
    slopes = critic.judge(real, fake, mix, (condition, condition, condition), detach=False)
    (gradient,) = torch.autograd.grad(gradient_penalty(slopes), condition)
    assert float(gradient.abs().max()) > 0


def test_penalty_is_zero_for_a_linear_critic_of_unit_gradient_and_four_for_gradient_three() -> None:
    critic = Critic(GENES, 0, GENES)
    with torch.no_grad():
        for layer in (critic.first, critic.second):
            layer.weight.copy_(torch.eye(GENES))
            layer.bias.fill_(100.0)  # every unit stays in the linear part of ReLU
        direction = torch.randn(1, GENES)
        critic.output.weight.copy_(direction / direction.norm())
    real, fake, mix, none = torch.randn(5, GENES), torch.randn(5, GENES), torch.rand(5, 1), torch.zeros(5, 0)
    assert float(gradient_penalty(critic.judge(real, fake, mix, (none, none, none))).detach()) < 1e-20
    with torch.no_grad():
        critic.output.weight.mul_(3.0)
    result = critic.judge(real, fake, mix, (none, none, none))
    assert float(gradient_penalty(result).detach()) == pytest.approx(4.0)
    expected = 3.0 * ((fake - real) @ (direction / direction.norm()).T).mean() + 40.0
    assert float(critic_loss(result, 10.0).detach()) == pytest.approx(float(expected))


def test_parameter_counts_of_the_paper() -> None:
    torch.set_default_dtype(torch.float32)
    chosen = WganGpSettings(preset="full", conditioning="fusion", training="reference")
    wide = EncoderSizes((3,), FusionSizes(1024, 768))
    with torch.device("meta"):
        assert parameter_count(ConditionalGenerator(chosen, wide, 18_665)) == 8_609_001
        assert parameter_count(ConditionalCritic(chosen, wide, 18_665)) == 8_525_057


def test_generator_and_critic_share_no_parameter() -> None:
    generator, critic = ConditionalGenerator(settings(), sizes(), GENES), ConditionalCritic(settings(), sizes(), GENES)
    critic.encoder.load_state_dict(generator.encoder.state_dict())
    before = [parameter.detach().clone() for parameter in critic.parameters()]
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(1.0)
    assert all(torch.equal(old, new) for old, new in zip(before, critic.parameters(), strict=True))
    storages = [{parameter.data_ptr() for parameter in network.parameters()} for network in (generator, critic)]
    assert not storages[0] & storages[1]

"""Training loops of the WGAN-GP: `standard` (ours) and `reference` (the authors' of GeMM-GAN)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gexbench.models.conditioning.batch import ConditionBatch, ConditionReader
from gexbench.models.conditioning.drawn import DrawnConditions, Encoded, Tabled
from gexbench.models.training.averaging import AveragedWeights
from gexbench.models.training.run import TrainingRun, gradient_norm
from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator
from gexbench.models.wgan_gp.networks import critic_loss
from gexbench.models.wgan_gp.settings import WganGpSettings
from gexbench.models.wgan_gp.steps import generator_loss, judged

_REFERENCE_CLIPS = (10.0, 2.0)
# Epochs after which the authors halve the rate: their proposed model and their baselines.
_REFERENCE_HALVING = {True: 100, False: 50}


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """State shared by both training loops.

    Attributes:
        generator, critic: the networks.
        rows: (n, genes) z-scored training expression; reader: conditions of the same patients.
        settings: of the family.
        random: source of mini-batches, patch draws, z and mixtures, on the device.
        weights: moving average of the generator's weights.
        run: what is called after every generator update.
        floor: (genes,) z-scores of the unit's floor, where the critic is to see it; else None.
    """

    generator: ConditionalGenerator
    critic: ConditionalCritic
    rows: Tensor
    reader: ConditionReader
    settings: WganGpSettings
    random: torch.Generator
    weights: AveragedWeights
    run: TrainingRun
    floor: Tensor | None = None

    def drawn(self) -> Tensor:
        """Rows of a mini-batch, (batch,) int64, drawn with replacement."""
        return torch.randint(len(self.rows), (self.settings.batch,), generator=self.random, device=self.random.device)

    def noise(self) -> Tensor:
        """Input noise of one mini-batch."""
        return self.generator.head.noise(self.settings.batch, self.random)

    def fake(self, noise: Tensor, condition: Tensor) -> Tensor:
        """Generated rows as the critic sees them, (B, genes) z-scores without a graph."""
        with torch.no_grad():
            rows: Tensor = self.generator.head(noise, condition)
            return rows if self.floor is None else torch.maximum(rows, self.floor)

    def after(self, step: int, objective: Tensor, loss: Tensor) -> None:
        """After generator update `step` (from 1), with the last losses of critic and generator."""
        self.weights.update()
        values = {"critic_loss": objective, "generator_loss": loss}
        if self.run.logs(step):
            values["critic_gradient_norm"] = gradient_norm(self.critic.parameters())
            values["generator_gradient_norm"] = gradient_norm(self.generator.parameters())
        self.run.after(step, **values)

    def critic_objective(self, real: Tensor, fake: Tensor, batch: ConditionBatch, *, separate: bool = False) -> Tensor:
        """Loss of one critic update with a fresh mixture."""
        mix = torch.rand((len(real), 1), generator=self.random, device=self.random.device)
        return critic_loss(judged(self.critic, real, fake, batch, mix, separate=separate), self.settings.penalty)


def train_standard(training: Training) -> None:
    """Adam (0, .9) with both rates falling to 0 by a cosine; every critic update sees a fresh mini-batch.

    In the last `head_steps` both encoders stay as they are: the conditions of all training patients are computed
    once, for a few draws of their patches, and the steps train the heads alone, at a fraction of the cost.
    """
    settings, networks = training.settings, (training.generator, training.critic)
    rates = (settings.learning_rate, settings.critic_learning_rate)
    optimisers = tuple(
        torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, 0.9), fused=True)
        for network, rate in zip(networks, rates, strict=True)
    )
    encoders = [network.encoder for network in networks]
    conditions: DrawnConditions = Encoded(training.reader, encoders, training.random)
    trained: list[Tensor] = list(training.generator.parameters())
    for step in range(settings.steps):
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))
        if step == max(0, settings.steps - settings.head_steps):
            conditions = Tabled(training.reader, encoders, training.random)
            trained = list(training.generator.head.parameters())
        training.after(step + 1, *_standard_step(training, conditions, optimisers, trained))


def _standard_step(
    training: Training,
    conditions: DrawnConditions,
    optimisers: tuple[torch.optim.Optimizer, ...],
    trained: list[Tensor],
) -> tuple[Tensor, Tensor]:
    """`critic_steps` critic updates and one generator update on the last mini-batch; the last losses of both."""
    settings, generator, critic = training.settings, training.generator, training.critic
    for update in range(settings.critic_steps):
        index = training.drawn()
        conditions.draw(index)
        with torch.set_grad_enabled(update == settings.critic_steps - 1):
            condition = conditions.condition(0)
        fake = training.fake(training.noise(), condition)
        seen = conditions.condition(1)
        mix = torch.rand((len(index), 1), generator=training.random, device=training.random.device)
        objective = critic_loss(
            critic.head.judge(training.rows[index], fake, mix, (seen, seen, seen), detach=critic.head.piecewise_linear),
            settings.penalty,
        )
        optimisers[1].zero_grad()
        torch.autograd.backward(objective)
        optimisers[1].step()
    with torch.no_grad():
        seen = conditions.condition(1)
    loss = generator_loss(generator, critic, training.noise(), condition, seen, training.floor)
    optimisers[0].zero_grad()
    torch.autograd.backward(loss, inputs=trained)
    optimisers[0].step()
    return objective, loss


def train_reference(training: Training) -> None:
    """As the authors of GeMM-GAN train: RMSprop, all updates of a step on one mini-batch, epochs without replacement.

    With dropout every use of an encoder draws its own masks; without it each condition is computed once. The
    rate is halved every 100 epochs and gradients are clipped for the fusion model, every 50 and not clipped for the
    baselines, as published. A last mini-batch of one patient is left out.
    """
    settings, generator, critic = training.settings, training.generator, training.critic
    fusion = settings.conditioning == "fusion"
    rates = (settings.learning_rate, settings.critic_learning_rate)
    parameters = (list(generator.parameters()), list(critic.parameters()))
    optimisers = tuple(
        torch.optim.RMSprop(each, lr=rate, foreach=True) for each, rate in zip(parameters, rates, strict=True)
    )
    separate = settings.dropout > 0 and generator.training
    for step, (epoch, index) in enumerate(_epochs(training)):
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * 0.5 ** (epoch // _REFERENCE_HALVING[fusion])
        batch = training.reader.batch(index, training.random)
        condition = generator.encoder(batch)
        for _ in range(settings.critic_steps):
            with torch.no_grad():
                fixed = generator.encoder(batch) if separate else condition
            fake = training.fake(generator.head.noise(len(index), training.random), fixed)
            objective = training.critic_objective(training.rows[index], fake, batch, separate=separate)
            optimisers[1].zero_grad()
            torch.autograd.backward(objective)
            if fusion:
                nn.utils.clip_grad_norm_(parameters[1], _REFERENCE_CLIPS[0])
            optimisers[1].step()
        noise = generator.head.noise(len(index), training.random)
        with torch.no_grad():
            seen = critic.encoder(batch)
        loss = generator_loss(generator, critic, noise, condition, seen, training.floor)
        optimisers[0].zero_grad()
        torch.autograd.backward(loss, inputs=parameters[0])
        if fusion:
            nn.utils.clip_grad_norm_(parameters[0], _REFERENCE_CLIPS[1])
        optimisers[0].step()
        training.after(step + 1, objective, loss)


def epochs_of(steps: int, patients: int, batch: int) -> float:
    """Epochs that `steps` mini-batches of a training set make up."""
    return steps / max(1, math.ceil(patients / batch))


def _epochs(training: Training) -> Iterator[tuple[int, Tensor]]:
    """(epoch, mini-batch) for `steps` mini-batches, each epoch a permutation."""
    done, epoch = 0, 0
    while True:
        order = torch.randperm(len(training.rows), generator=training.random, device=training.random.device)
        parts = [part for part in torch.split(order, training.settings.batch) if len(part) > 1 or len(order) == 1]
        for index in parts:
            if done == training.settings.steps:
                return
            done += 1
            yield epoch, index
        epoch += 1

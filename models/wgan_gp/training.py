"""Training loops of the WGAN-GP: `standard` (ours) and `reference` (the authors' of GeMM-GAN)."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from gexbench.models.conditioning.batch import ConditionBatch, ConditionReader
from gexbench.models.contract import Progress
from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator
from gexbench.models.wgan_gp.networks import critic_loss
from gexbench.models.wgan_gp.settings import WganGpSettings
from gexbench.models.wgan_gp.steps import generator_loss, judged

_SECONDS_BETWEEN_CALLS = 0.3
_TABLE_DRAWS = 4
_TABLE_CHUNK = 256
_REFERENCE_CLIPS = (10.0, 2.0)
# Epochs after which the authors halve the rate: their proposed model and their baselines.
_REFERENCE_HALVING = {True: 100, False: 50}


class AfterStep(Protocol):
    """Called after every generator update, with the number of updates made."""

    def __call__(self, done: int) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What both loops work on.

    Attributes:
        generator, critic: the networks.
        rows: (n, genes) z-scored training expression; reader: conditions of the same patients.
        settings: of the family.
        random: source of mini-batches, patch draws, z and mixtures, on the device.
    """

    generator: ConditionalGenerator
    critic: ConditionalCritic
    rows: Tensor
    reader: ConditionReader
    settings: WganGpSettings
    random: torch.Generator

    def drawn(self) -> Tensor:
        """Rows of a mini-batch, (batch,) int64, drawn with replacement."""
        return torch.randint(len(self.rows), (self.settings.batch,), generator=self.random, device=self.random.device)

    def noise(self) -> Tensor:
        """Input noise of one mini-batch."""
        return self.generator.head.noise(self.settings.batch, self.random)

    def critic_objective(self, real: Tensor, fake: Tensor, batch: ConditionBatch, *, separate: bool = False) -> Tensor:
        """Loss of one critic update with a fresh mixture."""
        mix = torch.rand((len(real), 1), generator=self.random, device=self.random.device)
        return critic_loss(judged(self.critic, real, fake, batch, mix, separate=separate), self.settings.penalty)


def train_standard(training: Training, after: AfterStep, progress: Progress) -> None:
    """Adam (0, .9) with both rates falling to 0 by a cosine; every critic update sees a fresh mini-batch.

    In the last `head_steps` both encoders stay as they are: the conditions of all training patients are computed
    once, for a few draws of their patches, and the steps train the heads alone, at a fraction of the cost.
    """
    settings = training.settings
    rates = (settings.learning_rate, settings.critic_learning_rate)
    optimisers = tuple(
        torch.optim.Adam(network.parameters(), lr=rate, betas=(0.0, 0.9), fused=True)
        for network, rate in zip((training.generator, training.critic), rates, strict=True)
    )
    show = _throttled(progress, settings.steps)
    conditions: _Conditions = _Encoded(training)
    for step in range(settings.steps):
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * 0.5 * (1.0 + math.cos(math.pi * step / settings.steps))
        if step == max(0, settings.steps - settings.head_steps):
            conditions = _Tabled(training)
        objective = _standard_step(training, conditions, optimisers)
        after(step + 1)
        show(step + 1, objective)


def _standard_step(
    training: Training, conditions: "_Conditions", optimisers: tuple[torch.optim.Optimizer, ...]
) -> Tensor:
    """`critic_steps` critic updates and one generator update on the last mini-batch; the critic's last loss."""
    settings, generator, critic = training.settings, training.generator, training.critic
    for update in range(settings.critic_steps):
        index = training.drawn()
        conditions.draw(index)
        with torch.set_grad_enabled(update == settings.critic_steps - 1):
            condition = conditions.of_generator()
        with torch.no_grad():
            fake = generator.head(training.noise(), condition)
        seen = conditions.of_critic()
        mix = torch.rand((len(index), 1), generator=training.random, device=training.random.device)
        objective = critic_loss(
            critic.head.judge(training.rows[index], fake, mix, (seen, seen, seen), detach=critic.head.piecewise_linear),
            settings.penalty,
        )
        optimisers[1].zero_grad()
        torch.autograd.backward(objective)
        optimisers[1].step()
    with torch.no_grad():
        seen = conditions.of_critic()
    loss = generator_loss(generator, critic, training.noise(), condition, seen)
    optimisers[0].zero_grad()
    torch.autograd.backward(loss, inputs=conditions.trained)
    optimisers[0].step()
    return objective


class _Conditions(Protocol):
    """Conditions of a mini-batch for both heads; `trained` are the generator's parameters that an update reaches."""

    trained: list[Tensor]

    def draw(self, index: Tensor) -> None: ...

    def of_generator(self) -> Tensor: ...

    def of_critic(self) -> Tensor: ...


class _Encoded:
    """Conditions from the encoders, which are trained."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.trained: list[Tensor] = list(training.generator.parameters())

    def draw(self, index: Tensor) -> None:
        self.batch = self.training.reader.batch(index, self.training.random)

    def of_generator(self) -> Tensor:
        condition: Tensor = self.training.generator.encoder(self.batch)
        return condition

    def of_critic(self) -> Tensor:
        condition: Tensor = self.training.critic.encoder(self.batch)
        return condition


class _Tabled:
    """Conditions from tables (draws, n, c) made once by fixed encoders, with dropout off."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.trained: list[Tensor] = list(training.generator.head.parameters())
        self.tables = self._encode(training)

    @staticmethod
    @torch.no_grad()
    def _encode(training: Training) -> tuple[Tensor, Tensor]:
        encoders = training.generator.encoder.eval(), training.critic.encoder.eval()
        tables: tuple[list[Tensor], list[Tensor]] = ([], [])
        for _ in range(_TABLE_DRAWS):
            parts: tuple[list[Tensor], list[Tensor]] = ([], [])
            for index in torch.split(torch.arange(len(training.rows), device=training.rows.device), _TABLE_CHUNK):
                batch = training.reader.batch(index, training.random)
                for part, encoder in zip(parts, encoders, strict=True):
                    part.append(encoder(batch))
            for table, part in zip(tables, parts, strict=True):
                table.append(torch.cat(part))
        training.generator.encoder.train(training.generator.training)
        training.critic.encoder.train(training.critic.training)
        return torch.stack(tables[0]), torch.stack(tables[1])

    def draw(self, index: Tensor) -> None:
        random = self.training.random
        pick = torch.randint(_TABLE_DRAWS, index.shape, generator=random, device=random.device)
        self.drawn = tuple(table[pick, index] for table in self.tables)

    def of_generator(self) -> Tensor:
        return self.drawn[0]

    def of_critic(self) -> Tensor:
        return self.drawn[1]


def train_reference(training: Training, after: AfterStep, progress: Progress) -> None:
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
    show = _throttled(progress, settings.steps)
    for step, (epoch, index) in enumerate(_epochs(training)):
        for optimiser, rate in zip(optimisers, rates, strict=True):
            optimiser.param_groups[0]["lr"] = rate * 0.5 ** (epoch // _REFERENCE_HALVING[fusion])
        batch = training.reader.batch(index, training.random)
        condition = generator.encoder(batch)
        for _ in range(settings.critic_steps):
            with torch.no_grad():
                fixed = generator.encoder(batch) if separate else condition
                fake = generator.head(generator.head.noise(len(index), training.random), fixed)
            objective = training.critic_objective(training.rows[index], fake, batch, separate=separate)
            optimisers[1].zero_grad()
            torch.autograd.backward(objective)
            if fusion:
                nn.utils.clip_grad_norm_(parameters[1], _REFERENCE_CLIPS[0])
            optimisers[1].step()
        noise = generator.head.noise(len(index), training.random)
        with torch.no_grad():
            seen = critic.encoder(batch)
        loss = generator_loss(generator, critic, noise, condition, seen)
        optimisers[0].zero_grad()
        torch.autograd.backward(loss, inputs=parameters[0])
        if fusion:
            nn.utils.clip_grad_norm_(parameters[0], _REFERENCE_CLIPS[1])
        optimisers[0].step()
        after(step + 1)
        show(step + 1, objective)


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


def _throttled(progress: Progress, steps: int) -> Callable[[int, Tensor], None]:
    """Pass the critic's loss on a few times a second at most: reading it makes a GPU wait."""
    last = time.monotonic()

    def show(step: int, objective: Tensor) -> None:
        nonlocal last
        now = time.monotonic()
        if step == steps or now - last >= _SECONDS_BETWEEN_CALLS:
            last = now
            progress(step, steps, critic_loss=float(objective.detach()))

    return show

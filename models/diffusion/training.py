"""Training of the denoiser, and of the encoder of its conditions, on noised latents."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from gexbench.models.conditioning.batch import ConditionReader
from gexbench.models.conditioning.drawn import DrawnConditions, Encoded, Tabled
from gexbench.models.contract import Progress
from gexbench.models.diffusion.denoiser import Denoiser
from gexbench.models.diffusion.process import Process
from gexbench.models.diffusion.settings import DenoisingSettings
from gexbench.models.training.averaging import AveragedWeights
from gexbench.models.training.run import TrainingRun, gradient_norm

_RISE = 100


class DenoiserTraining:
    """One training: networks, latents, and the draws of mini-batches, times and noise.

    Args:
        encoder: of the conditions; denoiser: both on the device, initialised.
        latents: (n, d) of the training rows.
        weights: (d,) of the latents in the loss.
        reader: conditions of the same rows.
        process: from latents to noise.
        random: source of all draws, on the device.
    """

    def __init__(
        self,
        encoder: nn.Module,
        denoiser: Denoiser,
        latents: Tensor,
        weights: Tensor,
        reader: ConditionReader,
        process: Process,
        settings: DenoisingSettings,
        random: torch.Generator,
    ) -> None:
        self.encoder, self.denoiser, self.reader, self.settings = encoder, denoiser, reader, settings
        self.latents, self.weights, self.random = latents, weights.to(latents.device), random
        self.process = process

    def run(self, score: Callable[[], float], progress: Progress) -> TrainingRun:
        """Train for the settings' steps; the averaged weights of the kept step are left in the networks.

        score: common validation score of the networks as they are when it is called.

        Raises:
            Diverged: the loss, its gradient or the score is not finite.
        """
        settings = self.settings
        networks = [network for network in (self.encoder, self.denoiser) if list(network.parameters())]
        averages = [AveragedWeights(network, settings.ema) for network in networks]

        def keep() -> None:
            for average in averages:
                average.keep()

        run = TrainingRun(
            settings.steps,
            checkpoints=settings.checkpoints,
            score=lambda: self._averaged_score(averages, score),
            keep=keep,
            progress=progress,
            keep_last=settings.keep == "last",
        )
        self._train(run, averages)
        for average in averages:
            average.restore()
        return run

    def _train(self, run: TrainingRun, averages: list[AveragedWeights]) -> None:
        settings = self.settings
        parameters: list[Tensor] = [*self.encoder.parameters(), *self.denoiser.parameters()]
        optimiser = torch.optim.AdamW(
            parameters, settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        conditions: DrawnConditions = Encoded(self.reader, [self.encoder], self.random)
        joint = settings.steps - settings.head_steps if settings.reads_text_or_patches else settings.steps
        self.encoder.train()
        self.denoiser.train()
        for step in range(1, settings.steps + 1):
            if step == max(joint, 0) + 1:
                conditions = self._fix_encoder(averages[0])
            optimiser.param_groups[0]["lr"] = settings.learning_rate * rate(step, settings.steps)
            loss = self.loss(conditions)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            for average in averages:
                average.update()
            norm = {"gradient_norm": gradient_norm(parameters)} if run.logs(step) else {}
            run.after(step, loss=loss, **norm)

    def loss(self, conditions: DrawnConditions) -> Tensor:
        """Weighted mean squared error over a mini-batch, its times spread evenly over the process."""
        size, device = self.settings.batch, self.latents.device
        index = torch.randint(len(self.latents), (size,), generator=self.random, device=device)
        conditions.draw(index)
        shift = torch.rand((), generator=self.random, device=device)
        places = torch.randperm(size, generator=self.random, device=device)
        noised = self.process.noised(self.latents[index], (places + shift) / size, self.random)
        absent = self._absent(size, device)
        predicted = self.denoiser.forward(noised.noisy, noised.timestep, conditions.condition(), absent)
        error = (predicted - noised.target).square() * self.weights
        return error.mean()

    def _absent(self, size: int, device: torch.device) -> Tensor | None:
        """(B,) bool, rows whose condition is dropped; None without dropping."""
        if not self.settings.condition_dropout:
            return None
        return torch.rand(size, generator=self.random, device=device) < self.settings.condition_dropout

    def _fix_encoder(self, average: AveragedWeights) -> Tabled:
        """Go on with the averaged encoder, no longer trained."""
        average.keep()
        average.restore()
        # Without gradients the optimiser passes over it, weight decay included.
        self.encoder.requires_grad_(False)
        return Tabled(self.reader, [self.encoder], self.random)

    def _averaged_score(self, averages: list[AveragedWeights], score: Callable[[], float]) -> float:
        for average in averages:
            average.swap()
        value = score()
        for average in averages:
            average.swap()
        self.denoiser.train()
        return value


def rate(step: int, steps: int) -> float:
    """Share of the learning rate at a step from 1: a rise over at most 100 steps, a cosine to 0 over all."""
    rise = min(_RISE, max(1, steps // 10))
    return min(1.0, step / rise) * 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))

"""Training of the VAE family by the evidence lower bound."""

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from pyro.infer import TraceMeanField_ELBO
from torch import Tensor

from gexbench.models.conditioning.labels import LabelCombinations
from gexbench.models.contract import FitReport, Progress
from gexbench.models.dispersion import report_dispersion
from gexbench.models.vae.networks import VaeNetwork
from gexbench.models.vae.prior import LatentMixture, of_labels, of_mixture
from gexbench.models.vae.sampling import LatentSource, decoded
from gexbench.models.vae.settings import VaeSettings
from gexbench.models.validation_score import ValidationScore
from gexbench.tasks.seeds import derive_seed
from gexbench.tasks.split import Split

PROGRESS_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Trained:
    """The best checkpoint and the report of its training."""

    source: LatentSource
    report: FitReport


def train_vae(
    train: Split,
    validation: Split,
    combinations: LabelCombinations,
    settings: VaeSettings,
    seed: int,
    progress: Progress,
) -> Trained:
    """Train on the training rows; all randomness follows from `seed`, global random state is restored.

    Pyro draws from torch's global generators, so these are seeded inside `fork_rng`.
    """
    device = train.expression.device
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(derive_seed(seed=seed, purpose="weights and latents"))
        if cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(derive_seed(seed=seed, purpose="latents on the device"))
        return _Training(train, validation, combinations, settings, seed).run(progress)


class _Training:
    """One training: network, its moving average, data, and the best checkpoint so far."""

    def __init__(
        self, train: Split, validation: Split, combinations: LabelCombinations, settings: VaeSettings, seed: int
    ) -> None:
        device = train.expression.device
        self.settings, self.train, self.seed = settings, train, seed
        self.validation = _known(combinations, validation)
        with torch.device(device):
            self.network = VaeNetwork(len(train.genes), combinations.sizes, settings)
        self.averaged = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.labels = combinations.checked(train.conditions)
        self.wanted = combinations.checked(self.validation.conditions)
        self.score = ValidationScore(train, self.validation, labelled=self.settings.conditioning == "labels")
        self.best, self.best_score, self.best_step = LatentSource(self.averaged, None, settings.conditioning), 0.0, 0

    def run(self, progress: Progress) -> Trained:
        settings, report = self.settings, FitReport()
        optimiser = torch.optim.AdamW(
            self.network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        bound = TraceMeanField_ELBO()  # type: ignore[no-untyped-call]
        every = max(1, settings.steps // settings.checkpoints)
        scores: list[float] = []
        shown = -math.inf
        for step, rows in enumerate(self._batches(), start=1):
            beta = settings.beta * min(1.0, step / max(1.0, settings.warm_up * settings.steps))
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - 1) / settings.steps))
            batch = (self.train.standardised[rows], self.labels[rows], beta)
            total: Tensor = bound.differentiable_loss(self.network.model, self.network.guide, *batch)  # type: ignore[no-untyped-call]
            loss = total / len(rows)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self._average(step)
            if step % every == 0 or step == settings.steps:
                scores.append(self._checkpoint(step))
            if time.monotonic() - shown > PROGRESS_SECONDS or step == settings.steps:
                shown = time.monotonic()
                progress(step, settings.steps, loss=float(loss.detach()), score=scores[-1] if scores else math.nan)
        report.curves["validation_score"] = scores
        self._describe(report)
        return Trained(self.best, report)

    def _batches(self) -> Iterator[Tensor]:
        """Row indices of each step's mini-batch: epochs of random order, run together."""
        device, count = self.train.expression.device, len(self.train)
        generator = torch.Generator(device).manual_seed(derive_seed(seed=self.seed, purpose="batches"))
        size = min(self.settings.batch, count)
        queue = torch.empty(0, dtype=torch.int64, device=device)
        for _ in range(self.settings.steps):
            if len(queue) < size:
                queue = torch.cat([queue, torch.randperm(count, generator=generator, device=device)])
            rows, queue = queue[:size], queue[size:]
            yield rows

    @torch.no_grad()
    def _average(self, step: int) -> None:
        """Move the average towards the weights; early steps count less, so that it forgets the start."""
        decay = min(self.settings.ema, step / (step + 10))
        averaged: list[Tensor] = list(self.averaged.parameters())
        weights: list[Tensor] = list(self.network.parameters())
        torch._foreach_lerp_(averaged, weights, 1 - decay)

    @torch.no_grad()
    def _checkpoint(self, step: int) -> float:
        network = copy.deepcopy(self.averaged)
        source = LatentSource(network, self._mixture(), self.settings.conditioning)
        score = self.score(self._rows(source))
        if not self.best_step or score < self.best_score:
            self.best, self.best_score, self.best_step = source, score, step
        return score

    def _mixture(self) -> LatentMixture | None:
        if self.settings.prior == "standard":
            return None
        mean, scale = self.averaged.encode(self.train.standardised, self.labels)
        if self.settings.conditioning == "labels":
            classes = len(self.train.conditions.classes[self.train.conditions.label_columns[0]])
            return of_labels(mean, scale, self.labels[:, 0], classes)
        generator = torch.Generator().manual_seed(derive_seed(seed=self.seed, purpose="mixture"))
        return of_mixture(mean, scale, self.settings.components, generator)

    def _rows(self, source: LatentSource) -> Tensor:
        """z-scored rows for the validation patients, floored as samples are."""
        generator = torch.Generator().manual_seed(derive_seed(purpose="validation rows"))
        rows = decoded(source, self.wanted, generator)
        floor, standardiser = self.train.cohort.unit.floor, self.train.standardiser
        return rows if floor is None else standardiser.forward(standardiser.inverse(rows).clamp(min=floor))

    def _describe(self, report: FitReport) -> None:
        report.facts = {
            "parameters": sum(weights.numel() for weights in self.network.parameters()),
            "latent": self.settings.latents,
            "steps": self.settings.steps,
            "best_step": self.best_step,
            "validation_score": self.score.name,
        }
        report_dispersion(report, self._rows(self.best), self.validation)


def _known(combinations: LabelCombinations, validation: Split) -> Split:
    """The validation patients whose combination of labels some training patient shows."""
    labels = validation.conditions.labels
    known = (labels[:, None, :] == combinations.codes).all(-1).any(1)
    if bool(known.all()):
        return validation
    rows = known.nonzero()[:, 0]
    return replace(
        validation,
        expression=validation.expression[rows],
        standardised=validation.standardised[rows],
        conditions=validation.conditions.take(rows),
    )

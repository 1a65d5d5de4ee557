"""Training of the VAE family by the evidence lower bound."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from gexbench.models.conditioning.conditioner import Conditioner
from gexbench.models.conditioning.drawn import DrawnConditions, Encoded, Tabled, encoded
from gexbench.models.contract import FitReport, Progress
from gexbench.models.training.averaging import AveragedWeights
from gexbench.models.training.dispersion import report_dispersion
from gexbench.models.training.expression_scale import ExpressionScale
from gexbench.models.training.latent_mixture import of_conditions, of_labels, of_mixture
from gexbench.models.training.pretraining import fit_conditional_mean
from gexbench.models.training.run import TrainingRun, gradient_norm
from gexbench.models.training.validation_score import ValidationScore
from gexbench.models.vae.bound import DeviceBound
from gexbench.models.vae.networks import VaeNetwork
from gexbench.models.vae.sampling import LatentSource, Prior, decoded
from gexbench.models.vae.settings import VaeSettings
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.seeds import derive_seed


@dataclass(frozen=True, slots=True)
class Trained:
    """The best checkpoint and the report of its training."""

    source: LatentSource
    report: FitReport


def train_vae(
    train: Split,
    validation: Split,
    conditioner: Conditioner,
    settings: VaeSettings,
    seed: int,
    progress: Progress,
) -> Trained:
    """Train on the training rows; all randomness follows from `seed`, global random state is restored.

    Pyro draws from torch's global generators, so these are seeded inside `fork_rng`.

    Raises:
        Diverged: when the loss is not finite, or samples collapse.
    """
    device = train.expression.device
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(derive_seed(seed=seed, purpose="weights and latents"))
        return _Training(train, validation, conditioner, settings, seed).run(progress)


class _Training:
    """One training: network, its moving average, data, and the best checkpoint so far."""

    def __init__(
        self, train: Split, validation: Split, conditioner: Conditioner, settings: VaeSettings, seed: int
    ) -> None:
        device = train.expression.device
        self.settings, self.train, self.seed = settings, train, seed
        self.scale = ExpressionScale.of(train)
        self.validation = conditioner.known(validation)
        with torch.device(device):
            self.network = VaeNetwork(len(train.genes), conditioner.encoder(), settings)
        self.weights = AveragedWeights(self.network, settings.ema)
        self.by_label = "labels" in conditioner.needs
        self.readers = conditioner.reader(train.conditions), conditioner.reader(self.validation.conditions)
        self.finest = tuple(conditioner.labels.finest(split.conditions) for split in (train, self.validation))
        self.score = ValidationScore(train, self.validation, labelled=bool(conditioner.needs))
        self.random = torch.Generator(device).manual_seed(derive_seed(seed=seed, purpose="conditions"))
        self.fixed: tuple[Tensor, Tensor] | None = None
        self.prior: Prior = None
        self.best_prior: Prior = None

    def run(self, progress: Progress) -> Trained:
        settings, network, report = self.settings, self.network, FitReport()
        if settings.reads_text_or_patches:
            fit_conditional_mean(
                network.conditioner,
                self.train.standardised,
                self.readers[0],
                steps=settings.warm_start_steps,
                batch=settings.batch,
                random=self.random,
            )
        run = TrainingRun(
            settings.steps,
            checkpoints=settings.checkpoints,
            score=self._score,
            keep=self._keep,
            progress=progress,
        )
        self._train(run)
        self.weights.restore()
        network.eval().requires_grad_(False)
        self.prior = self.best_prior
        run.describe(report)
        report.facts |= {
            "parameters": sum(weights.numel() for weights in network.parameters()),
            "latent": settings.latents,
            "validation_score": self.score.name,
        }
        report_dispersion(report, self._rows(), self.validation)
        return Trained(LatentSource(network, self.prior, self.by_label), report)

    def _train(self, run: TrainingRun) -> None:
        settings, network = self.settings, self.network
        optimiser = torch.optim.AdamW(
            network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=True
        )
        bound = DeviceBound()  # type: ignore[no-untyped-call]
        conditions: DrawnConditions = Encoded(self.readers[0], [network.conditioner], self.random)
        for step, rows in enumerate(self._batches(), start=1):
            if step == 1 + max(0, settings.steps - settings.head_steps):
                conditions = Tabled(self.readers[0], [network.conditioner], self.random)
                network.conditioner.requires_grad_(False)
                self.fixed = self._conditions()
            beta = settings.beta * min(1.0, step / max(1.0, settings.warm_up * settings.steps))
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - 1) / settings.steps))
            conditions.draw(rows)
            batch = (self.train.standardised[rows], conditions.condition(), beta)
            loss = bound.differentiable_loss(network.model, network.guide, *batch) / len(rows)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            self.weights.update()
            logged = {"gradient_norm": gradient_norm(network.parameters())} if run.logs(step) else {}
            run.after(step, loss=loss, **logged)

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

    def _conditions(self) -> tuple[Tensor, Tensor]:
        """Conditions of all training and all validation patients."""
        if self.fixed is not None:
            return self.fixed
        return encoded(self.network.conditioner, self.readers[0]), encoded(self.network.conditioner, self.readers[1])

    @torch.no_grad()
    def _score(self) -> float:
        self.weights.swap()
        self.network.eval()
        self.prior = self._fitted_prior()
        score = self.score(self._rows())
        self.network.train()
        self.weights.swap()
        return score

    def _keep(self) -> None:
        self.weights.keep()
        self.best_prior = self.prior

    def _fitted_prior(self) -> Prior:
        """The prior that `settings.prior` asks for, from the posterior of the training rows."""
        settings, train = self.settings, self.train
        if settings.prior == "standard":
            return None
        condition = self._conditions()[0]
        mean, scale = self.network.encode(train.standardised, condition)
        if self.by_label:
            classes = train.conditions.classes[train.conditions.label_columns[0]]
            return of_labels(mean, scale, self.finest[0], len(classes))
        if settings.reads_text_or_patches:
            return of_conditions(mean, scale, condition)
        generator = torch.Generator().manual_seed(derive_seed(seed=self.seed, purpose="mixture"))
        return of_mixture(mean, scale, settings.components, generator)

    def _rows(self) -> Tensor:
        """z-scored rows for the validation patients, floored as samples are."""
        generator = torch.Generator().manual_seed(derive_seed(purpose="validation rows"))
        source = LatentSource(self.network, self.prior, self.by_label)
        return self.scale.floored(decoded(source, self.finest[1], self._conditions()[1], generator))

"""WGAN-GP as a generator of the suite: unconditional, label-conditioned, GeMM-GAN and its ablations."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from gexbench.models.conditioning.batch import ConditionReader
from gexbench.models.conditioning.conditioner import Conditioner, needs_of
from gexbench.models.contract import Generator, Progress, Samples, silent
from gexbench.models.settings import GeneratorSettings
from gexbench.models.training.averaging import AveragedWeights
from gexbench.models.training.dispersion import report_dispersion
from gexbench.models.training.expression_scale import ExpressionScale
from gexbench.models.training.run import TrainingRun
from gexbench.models.training.state import over, states_of, under
from gexbench.models.training.validation_score import ValidationScore
from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator, parameter_count
from gexbench.models.wgan_gp.settings import WganGpSettings
from gexbench.models.wgan_gp.start import start_from_components
from gexbench.models.wgan_gp.training import Training, epochs_of, train_reference, train_standard
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.seeds import derive_seed

_CHUNK = 1024
_REFERENCE_EPOCHS = 500
_REFERENCE_COLUMNS = ("disease_type", "primary_site")


class WganGp(Generator):
    """Conditional Wasserstein GAN with gradient penalty on z-scored expression.

    Sources: Gulrajani et al. 2017 (penalty); Panaccione et al., GeMM-GAN, arXiv 2601.15392 (networks, `reference`).
    `standard` keeps the averaged weights of the best checkpoint by the common validation score, `reference` the
    last ones. See `WganGpSettings` for what can be chosen, and
    `start_from_components` for where `standard` starts.
    """

    Settings: ClassVar[type[GeneratorSettings]] = WganGpSettings
    settings: WganGpSettings

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """The kinds of conditions that the encoder uses."""
        return needs_of(settings)

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Train for the settings' steps; the budget acts through the settings' preset.

        Raises:
            Unavailable: when the cohort lacks text (in the wanted variant) or patches that the encoder needs.
            Diverged: when a loss is not finite, or samples collapse to one row per condition.
        """
        self._scale = ExpressionScale.of(train)
        self._conditioner = Conditioner.of(train, self.settings, self._columns(train.conditions.label_columns))
        device = train.expression.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(seed=seed, purpose="weights"))
            self._fit(train, validation, seed, progress)

    def _fit(self, train: Split, validation: Split, seed: int, progress: Progress) -> None:
        settings, device = self.settings, train.expression.device
        validation = self._conditioner.known(validation)
        readers = self._conditioner.reader(train.conditions), self._conditioner.reader(validation.conditions)
        sizes = self._conditioner.sizes
        with device:
            self._generator = ConditionalGenerator(settings, sizes, len(train.genes))
            critic = ConditionalCritic(settings, sizes, len(train.genes))
        random = torch.Generator(device=device).manual_seed(derive_seed(seed=seed, purpose="training"))
        if settings.component_start:
            start_from_components(
                self._generator,
                (train, readers[0]),
                (validation, readers[1]),
                steps=settings.warm_start_steps,
                batch=settings.batch,
                random=random,
            )
            critic.encoder.load_state_dict(self._generator.encoder.state_dict())
        score = ValidationScore(train, validation, labelled=bool(self._conditioner.needs))
        noise = self._generator.head.noise(
            len(validation), torch.Generator().manual_seed(derive_seed(seed=seed, purpose="checkpoints"))
        ).to(device)
        weights = AveragedWeights(self._generator, settings.ema)

        def averaged_score() -> float:
            weights.swap()
            value = score(self._rows(readers[1], noise))
            weights.swap()
            return value

        run = TrainingRun(
            settings.steps,
            checkpoints=settings.checkpoints,
            score=averaged_score,
            keep=weights.keep,
            progress=progress,
            keep_last=settings.training == "reference",
        )
        training = Training(
            self._generator, critic, train.standardised, readers[0], settings, random, weights, run, self._floor(train)
        )
        (train_reference if settings.training == "reference" else train_standard)(training)
        weights.restore()
        run.describe(self.report)
        self._describe(critic, score.name, len(train))
        report_dispersion(self.report, self._rows(readers[1], noise), validation)

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """`draws` rows per condition in the cohort's unit, not below its floor; the same seed gives the same bits.

        Raises:
            Unavailable: without the text or patches it needs.
            InputError: for a label combination never seen in training.
        """
        reader = self._conditioner.reader(conditions)
        # Drawn on the CPU, so that the same model gives the same rows on any device up to rounding.
        random = torch.Generator().manual_seed(derive_seed(seed=seed, purpose="sample"))
        head = self._generator.head.eval()
        self._generator.eval()
        parts = []
        with torch.no_grad():
            for index in torch.split(torch.arange(len(reader), device=conditions.device), max(1, _CHUNK // draws)):
                condition = self._generator.encoder(reader.batch(index)).repeat_interleave(draws, dim=0)
                noise = head.noise(len(condition), random).to(conditions.device)
                parts.append(self._scale.rows(head(noise, condition)).cpu())
        expression = torch.cat(parts) if parts else torch.zeros((0, len(self._scale.genes)), device="cpu")
        return Samples.of(expression, conditions, draws, self._scale.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, statistics of the z-scores, label combinations, sizes and gene names."""
        tensors, facts = states_of((self._scale, self._conditioner))
        return {**over("generator.", self._generator.state_dict()), **tensors}, facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        self._scale = ExpressionScale.restored(tensors, facts)
        self._conditioner = Conditioner.restored(tensors, facts, self.settings)
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), device:
            self._generator = ConditionalGenerator(self.settings, self._conditioner.sizes, len(self._scale.genes))
        self._generator.load_state_dict(under("generator.", tensors))

    def _columns(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        """Label columns conditioned on: all, or the authors' two under `reference` where the cohort has them."""
        if self.settings.training == "reference" and set(_REFERENCE_COLUMNS) <= set(columns):
            return _REFERENCE_COLUMNS
        return columns

    def _floor(self, train: Split) -> Tensor | None:
        """z-scores (genes,) of the unit's floor, where the critic is to see it."""
        floor = self._scale.floor
        if floor is None or not self.settings.floored:
            return None
        return train.standardiser.forward(torch.full_like(train.standardiser.mean, floor))

    @torch.no_grad()
    def _rows(self, reader: ConditionReader, noise: Tensor) -> Tensor:
        """One row per patient of the reader, as z-scores of what `sample` returns, in evaluation mode."""
        was_training = self._generator.training
        self._generator.eval()
        parts = [
            self._scale.floored(self._generator(noise[index], reader.batch(index)))
            for index in torch.split(torch.arange(len(reader), device=noise.device), _CHUNK)
        ]
        self._generator.train(was_training)
        return torch.cat(parts)

    def _describe(self, critic: ConditionalCritic, score_name: str, patients: int) -> None:
        settings, report = self.settings, self.report
        epochs = epochs_of(settings.steps, patients, settings.batch)
        report.facts |= {
            "parameters": parameter_count(self._generator),
            "critic_parameters": parameter_count(critic),
            "training": settings.training,
            "epochs": round(epochs, 2),
            "validation_score": score_name,
            **self._conditioner.facts(),
        }
        if settings.training == "reference" and epochs < _REFERENCE_EPOCHS:
            report.warnings.append(
                f"reference training cut to {settings.steps} mini-batches of {settings.batch}: {epochs:.1f} of the "
                f"authors' {_REFERENCE_EPOCHS} epochs"
            )

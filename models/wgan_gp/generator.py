"""WGAN-GP as a generator of the suite: unconditional, label-conditioned, GeMM-GAN and its ablations."""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from gexbench.models.conditioning.batch import ConditionReader, require
from gexbench.models.conditioning.encoders import ENCODERS, EncoderSizes
from gexbench.models.conditioning.fusion import FusionSizes
from gexbench.models.conditioning.labels import LabelCombinations
from gexbench.models.contract import Budget, Condition, Generator, Progress, Samples, silent
from gexbench.models.dispersion import report_dispersion
from gexbench.models.settings import GeneratorSettings
from gexbench.models.validation_score import ValidationScore
from gexbench.models.wgan_gp.averaging import AveragedWeights, Checkpoints
from gexbench.models.wgan_gp.conditional import ConditionalCritic, ConditionalGenerator, parameter_count
from gexbench.models.wgan_gp.settings import WganGpSettings
from gexbench.models.wgan_gp.start import start_from_components
from gexbench.models.wgan_gp.training import Training, epochs_of, train_reference, train_standard
from gexbench.tasks.conditions import Conditions
from gexbench.tasks.seeds import derive_seed
from gexbench.tasks.split import Split, Standardiser

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
        return ENCODERS[settings.conditioning].needs if isinstance(settings, WganGpSettings) else frozenset()

    def fit(self, train: Split, validation: Split, *, budget: Budget, seed: int, progress: Progress = silent) -> None:
        """Train for the settings' steps; the budget acts through the settings' preset.

        Raises:
            Unavailable: when the cohort lacks text (in the wanted variant) or patches that the encoder needs.
            InputError: when validation patients show label combinations that training patients do not.
        """
        require(train.conditions, self._needs, self.settings.text, train.cohort.name)
        device = train.expression.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(seed=seed, purpose="weights"))
            self._fit(train, validation, seed, progress)

    def _fit(self, train: Split, validation: Split, seed: int, progress: Progress) -> None:
        settings, device = self.settings, train.expression.device
        self._describe(train)
        readers = self._reader(train.conditions), self._reader(validation.conditions)
        with device:
            self._generator = ConditionalGenerator(settings, self._sizes, len(train.genes))
            critic = ConditionalCritic(settings, self._sizes, len(train.genes))
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
        score = ValidationScore(train, validation, labelled=bool(self._needs))
        noise = self._generator.head.noise(
            len(validation), torch.Generator().manual_seed(derive_seed(seed=seed, purpose="checkpoints"))
        ).to(device)
        checkpoints = Checkpoints(
            AveragedWeights(self._generator, settings.ema),
            settings.steps,
            settings.checkpoints,
            lambda: score(self._rows(readers[1], noise)),
        )
        training = Training(self._generator, critic, train.standardised, readers[0], settings, random)
        reference = settings.training == "reference"
        (train_reference if reference else train_standard)(training, checkpoints, progress)
        if reference:
            checkpoints.keep_last()
        checkpoints.restore_best()
        self._report(checkpoints, critic, score.name, len(train))
        report_dispersion(self.report, self._rows(readers[1], noise), validation)

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """`draws` rows per condition in the cohort's unit, not below its floor; the same seed gives the same bits.

        Raises:
            Unavailable: without the text or patches it needs.
            InputError: for a label combination never seen in training.
        """
        require(conditions, self._needs, self.settings.text, "to sample")
        reader = self._reader(conditions)
        # Drawn on the CPU, so that the same model gives the same rows on any device up to rounding.
        random = torch.Generator().manual_seed(derive_seed(seed=seed, purpose="sample"))
        head = self._generator.head.eval()
        self._generator.eval()
        parts = []
        with torch.no_grad():
            for index in torch.split(torch.arange(len(reader), device=conditions.device), max(1, _CHUNK // draws)):
                condition = self._generator.encoder(reader.batch(index)).repeat_interleave(draws, dim=0)
                noise = head.noise(len(condition), random).to(conditions.device)
                rows = self._standardiser.inverse(head(noise, condition))
                parts.append((rows if self._floor is None else rows.clamp_min(self._floor)).cpu())
        expression = torch.cat(parts) if parts else torch.zeros((0, len(self._genes)), device="cpu")
        return Samples.of(expression, conditions, draws, self._genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, statistics of the z-scores, label combinations, sizes and gene names."""
        label_tensors, label_facts = self._labels.state()
        tensors = {f"generator.{name}": value for name, value in self._generator.state_dict().items()}
        tensors |= {"mean": self._standardiser.mean, "sd": self._standardiser.sd, **label_tensors}
        sizes = self._sizes.fusion
        facts = {
            "genes": list(self._genes),
            "floor": self._floor,
            "patch_width": sizes.patch_width,
            "token_width": sizes.token_width,
            **label_facts,
        }
        return tensors, facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        self._genes = tuple(facts["genes"])
        self._floor = facts["floor"]
        self._standardiser = Standardiser(tensors["mean"], tensors["sd"])
        self._labels = LabelCombinations.restored(tensors, facts)
        self._sizes = self._encoder_sizes(facts["patch_width"], facts["token_width"])
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), device:
            self._generator = ConditionalGenerator(self.settings, self._sizes, len(self._genes))
        prefix = "generator."
        self._generator.load_state_dict(
            {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        )

    @property
    def _needs(self) -> frozenset[Condition]:
        return ENCODERS[self.settings.conditioning].needs

    def _describe(self, train: Split) -> None:
        conditions, settings = train.conditions, self.settings
        self._genes, self._standardiser = train.genes, train.standardiser
        self._floor = train.cohort.unit.floor
        self._labels = LabelCombinations.of(conditions)
        patch_width = 1 if conditions.patches is None else conditions.patches.width
        token_width = conditions.text[settings.text].width if settings.text in conditions.text else 1
        self._sizes = self._encoder_sizes(patch_width, token_width)

    def _encoder_sizes(self, patch_width: int, token_width: int) -> EncoderSizes:
        settings = self.settings
        fusion = FusionSizes(
            patch_width,
            token_width,
            settings.width,
            settings.heads,
            settings.encoder_layers,
            settings.dropout,
            settings.wiring,
        )
        return EncoderSizes(tuple(self._labels.sizes[column] for column in self._columns), fusion)

    @property
    def _columns(self) -> list[int]:
        """Label columns conditioned on: all, or the authors' two under `reference` where the cohort has them."""
        names = self._labels.columns
        if self.settings.training == "reference" and set(_REFERENCE_COLUMNS) <= set(names):
            return [names.index(name) for name in _REFERENCE_COLUMNS]
        return list(range(len(names)))

    def _reader(self, conditions: Conditions) -> ConditionReader:
        labelled = "labels" in self._needs
        labels = self._labels.checked(conditions)[:, self._columns] if labelled else conditions.labels
        settings = self.settings
        return ConditionReader(
            conditions,
            self._needs,
            labels,
            variant=settings.text,
            tokens=settings.tokens,
            patches=settings.patches,
        )

    @torch.no_grad()
    def _rows(self, reader: ConditionReader, noise: Tensor) -> Tensor:
        """One z-scored row per patient of the reader, in evaluation mode."""
        was_training = self._generator.training
        self._generator.eval()
        parts = [
            self._generator(noise[index], reader.batch(index))
            for index in torch.split(torch.arange(len(reader), device=noise.device), _CHUNK)
        ]
        self._generator.train(was_training)
        return torch.cat(parts)

    def _report(self, checkpoints: Checkpoints, critic: ConditionalCritic, score_name: str, patients: int) -> None:
        settings, report = self.settings, self.report
        epochs = epochs_of(settings.steps, patients, settings.batch)
        report.curves = {"validation_score": checkpoints.scores}
        report.facts = {
            "parameters": parameter_count(self._generator),
            "critic_parameters": parameter_count(critic),
            "training": settings.training,
            "steps": settings.steps,
            "best_step": checkpoints.best_step,
            "epochs": round(epochs, 2),
            "validation_score": score_name,
        }
        if "labels" in self._needs:
            report.facts["label_fallbacks"] = self._labels.fallbacks()
        if settings.training == "reference" and epochs < _REFERENCE_EPOCHS:
            report.warnings.append(
                f"reference training cut to {settings.steps} mini-batches of {settings.batch}: {epochs:.1f} of the "
                f"authors' {_REFERENCE_EPOCHS} epochs"
            )

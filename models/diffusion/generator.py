"""Denoisers as generators of the suite: unconditional, label-conditioned, on GeMM-GAN's fusion encoder."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from gexbench.models.conditioning.conditioner import Conditioner, needs_of, width_of
from gexbench.models.conditioning.drawn import encoded
from gexbench.models.contract import FitReport, Generator, Progress, Samples, silent
from gexbench.models.diffusion.denoiser import Denoiser
from gexbench.models.diffusion.process import Process
from gexbench.models.diffusion.representation import Representation
from gexbench.models.diffusion.sampling import sampled_rows
from gexbench.models.diffusion.schedule import CosineDiffusion
from gexbench.models.diffusion.settings import DenoisingSettings, DiffusionSettings
from gexbench.models.diffusion.training import DenoiserTraining
from gexbench.models.settings import GeneratorSettings
from gexbench.models.training.dispersion import report_dispersion
from gexbench.models.training.expression_scale import ExpressionScale
from gexbench.models.training.pretraining import fit_conditional_mean
from gexbench.models.training.run import TrainingRun
from gexbench.models.training.state import frozen, over, states_of, under
from gexbench.models.training.validation_score import ValidationScore
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.seeds import derive_seed

_CHUNK = 4096
_WARM_START_BATCH = 64


class DenoisingGenerator(Generator):
    """A denoiser of normal-scored expression in its leading principal components; subclasses choose the process.

    See `ComponentSpace` for what is not modelled by the denoiser, and `DenoisingSettings` for what can be chosen.
    """

    settings: DenoisingSettings

    @abstractmethod
    def process(self, device: torch.device) -> Process:
        """The process between latents and noise, on a device."""

    @abstractmethod
    def solver(self) -> str:
        """Name of what solves it, for the report."""

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """The kinds of conditions that the encoder uses."""
        return needs_of(settings)

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Train for the settings' steps; the budget acts through the settings' preset.

        Raises:
            Unavailable: when the cohort lacks text (in the wanted variant) or patches that the encoder needs.
            Diverged: when the training leaves the finite numbers or samples collapse.
        """
        self._conditioner = Conditioner.of(train, self.settings)
        self._scale = ExpressionScale.of(train)
        device = train.expression.device
        # Weights and dropout draw from the global generators, which are as before afterwards.
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(seed=seed, purpose="weights"))
            self._fit(train, validation, seed, progress)

    def _fit(self, train: Split, validation: Split, seed: int, progress: Progress) -> None:
        settings, device = self.settings, train.expression.device
        validation = self._conditioner.known(validation)
        random = torch.Generator(device=device).manual_seed(derive_seed(seed=seed, purpose="training"))
        clusters = derive_seed(seed=seed, purpose="clusters")
        self._representation, latents = Representation.fit(self._scale, train, validation, settings, clusters, random)
        reader, held_out = (self._conditioner.reader(split.conditions) for split in (train, validation))
        with device:
            self._encoder = self._conditioner.encoder()
            width = width_of(self._encoder)
            self._denoiser = Denoiser(
                latents.shape[1], width, settings.hidden, settings.blocks, settings.hidden_dropout
            )
        if settings.reads_text_or_patches:
            fit_conditional_mean(
                self._encoder,
                train.standardised,
                reader,
                steps=settings.warm_start_steps,
                batch=min(_WARM_START_BATCH, settings.batch),
                random=random,
            )
        score = ValidationScore(train, validation, labelled=bool(self._conditioner.needs))
        noise, process = derive_seed(seed=seed, purpose="checkpoints"), self.process(device)

        def rows() -> Tensor:
            generator = torch.Generator().manual_seed(noise)
            seen = encoded(self._encoder, held_out)
            drawn = sampled_rows(self._denoiser, self._representation, seen, process, settings.guidance, generator)
            return self._scale.standardiser.forward(drawn)

        weights = self._representation.space.weights(settings.loss_power)
        training = DenoiserTraining(self._encoder, self._denoiser, latents, weights, reader, process, settings, random)
        run = training.run(lambda: score(rows()), progress)
        self._encoder.eval().requires_grad_(False)
        self._denoiser.eval().requires_grad_(False)
        self._report(run, score.name)
        report_dispersion(self.report, rows(), validation)

    def _report(self, run: TrainingRun, score: str) -> None:
        settings = self.settings
        networks = (self._encoder, self._denoiser)
        self.report = FitReport()
        run.describe(self.report)
        self.report.facts |= {
            "parameters": sum(value.numel() for network in networks for value in network.parameters()),
            "latents": self._representation.space.latents,
            "sampler": self.solver(),
            "sampling_steps": settings.sampling_steps,
            "guidance": settings.guidance,
            "validation_score": score,
            **self._conditioner.facts(),
        }

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """`draws` rows per condition in the cohort's unit, not below its floor; the same seed gives the same bits.

        Raises:
            Unavailable: without the text or patches it needs.
            InputError: for a label combination never seen in training.
        """
        # Drawn on the CPU, so that the same model gives the same rows on any device up to rounding.
        random = torch.Generator().manual_seed(derive_seed(seed=seed, purpose="sample"))
        seen = encoded(self._encoder, self._conditioner.reader(conditions))
        process = self.process(seen.device)
        parts = [torch.zeros((0, len(self._scale.genes)), device="cpu")]
        for chunk in torch.split(seen, max(1, _CHUNK // draws)) if len(seen) else ():
            condition = chunk.repeat_interleave(draws, dim=0)
            guidance = self.settings.guidance
            rows = sampled_rows(self._denoiser, self._representation, condition, process, guidance, random)
            parts.append(rows.cpu())
        return Samples.of(torch.cat(parts), conditions, draws, self._scale.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, representation, statistics of the z-scores, label combinations, sizes and gene names."""
        tensors, facts = states_of((self._conditioner, self._scale))
        tensors |= self._representation.state()
        tensors |= {**over("encoder.", self._encoder.state_dict()), **over("denoiser.", self._denoiser.state_dict())}
        own = {name: value for name, value in self._denoiser.config.items() if not name.startswith("_")}
        return tensors, {**facts, "denoiser": own}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        held = {name: value.to(device) for name, value in tensors.items()}
        self._conditioner = Conditioner.restored(held, facts, self.settings)
        self._scale = ExpressionScale.restored(held, facts)
        self._representation = Representation.restored(held, self._scale)
        with torch.device("meta"):
            encoder, denoiser = self._conditioner.encoder(), Denoiser(**facts["denoiser"])
        self._encoder = frozen(encoder, under("encoder.", held))
        self._denoiser = frozen(denoiser, under("denoiser.", held))


class Diffusion(DenoisingGenerator):
    """Denoising diffusion of latents.

    Sources: Ho et al. 2020; Nichol & Dhariwal 2021 (cosine schedule); Salimans & Ho 2022 (v-prediction); Rombach et
    al. 2022 (diffusion of latents; here they are linear).
    """

    Settings: ClassVar[type[GeneratorSettings]] = DiffusionSettings
    settings: DiffusionSettings

    def process(self, device: torch.device) -> Process:
        """Cosine schedule, v-prediction."""
        return CosineDiffusion.of(self.settings.sampler, self.settings.sampling_steps, device)

    def solver(self) -> str:
        """The scheduler."""
        return self.settings.sampler

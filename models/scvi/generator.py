"""scVI (scvi-tools) as a generator of the suite."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gexbench.models.conditioning.labels import LabelCombinations
from gexbench.models.contract import Generator, Progress, Samples, Unavailable, silent
from gexbench.models.scvi.count_layer import LayerScale, NotProportional
from gexbench.models.scvi.counts import CountScale
from gexbench.models.scvi.network import CountSource, network_of, posterior, start_from_moments
from gexbench.models.scvi.settings import ScviSettings
from gexbench.models.scvi.training import Batches, kept_weights, train
from gexbench.models.settings import GeneratorSettings
from gexbench.models.training.dispersion import report_dispersion
from gexbench.models.training.latent_mixture import LatentMixture, of_labels, of_mixture
from gexbench.models.training.run import TrainingRun
from gexbench.models.training.state import frozen, over, under
from gexbench.models.training.validation_score import ValidationScore
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition
from gexbench.tasks.seeds import derive_seed

CHUNK = 2048
"""Rows sampled at once."""


class Scvi(Generator):
    """scVI: a variational autoencoder of counts, unconditional or with the label columns as covariates.

    Network, likelihood and training plan are those of scvi-tools; the rest is what a fair generator needs: latents
    and log totals are drawn from distributions fitted to the training patients (`ScviSettings.prior`), counts are
    drawn from the likelihood, never its mean, and returned in the cohort's unit. Counts are the cohort's count layer
    where it has one that its unit follows from (`LayerScale`; totals in both are then drawn together),
    else those of its unit (`CountScale`). Source: Lopez et al. 2018, "Deep
    generative modeling for single-cell transcriptomics".
    """

    Settings: ClassVar[type[GeneratorSettings]] = ScviSettings
    settings: ScviSettings
    _scale: CountScale | LayerScale
    _totals: Tensor | None

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """Labels, when conditioned on them."""
        conditional = isinstance(settings, ScviSettings) and settings.conditioning == "labels"
        return frozenset({"labels"}) if conditional else frozenset()

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Train for the settings' steps; the weights with the best common validation score are kept.

        Raises:
            Unavailable: the cohort's unit is not count-like, or patients have no counts at all.
            Diverged: a loss is not finite, or samples collapse.
        """
        self._genes, self._combinations = train.genes, LabelCombinations.of(train.conditions)
        counts = self._read(train)
        _check_totals(counts, train)
        device = train.expression.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            torch.manual_seed(derive_seed(seed=seed, purpose="weights and latents"))
            with device:
                network = network_of(len(train.genes), self._classes, self.settings)
            start_from_moments(network, counts, train.conditions.finest)
            self._fit(network, counts, (train, validation), seed, progress)
        self.report.warnings += self._said()

    def _read(self, train: Split) -> Tensor:
        """Counts (n, genes) of the training rows; sets the way back to the cohort's unit."""
        self._totals = None
        unlike: list[str] = []
        if train.counts is not None and train.cohort.unit.name != "counts":
            counts = train.counts.on(train.expression.device)
            try:
                self._scale, self._totals = LayerScale.fit(train.cohort.unit, train.expression, counts)
                return counts
            except NotProportional as reason:
                unlike.append(f"count layer not used: {reason}")
        self._scale = CountScale.of(train.cohort.unit)
        self._zero_shares = self._scale.zero_shares(train.expression)
        self.report.warnings += unlike
        return self._scale.counts(train.expression)

    def _said(self) -> list[str]:
        """Where the counts come from, for the generator's row; nothing where the unit is counts."""
        if isinstance(self._scale, LayerScale):
            return [f"the cohort's count layer as counts; drawn ones become {self._scale.unit} by fitted gene factors"]
        if not self._scale.rounded:
            return []
        drawn = "drawn counts get a random fraction back" if self.settings.dequantise else "drawn counts are whole"
        return [f"{self._scale.source} as counts; {drawn}"]

    def _fit(self, network: Any, counts: Tensor, splits: tuple[Split, Split], seed: int, progress: Progress) -> None:
        settings, (training, validation) = self.settings, splits
        if self._labelled:
            validation = self._combinations.known(validation)
        labels = self._labels(training.conditions)
        batches = Batches(counts, labels, settings.batch, settings.steps, derive_seed(seed=seed, purpose="batches"))
        score = ValidationScore(training, validation, labelled=self._labelled)
        drawing = derive_seed(seed=seed, purpose="checkpoints")

        def standardised() -> Tensor:
            rows = self._rows(self._labels(validation.conditions), drawing)
            return training.standardiser.forward(rows)

        best: list[CountSource] = []

        def scored() -> float:
            network.eval()
            self._source = self._prior(network, counts, labels, seed)
            value = score(standardised())
            network.train()
            return value

        def keep() -> None:
            source = self._source
            best[:] = [replace(source, network=kept_weights(network))]

        run = TrainingRun(settings.steps, checkpoints=settings.checkpoints, score=scored, keep=keep, progress=progress)
        train(network, batches, settings, run)
        self._source = best[0]
        run.describe(self.report)
        self.report.facts |= {
            "parameters": sum(
                weights.numel() for name, weights in network.named_parameters() if not name.startswith("l_encoder")
            ),
            "epochs": round(settings.steps * min(settings.batch, len(counts)) / len(counts), 2),
            "counts": self._scale.source,
            "validation_score": score.name,
            "label_fallbacks": self._combinations.fallbacks() if self._labelled else [],
        }
        report_dispersion(self.report, standardised(), validation)

    def _prior(self, network: Any, counts: Tensor, labels: Tensor, seed: int) -> CountSource:
        """The sampling distribution, fitted to the training rows."""
        sizes = counts.sum(1, keepdim=True).log()
        if self._totals is not None:
            sizes = torch.cat([sizes, self._totals], dim=1)
        total = torch.stack([sizes.mean(0), sizes.std(0, correction=0).clamp_min(1e-6)], dim=1)
        mean, scale = (sizes - total[:, 0]) / total[:, 1], torch.zeros_like(sizes)
        if self.settings.prior == "aggregate":
            latent_mean, latent_scale = posterior(network, counts, labels)
            mean, scale = torch.cat([latent_mean, mean], dim=1), torch.cat([latent_scale, scale], dim=1)
        return CountSource(network, self._mixture(mean, scale, labels, seed), total, self._labelled)

    def _mixture(self, mean: Tensor, scale: Tensor, labels: Tensor, seed: int) -> LatentMixture:
        if self._labelled:
            return of_labels(mean, scale, labels[:, 0], self._classes[0])
        components = self.settings.components if self.settings.prior == "aggregate" else 1
        generator = torch.Generator().manual_seed(derive_seed(seed=seed, purpose="mixture"))
        return of_mixture(mean, scale, components, generator)

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Rows (n * draws, genes) in the cohort's unit.

        Raises:
            InputError: with labels, a combination of them that no training patient shows.
        """
        labels = self._labels(conditions).repeat_interleave(draws, dim=0)
        expression = np.empty((len(labels), len(self._genes)), dtype=np.float32)
        for start in range(0, len(labels), CHUNK):
            rows = self._rows(labels[start : start + CHUNK], derive_seed(seed=seed, rows=start))
            expression[start : start + CHUNK] = rows.cpu().numpy()
        return Samples.of(expression, conditions, draws, self._genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, fitted prior, label combinations; the unit."""
        tensors, facts = self._combinations.state()
        source = self._source
        tensors |= over("network.", source.network.state_dict())
        tensors |= {f"prior.{name}": getattr(source.mixture, name) for name in ("weights", "means", "factors")}
        tensors["total"] = source.total
        if isinstance(self._scale, LayerScale):
            return {**tensors, "gene_factors": self._scale.gene_factors}, {
                **facts,
                "genes": list(self._genes),
                "unit": self._scale.unit,
            }
        tensors["zero_shares"] = self._zero_shares
        return tensors, {**facts, "genes": list(self._genes), "linear_unit": self._scale.name}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`; the network is built anew from the settings."""
        held = {name: value.to(device) for name, value in tensors.items()}
        self._genes, self._combinations = tuple(facts["genes"]), LabelCombinations.restored(held, facts)
        if "gene_factors" in held:
            self._scale = LayerScale(facts["unit"], held["gene_factors"])
        else:
            self._scale, self._zero_shares = CountScale(facts["linear_unit"]), held["zero_shares"]
        with torch.device("meta"):
            network = network_of(len(self._genes), self._classes, self.settings)
        network = frozen(network, under("network.", held))
        mixture = LatentMixture(held["prior.weights"], held["prior.means"], held["prior.factors"])
        self._source = CountSource(network, mixture, held["total"].reshape(-1, 2), self._labelled)

    @property
    def _labelled(self) -> bool:
        return self.settings.conditioning == "labels"

    @property
    def _classes(self) -> tuple[int, ...]:
        """Number of classes of each label column that the network is given."""
        return self._combinations.sizes if self._labelled else ()

    def _labels(self, conditions: Conditions) -> Tensor:
        """Label codes (n, columns) to condition on; (n, 0) where they have no influence."""
        return self._combinations.checked(conditions) if self._labelled else conditions.labels[:, :0]

    def _rows(self, labels: Tensor, seed: int) -> Tensor:
        """Draws (B, genes) in the cohort's unit."""
        counts, totals = self._source.draw(labels, seed)
        if isinstance(self._scale, LayerScale):
            return self._scale.rows(counts, totals)
        if self.settings.dequantise:
            generator = torch.Generator().manual_seed(derive_seed(seed=seed, purpose="fractions"))
            counts = self._scale.dequantised(counts, self._zero_shares, generator)
        return self._scale.rows(counts)


def _check_totals(counts: Tensor, train: Split) -> None:
    empty = (counts.sum(1) == 0).cpu().numpy()
    if empty.any():
        raise Unavailable(f"needs counts of every patient, but {int(empty.sum())} have none")

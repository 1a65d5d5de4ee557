"""The VAE family as a generator."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gexbench.models.conditioning.labels import LabelCombinations
from gexbench.models.contract import Budget, Condition, Generator, Progress, Samples, silent
from gexbench.models.settings import GeneratorSettings
from gexbench.models.vae.networks import VaeNetwork
from gexbench.models.vae.prior import LatentMixture
from gexbench.models.vae.sampling import LatentSource, decoded
from gexbench.models.vae.settings import VaeSettings
from gexbench.models.vae.training import train_vae
from gexbench.tasks.conditions import Conditions
from gexbench.tasks.split import Split, Standardiser

CHUNK = 4096
"""Rows sampled at once."""


class Vae(Generator):
    """Variational autoencoder, unconditional or on the embedded label columns (CVAE).

    Normal likelihood in z-scores with a learned scale. A sample is a draw from the likelihood at a drawn latent,
    never the likelihood's mean; values below the unit's floor are set to it. Sources: Kingma & Welling 2014;
    Sohn et al. 2015 (conditional).
    """

    Settings: ClassVar[type[GeneratorSettings]] = VaeSettings
    settings: VaeSettings

    def fit(self, train: Split, validation: Split, *, budget: Budget, seed: int, progress: Progress = silent) -> None:
        """Train with the settings' steps; the weights with the best common validation score are kept."""
        self._remember(train.standardiser, train.genes, train.cohort.unit.floor, LabelCombinations.of(train.conditions))
        best = train_vae(train, validation, self._combinations, self.settings, seed, progress)
        self._source, self.report = best.source, best.report
        self.report.facts["label_fallbacks"] = (
            self._combinations.fallbacks() if self.settings.conditioning == "labels" else []
        )

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Rows (n * draws, genes) in the cohort's unit.

        Raises:
            InputError: with labels, a combination of them that no training patient shows.
        """
        generator = torch.Generator().manual_seed(seed)
        labels = self._labels(conditions).repeat_interleave(draws, dim=0)
        expression = np.empty((len(labels), len(self._genes)), dtype=np.float32)
        for start in range(0, len(labels), CHUNK):
            scores = decoded(self._source, labels[start : start + CHUNK], generator)
            rows = self._standardiser.inverse(scores)
            rows = rows if self._floor is None else rows.clamp(min=self._floor)
            expression[start : start + CHUNK] = rows.cpu().numpy()
        return Samples.of(expression, conditions, draws, self._genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, latent distribution, standardiser, label combinations."""
        labels, facts = self._combinations.state()
        tensors = {f"network.{name}": value for name, value in self._source.network.state_dict().items()}
        if self._source.mixture is not None:
            for name in ("weights", "means", "factors"):
                tensors[f"prior.{name}"] = getattr(self._source.mixture, name)
        tensors |= {"mean": self._standardiser.mean, "sd": self._standardiser.sd, **labels}
        return tensors, {"genes": list(self._genes), "floor": self._floor, **facts}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        held = {name: value.to(device) for name, value in tensors.items()}
        self._remember(
            Standardiser(held["mean"], held["sd"]),
            tuple(facts["genes"]),
            facts["floor"],
            LabelCombinations.restored(held, facts),
        )
        with torch.device("meta"):
            network = VaeNetwork(len(self._genes), self._combinations.sizes, self.settings)
        weights = {name.removeprefix("network."): held[name] for name in held if name.startswith("network.")}
        network.load_state_dict(weights, assign=True)
        mixture = None
        if "prior.means" in held:
            mixture = LatentMixture(held["prior.weights"], held["prior.means"], held["prior.factors"])
        self._source = LatentSource(network.eval().requires_grad_(False), mixture, self.settings.conditioning)

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """Labels, when conditioned on them."""
        conditional = isinstance(settings, VaeSettings) and settings.conditioning == "labels"
        return frozenset({"labels"}) if conditional else frozenset()

    def _remember(
        self, standardiser: Standardiser, genes: tuple[str, ...], floor: float | None, combinations: LabelCombinations
    ) -> None:
        self._standardiser = Standardiser(standardiser.mean.clone(), standardiser.sd.clone())
        self._genes, self._floor, self._combinations = genes, floor, combinations

    def _labels(self, conditions: Conditions) -> Tensor:
        """Label codes (n, columns) to condition on; zeros where they have no influence."""
        if self.settings.conditioning == "labels":
            return self._combinations.checked(conditions)
        return torch.zeros_like(conditions.labels)

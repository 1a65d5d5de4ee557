"""The VAE family as a generator."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from gexbench.models.conditioning.conditioner import Conditioner, needs_of
from gexbench.models.contract import Generator, Progress, Samples, silent
from gexbench.models.settings import GeneratorSettings
from gexbench.models.training.expression_scale import ExpressionScale
from gexbench.models.training.state import frozen, over, states_of, under
from gexbench.models.vae.networks import VaeNetwork
from gexbench.models.vae.sampling import LatentSource, decoded, prior_state, restored_prior
from gexbench.models.vae.settings import VaeSettings
from gexbench.models.vae.training import train_vae
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition

CHUNK = 4096
"""Rows sampled at once."""


class Vae(Generator):
    """Variational autoencoder, unconditional or on any encoder of conditions (CVAE).

    Normal likelihood in z-scores with a learned scale. A sample is a draw from the likelihood at a drawn latent,
    never the likelihood's mean; values below the unit's floor are set to it. Sources: Kingma & Welling 2014;
    Sohn et al. 2015 (conditional).
    """

    Settings: ClassVar[type[GeneratorSettings]] = VaeSettings
    settings: VaeSettings

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Train with the settings' steps; the weights with the best common validation score are kept.

        Raises:
            Unavailable: when the cohort lacks text (in the wanted variant) or patches that the encoder needs.
            Diverged: when the loss is not finite, or samples collapse.
        """
        self._scale = ExpressionScale.of(train)
        self._conditioner = Conditioner.of(train, self.settings)
        best = train_vae(train, validation, self._conditioner, self.settings, seed, progress)
        self._source, self.report = best.source, best.report
        self.report.facts |= self._conditioner.facts()

    @torch.no_grad()
    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Rows (n * draws, genes) in the cohort's unit.

        Raises:
            Unavailable: without the text or patches it needs.
            InputError: with labels, a combination of them that no training patient shows.
        """
        generator = torch.Generator().manual_seed(seed)
        reader, network = self._conditioner.reader(conditions), self._source.network
        finest = self._conditioner.labels.finest(conditions)
        expression = np.empty((len(reader) * draws, len(self._scale.genes)), dtype=np.float32)
        for index in torch.split(torch.arange(len(reader), device=conditions.device), max(1, CHUNK // draws)):
            condition = network.conditioner(reader.batch(index)).repeat_interleave(draws, dim=0)
            rows = decoded(self._source, finest[index].repeat_interleave(draws), condition, generator)
            start = int(index[0]) * draws if len(index) else 0
            expression[start : start + len(rows)] = self._scale.rows(rows).cpu().numpy()
        return Samples.of(expression, conditions, draws, self._scale.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights, latent distribution, statistics of the z-scores, label combinations."""
        tensors, facts = states_of((self._scale, self._conditioner))
        weights = over("network.", self._source.network.state_dict())
        return {**weights, **prior_state(self._source.prior), **tensors}, facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        held = {name: value.to(device) for name, value in tensors.items()}
        self._scale = ExpressionScale.restored(held, facts)
        self._conditioner = Conditioner.restored(held, facts, self.settings)
        with torch.device("meta"):
            network = VaeNetwork(len(self._scale.genes), self._conditioner.encoder(), self.settings)
        network = frozen(network, under("network.", held))
        self._source = LatentSource(network, restored_prior(held), "labels" in self._conditioner.needs)

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """The kinds of conditions that the encoder uses."""
        return needs_of(settings)

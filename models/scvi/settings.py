"""Settings of scVI; imports neither torch nor scvi-tools."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from pydantic import Field

from gexbench.models.settings import GeneratorSettings
from gexbench.models.settings.search_space import Choice, LogRange, SearchSpace


class ScviSettings(GeneratorSettings):
    """Settings of scVI. Network, likelihood and training plan are those of scvi-tools.

    Attributes:
        conditioning: `labels` gives the network the finest label as its batch and the other label columns as
            categorical covariates; `none` gives it nothing.
        likelihood: of the counts: negative binomial, or the same with extra zeros.
        dispersion: inverse dispersion of the likelihood: one learned number per `gene`, one per gene and finest label
            (`gene-batch`), or decoded for every row (`gene-cell`).
        hidden, layers: width and number of hidden layers of encoder and decoder.
        latent: width of the latent.
        encode_covariates: the encoder sees the labels too.
        normalisation: of the hidden layers.
        dropout: of the encoder's hidden layers.
        prior: what latents are drawn from when sampling. `standard`: N(0, I). `aggregate`: normal distributions
            fitted after training to the posterior of the training rows and their log totals, one per finest label
            with labels, else a mixture of `components`. Training uses N(0, I) in both cases.
        components: components of the unconditional aggregate prior.
        dequantise: where counts are rounded values of another unit, add the fraction that rounding removed to drawn
            counts; False gives whole counts, which boosted trees tell from unrounded values.
        kl_weight: weight of the KL term after the warm-up; 1 is the evidence lower bound.
        warm_up: share of the steps over which the weight of the KL term rises from 0.
        steps, batch: optimiser steps and rows per step.
        learning_rate, epsilon, weight_decay: of Adam; the rate falls to 0 by a cosine over the steps.
        checkpoints: how often over the training the common validation score is taken.
    """

    conditioning: Literal["none", "labels"] = "none"
    likelihood: Literal["nb", "zinb"] = "nb"
    dispersion: Literal["gene", "gene-batch", "gene-cell"] = "gene-cell"
    hidden: int = Field(default=256, ge=1)
    layers: int = Field(default=1, ge=1)
    latent: int = Field(default=64, ge=1)
    encode_covariates: bool = True
    normalisation: Literal["batch", "layer", "none"] = "batch"
    dropout: float = Field(default=0.0, ge=0, lt=1)
    prior: Literal["standard", "aggregate"] = "aggregate"
    components: int = Field(default=32, ge=1)
    dequantise: bool = True
    kl_weight: float = Field(default=1.0, gt=0)
    warm_up: float = Field(default=0.2, ge=0, le=1)
    steps: int = Field(default=4000, ge=1)
    batch: int = Field(default=128, ge=2)
    learning_rate: float = Field(default=3e-3, gt=0)
    epsilon: float = Field(default=0.01, gt=0)
    weight_decay: float = Field(default=1e-6, ge=0)
    checkpoints: int = Field(default=10, ge=1)

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {
                "hidden": 128,
                "components": 8,
                "steps": 600,
                "batch": 64,
                "learning_rate": 6e-3,
                "checkpoints": 5,
            },
            "cpu": {},
            "full": {"steps": 20_000, "hidden": 512, "checkpoints": 20},
        }
    )
    search_space: ClassVar[SearchSpace] = MappingProxyType(
        {
            "hidden": Choice((128, 256, 512)),
            "layers": Choice((1, 2)),
            "latent": Choice((32, 64, 128)),
            "dispersion": Choice(("gene", "gene-batch", "gene-cell")),
            "kl_weight": LogRange(0.1, 2.0),
            "dropout": Choice((0.0, 0.1, 0.2)),
            "learning_rate": LogRange(5e-4, 1e-2),
        }
    )

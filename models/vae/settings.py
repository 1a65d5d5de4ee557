"""Settings of the VAE family; imports no torch."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from gexbench.models.conditioning.settings import CONDITIONING_SIZES, ConditioningSettings
from gexbench.models.settings.search_space import Choice, LogRange, SearchSpace


class VaeSettings(ConditioningSettings):
    """Settings of the variational autoencoders.

    The plain form of the paper is `prior="standard", scale="gene", beta=1.0`, latents 64 and 256. The defaults
    differ from it because draws from N(0, I) do not match the posterior of the training rows, and because one scale
    per gene makes all patients of a gene equally noisy.

    Attributes:
        conditioning and its sizes: see `ConditioningSettings`. Encoder and decoder see the same condition (CVAE). The
            networks that read patches and text are first fitted to the conditional mean (`warm_start_steps`).
        hidden: width of the two hidden layers of encoder and decoder.
        latent: width of the latent; None takes 64 without conditions, 256 with labels.
        prior: what latents are drawn from when sampling. `standard`: N(0, I). `aggregate`: normal distributions
            fitted after training to the posterior of the training rows, one per finest label where the condition says
            it, else a mixture of `components`. Training uses N(0, I) in both cases.
        components: components of the unconditional aggregate prior.
        scale: standard deviation of the likelihood: one learned number per `gene`, or decoded from the `latent`.
        beta: weight of the KL term after the warm-up; 1 is the evidence lower bound.
        warm_up: share of the steps over which the weight of the KL term rises from 0.
        dropout: of the hidden layers, in training.
        steps, batch: optimiser steps and rows per step.
        learning_rate: of Adam; falls to 0 by a cosine over the steps.
        weight_decay: of AdamW.
        ema: decay of the exponential moving average of the weights that samples; 0 = the weights themselves.
        checkpoints: how often over the training the common validation score is taken.
    """

    hidden: int = Field(default=256, ge=1)
    latent: int | None = Field(default=None, ge=1)
    prior: Literal["standard", "aggregate"] = "aggregate"
    components: int = Field(default=32, ge=1)
    scale: Literal["gene", "latent"] = "latent"
    beta: float = Field(default=1.0, gt=0)
    warm_up: float = Field(default=0.2, ge=0, le=1)
    steps: int = Field(default=4000, ge=1)
    batch: int = Field(default=128, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    ema: float = Field(default=0.0, ge=0, lt=1)
    checkpoints: int = Field(default=20, ge=1)

    version: ClassVar[str] = "2"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            **CONDITIONING_SIZES["quick"],
            "hidden": 128,
            "latent": 32,
            "beta": 0.1,
            "steps": 600,
            "batch": 64,
            "learning_rate": 3e-3,
            "checkpoints": 5,
        },
        "cpu": {**CONDITIONING_SIZES["cpu"], "steps": 4000},
        "full": {**CONDITIONING_SIZES["full"], "steps": 4000},
    }

    search_space: ClassVar[SearchSpace] = {
        "hidden": Choice((128, 256, 512)),
        "latent": Choice((32, 64, 128, 256)),
        "beta": LogRange(0.05, 2.0),
        "dropout": Choice((0.0, 0.1, 0.2)),
        "learning_rate": LogRange(3e-4, 5e-3),
        "ema": Choice((0.0, 0.99, 0.999)),
    }

    @property
    def latents(self) -> int:
        """Width of the latent."""
        return self.latent or (64 if self.conditioning == "none" else 256)

"""Settings of the WGAN-GP family and what each budget gives them; imports no torch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from gexbench.models.conditioning.settings import (
    CONDITIONING_SIZES,
    WITH_TRANSFORMER,
    ConditioningSettings,
    Count,
    Positive,
)
from gexbench.models.settings import BudgetName
from gexbench.models.settings.search_space import Choice, LogRange, SearchSpace

Training = Literal["standard", "reference"]
Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

# Fewer critic updates at a higher rate than Gulrajani et al. 2017: on TCGA the same quality at half the cost.
_TWO_RATES: Mapping[str, Any] = MappingProxyType({"critic_steps": 3, "critic_learning_rate": 1e-3})

_STANDARD: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {
            "hidden": 128,
            "latent": 128,
            "steps": 150,
            **_TWO_RATES,
            "learning_rate": 2e-5,
        },
        "cpu": {"steps": 1500, **_TWO_RATES, "learning_rate": 6e-4},
        "full": {"steps": 20_000, **_TWO_RATES},
    }
)
_STANDARD_TRANSFORMER: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {"steps": 150, "head_steps": 135, "warm_start_steps": 150},
        "cpu": {"head_steps": 1400},
        "full": {"steps": 12_000, "head_steps": 8_000},
    }
)
_REFERENCE: Mapping[str, Any] = MappingProxyType(
    {
        "batch": 8,
        "learning_rate": 5e-4,
        "critic_learning_rate": 5e-4,
        "dropout": 0.1,
        "critic_steps": 5,
        "head_steps": 0,
        "ema": 0.0,
        "warm_start_steps": 0,
        "component_start": False,
        "components": 0,
        "gene_noise": False,
        "floored": False,
    }
)
_REFERENCE_BUDGETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {"width": 64, "hidden": 128, "latent": 128, "patches": 8, "tokens": 32, "steps": 50},
        "cpu": {"steps": 250},
        "full": {"steps": 15_000},
    }
)


class WganGpSettings(ConditioningSettings):
    """Settings of a WGAN-GP; those of the budget are filled in here, so that a record shows every value.

    Attributes:
        preset: budget whose sizes and steps fill the settings that are not given.
        conditioning and its sizes: see `ConditioningSettings`; the generator and the critic have an encoder each and
            share nothing.
        training: `standard` (Adam, cosine, averaged weights, best validation checkpoint) or `reference` (as the
            authors of GeMM-GAN ran it: RMSprop, batch 8, halved rate, clipped gradients, last step kept).
        hidden, latent: two hidden layers of generator and critic; width of z.
        steps: generator updates; critic_steps: critic updates before each.
        head_steps: the last of `steps`, in which both encoders stay fixed and only the heads are trained; `standard`
            only.
        batch: patients per mini-batch.
        learning_rate, critic_learning_rate: of generator and critic.
        penalty: weight of the gradient penalty.
        critic_activation: other than ReLU and LeakyReLU makes the penalty depend on the condition, and slow.
        ema: decay of the generator's averaged weights, min(ema, (1 + t) / (10 + t)) at step t; 0 = none.
        component_start: start the output layer on the principal components of the within-condition residuals.
        warm_start_steps: least-squares steps on the conditional mean before adversarial training.
        components: of the mixture of unit normal distributions that z is drawn from; 0 = one standard normal. Their
            centres come from a clustering of the training rows and need `component_start`.
        gene_noise: add independent normal noise with a learned scale per gene to the output.
        floored: the critic sees generated values below the unit's floor as the floor, as they are sampled.
        checkpoints: how many times the common validation score is taken.
    """

    version: ClassVar[str] = "2"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"quick": {"preset": "quick"}, "cpu": {"preset": "cpu"}, "full": {"preset": "full"}}
    )

    search_space: ClassVar[SearchSpace] = MappingProxyType(
        {
            "learning_rate": LogRange(2e-5, 1e-3),
            "critic_learning_rate": LogRange(2e-4, 4e-3),
            "penalty": LogRange(1.0, 30.0),
            "hidden": Choice((128, 256, 512)),
            "latent": Choice((64, 128, 256)),
            "gene_noise": Choice((True, False)),
        }
    )

    preset: BudgetName = "full"
    training: Training = "standard"
    hidden: Positive = 256
    latent: Positive = 256
    steps: Positive = 20_000
    critic_steps: Positive = 5
    batch: Annotated[int, Field(ge=2)] = 64
    learning_rate: Rate = 2e-4
    critic_learning_rate: Rate = 2e-4
    penalty: Rate = 10.0
    critic_activation: Literal["relu", "leaky_relu", "silu"] = "relu"
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    component_start: bool = True
    components: Count = 32
    gene_noise: bool = True
    floored: bool = True
    checkpoints: Positive = 10

    @model_validator(mode="after")
    def _check(self) -> "WganGpSettings":
        if self.components and not self.component_start:
            raise ValueError("components need component_start; set components to 0, or component_start to true")
        return self

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        """Fill in what the preset fixes for this conditioning and training."""
        if not isinstance(given, Mapping):
            return given
        preset = given.get("preset", "full")
        conditioning = given.get("conditioning", "none")
        if preset not in _STANDARD:
            return given
        if given.get("training") == "reference":
            return {**_REFERENCE, **_REFERENCE_BUDGETS[preset], **given}
        special = _STANDARD_TRANSFORMER[preset] if conditioning in WITH_TRANSFORMER else {}
        return {**CONDITIONING_SIZES[preset], **_STANDARD[preset], **special, **given}

"""Settings of the WGAN-GP family and what each budget gives them; imports no torch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from gexbench.models.settings import BudgetName, GeneratorSettings

Conditioning = Literal["none", "labels", "text", "image", "image-transformer", "film", "cross-attention", "fusion"]
Training = Literal["standard", "reference"]
Positive = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]

# Fewer critic updates at a higher rate than Gulrajani et al. 2017: on TCGA the same quality at half the cost.
_TWO_RATES: Mapping[str, Any] = MappingProxyType({"critic_steps": 3, "critic_learning_rate": 1e-3})

# Conditioning networks with a transformer cost far more per step than those without.
_TRANSFORMERS = frozenset({"image-transformer", "film", "cross-attention", "fusion"})

_STANDARD: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {
            "width": 64,
            "hidden": 128,
            "latent": 128,
            "patches": 8,
            "tokens": 32,
            "steps": 150,
            "warm_start_steps": 60,
            **_TWO_RATES,
            "learning_rate": 2e-5,
        },
        "cpu": {"width": 128, "patches": 16, "tokens": 32, "steps": 3000, **_TWO_RATES},
        "full": {"steps": 20_000, **_TWO_RATES},
    }
)
_STANDARD_TRANSFORMER: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {"steps": 150, "head_steps": 135, "warm_start_steps": 150},
        "cpu": {"steps": 3000, "head_steps": 2800},
        "full": {"steps": 12_000, "head_steps": 8_000},
    }
)
# Its start is one Gaussian over all classes, further from the data than a conditional one.
_UNCONDITIONAL: Mapping[str, Any] = MappingProxyType({"learning_rate": 4e-4})
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
        "gene_noise": False,
    }
)
_REFERENCE_BUDGETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {"width": 64, "hidden": 128, "latent": 128, "patches": 8, "tokens": 32, "steps": 50},
        "cpu": {"steps": 250},
        "full": {"steps": 15_000},
    }
)


class WganGpSettings(GeneratorSettings):
    """Settings of a WGAN-GP; those of the budget are filled in here, so that a record shows every value.

    Attributes:
        preset: budget whose sizes and steps fill the settings that are not given.
        conditioning: encoder of the conditions, one for the generator and one for the critic, nothing shared.
        training: `standard` (Adam, cosine, averaged weights, best validation checkpoint) or `reference` (as the
            authors of GeMM-GAN ran it: RMSprop, batch 8, halved rate, clipped gradients, last step kept).
        wiring: query of the image-to-text attention, see `FusionSizes`.
        text: variant of the clinical text: `full`, or `plain` without the words that give the labels away.
        width, heads, encoder_layers, dropout: of the fusion network (E, transformer).
        hidden, latent: two hidden layers of generator and critic; width of z.
        patches, tokens: most patches and tokens shown per patient.
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
        gene_noise: add independent normal noise with a learned scale per gene to the output.
        checkpoints: how many times the common validation score is taken.
    """

    version: ClassVar[str] = "1"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"quick": {"preset": "quick"}, "cpu": {"preset": "cpu"}, "full": {"preset": "full"}}
    )

    preset: BudgetName = "full"
    conditioning: Conditioning = "none"
    training: Training = "standard"
    wiring: Literal["sequential", "parallel"] = "sequential"
    text: Literal["full", "plain"] = "full"
    width: Positive = 256
    heads: Positive = 4
    encoder_layers: Positive = 2
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    hidden: Positive = 256
    latent: Positive = 256
    patches: Positive = 256
    tokens: Positive = 300
    steps: Positive = 20_000
    head_steps: Annotated[int, Field(ge=0)] = 0
    critic_steps: Positive = 5
    batch: Annotated[int, Field(ge=2)] = 64
    learning_rate: Rate = 2e-4
    critic_learning_rate: Rate = 2e-4
    penalty: Rate = 10.0
    critic_activation: Literal["relu", "leaky_relu", "silu"] = "relu"
    ema: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    component_start: bool = True
    warm_start_steps: Annotated[int, Field(ge=0)] = 300
    gene_noise: bool = True
    checkpoints: Positive = 10

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
        special = _STANDARD_TRANSFORMER[preset] if conditioning in _TRANSFORMERS else {}
        if conditioning == "none" and preset != "quick":
            special = _UNCONDITIONAL
        return {**_STANDARD[preset], **special, **given}

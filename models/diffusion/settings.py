"""Settings of the diffusion family, and those that flow matching shares, by budget; imports no torch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from gexbench.models.conditioning.settings import CONDITIONING_SIZES, ConditioningSettings, Count, Positive
from gexbench.models.settings import BudgetName
from gexbench.models.settings.search_space import Choice, IntRange, LogRange, SearchSpace

SamplerName = Literal["ddpm", "ddim", "dpm-solver++"]
Share = Annotated[float, Field(ge=0.0, lt=1.0)]

_BUDGETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {"hidden": 128, "components": 24, "clusters": 8, "steps": 500, "batch": 128, "checkpoints": 4},
        "cpu": {"steps": 2000, "keep": "last"},
        "full": {"hidden": 512, "steps": 20_000},
    }
)
_TEXT_AND_PATCHES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {"steps": 400, "head_steps": 400},
        "cpu": {"head_steps": 2000, "checkpoints": 5},
        "full": {"head_steps": 15_000},
    }
)


class DenoisingSettings(ConditioningSettings):
    """Settings that diffusion and flow matching share; those of the budget are filled in here: a record shows all.

    Attributes:
        preset: budget whose sizes and steps fill the settings that are not given.
        conditioning and its sizes: see `ConditioningSettings`. Text and patches: the encoder starts from
            `warm_start_steps` least-squares steps, is trained together with the denoiser, and stays fixed over the
            last `head_steps`; label embeddings are trained over all steps.
        marginals: what is modelled: each gene's `normal-scores` (mapped to N(0, 1) by its quantiles in training, and
            back), or its `z-scores`.
        space: `components`, the leading principal components with a Gaussian for the rest (see `ComponentSpace`),
            or all `genes`.
        components: how many of them are modelled.
        clusters: of training rows; the rest has a standard deviation per gene and cluster. 1: per gene alone.
        widen: give the rest the spread that validation rows show along the components of the training rows.
        hidden, blocks: width and number of the denoiser's residual blocks.
        hidden_dropout: of the blocks, in training; `dropout` is that of the encoders.
        loss_power: weight of component k in the loss: its variance to this power.
        condition_dropout: share of training rows that see no condition, for guidance.
        guidance: v = v(none) + guidance · (v(condition) − v(none)); 1 is off.
        sampling_steps: at most so many evaluations of the denoiser for each row.
        steps, batch: optimiser steps and rows per step.
        learning_rate: of AdamW; falls to 0 by a cosine over the steps, after a rise over the first 100.
        weight_decay: of AdamW.
        ema: decay of the averaged weights, min(ema, (1 + t) / (10 + t)) at step t; 0 = none.
        checkpoints: how many times the common validation score is taken; 0 never.
        keep: the averaged weights that sample: those of the `best` checkpoint or the `last`. Over 2,000 steps the
            rate has fallen to 0 and the score of a checkpoint is noisier than what separates the last ones.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"quick": {"preset": "quick"}, "cpu": {"preset": "cpu"}, "full": {"preset": "full"}}
    )

    search_space: ClassVar[SearchSpace] = MappingProxyType(
        {
            "components": Choice((30, 50, 80)),
            "hidden": Choice((128, 256, 512)),
            "blocks": IntRange(1, 4),
            "hidden_dropout": Choice((0.1, 0.3, 0.5)),
            "loss_power": Choice((0.0, 0.25, 0.5, 1.0)),
            "learning_rate": LogRange(5e-4, 5e-3),
            "weight_decay": LogRange(0.01, 1.0),
        }
    )

    preset: BudgetName = "full"
    marginals: Literal["normal-scores", "z-scores"] = "normal-scores"
    space: Literal["components", "genes"] = "components"
    components: Positive = 50
    clusters: Positive = 32
    widen: bool = False
    hidden: Positive = 256
    blocks: Positive = 2
    hidden_dropout: Share = 0.3
    loss_power: Annotated[float, Field(ge=0.0, le=2.0)] = 0.5
    condition_dropout: Share = 0.0
    guidance: Annotated[float, Field(ge=0.0, le=20.0)] = 1.0
    sampling_steps: Annotated[int, Field(ge=2, le=1000)] = 20
    steps: Positive = 20_000
    batch: Positive = 256
    learning_rate: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.1
    ema: Share = 0.999
    checkpoints: Count = 10
    keep: Literal["best", "last"] = "best"

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, given: Any) -> Any:
        """Fill in what the preset fixes for this conditioning."""
        if not isinstance(given, Mapping):
            return given
        preset = given.get("preset", "full")
        if preset not in _BUDGETS:
            return given
        special = {} if given.get("conditioning", "none") in {"none", "labels"} else _TEXT_AND_PATCHES[preset]
        return {**CONDITIONING_SIZES[preset], **_BUDGETS[preset], **special, **given}

    @model_validator(mode="after")
    def _guided(self) -> Self:
        """Guidance needs a denoiser that was trained without conditions too."""
        if self.guidance != 1.0 and self.conditioning != "none" and self.condition_dropout == 0.0:
            raise ValueError(f"guidance {self.guidance:g} needs condition_dropout above 0, for instance 0.1")
        return self


class DiffusionSettings(DenoisingSettings):
    """Settings of a diffusion model.

    Attributes:
        sampler: scheduler.
    """

    version: ClassVar[str] = "2"

    sampler: SamplerName = "dpm-solver++"

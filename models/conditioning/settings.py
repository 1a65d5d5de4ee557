"""Settings of the conditioning that all families share; imports no torch."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from gexbench.models.settings import GeneratorSettings

Conditioning = Literal["none", "labels", "text", "image", "image-transformer", "film", "cross-attention", "fusion"]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]

WITH_TRANSFORMER = frozenset({"image-transformer", "film", "cross-attention", "fusion"})
"""Encoders that cost far more per step than the others."""

CONDITIONING_SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "quick": {"width": 64, "patches": 8, "tokens": 32, "warm_start_steps": 60},
        "cpu": {"width": 128, "patches": 16, "tokens": 32},
        "full": {},
    }
)
"""Budget → sizes of the encoders of patches and text: the same for every family."""


class ConditioningSettings(GeneratorSettings):
    """What a head is conditioned on, and the encoder's sizes; see `conditioning.encoders.ENCODERS`.

    Attributes:
        conditioning: encoder of the conditions.
        wiring: query of the image-to-text attention, see `FusionSizes`.
        text: variant of the clinical text: `full`, or `plain` without the words that give the labels away.
        width, heads, encoder_layers, dropout: of the networks that read patches and text (E, transformer); the
            dropout is also that of a head's hidden layers where the family says so.
        patches, tokens: most patches and tokens shown per patient.
        head_steps: the last steps of the training, in which the encoder stays fixed and only the head is trained.
        warm_start_steps: least-squares steps on the conditional mean before the training proper.
    """

    conditioning: Conditioning = "none"
    wiring: Literal["sequential", "parallel"] = "sequential"
    text: Literal["full", "plain"] = "full"
    width: Positive = 256
    heads: Positive = 4
    encoder_layers: Positive = 2
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    patches: Positive = 256
    tokens: Positive = 300
    head_steps: Count = 0
    warm_start_steps: Count = 300

    @property
    def reads_text_or_patches(self) -> bool:
        """Whether the encoder reads more than label codes."""
        return self.conditioning not in {"none", "labels"}

"""The table of conditioning encoders: name → what it needs and how it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from torch import Tensor, nn

from gexbench.models.conditioning.batch import ConditionBatch
from gexbench.models.conditioning.fusion import (
    FilmEncoder,
    FusionSizes,
    GemmFusion,
    ImageTransformer,
    PatchMean,
    TextSummary,
)
from gexbench.models.conditioning.labels import LabelEmbedding
from gexbench.tasks.cohorts.vocabulary import Condition


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """Inputs of the encoders: classes of each label column used, and sizes of patches and text."""

    labels: tuple[int, ...]
    fusion: FusionSizes


class NoCondition(nn.Module):
    """The encoder of an unconditional generator: a condition of width 0."""

    out_features = 0

    def forward(self, batch: ConditionBatch) -> Tensor:
        """→ (B, 0)."""
        return batch.labels.new_zeros((len(batch.labels), 0)).float()


class LabelCondition(LabelEmbedding):
    """`LabelEmbedding` over a batch."""

    def forward(self, batch: ConditionBatch) -> Tensor:  # type: ignore[override]
        """→ condition (B, out_features)."""
        return super().forward(batch.labels)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A row of the table: the kinds of conditions it uses and its constructor."""

    needs: frozenset[Condition]
    build: Callable[[EncoderSizes], nn.Module]


def _of_fusion(cls: Callable[[FusionSizes], nn.Module]) -> Callable[[EncoderSizes], nn.Module]:
    return lambda sizes: cls(sizes.fusion)


_BOTH: frozenset[Condition] = frozenset({"text", "patches"})

ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        "none": Encoder(frozenset(), lambda sizes: NoCondition()),
        "labels": Encoder(frozenset({"labels"}), lambda sizes: LabelCondition(sizes.labels)),
        "text": Encoder(frozenset({"text"}), _of_fusion(TextSummary)),
        "image": Encoder(frozenset({"patches"}), _of_fusion(PatchMean)),
        "image-transformer": Encoder(frozenset({"patches"}), _of_fusion(ImageTransformer)),
        "film": Encoder(_BOTH, _of_fusion(FilmEncoder)),
        "cross-attention": Encoder(_BOTH, _of_fusion(partial(GemmFusion, film=False))),
        "fusion": Encoder(_BOTH, _of_fusion(GemmFusion)),
    }
)

"""Conditions of a head: what it reads, which labels it knows, and how its encoder is built."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from gexbench.models.conditioning.batch import ConditionReader, require
from gexbench.models.conditioning.encoders import ENCODERS, EncoderSizes
from gexbench.models.conditioning.fusion import FusionSizes
from gexbench.models.conditioning.labels import LabelCombinations
from gexbench.models.conditioning.settings import ConditioningSettings
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.cohorts.vocabulary import Condition


@dataclass(frozen=True, slots=True, eq=False)
class Conditioner:
    """Made from the training split, or restored from a saved generator.

    Attributes:
        settings: of the conditioning.
        labels: the label combinations of training.
        columns: indices of the label columns conditioned on.
        patch_width, token_width: widths of raw patches and tokens; 1 where the cohort has none.
    """

    settings: ConditioningSettings
    labels: LabelCombinations
    columns: tuple[int, ...]
    patch_width: int
    token_width: int

    @classmethod
    def of(cls, train: Split, settings: ConditioningSettings, columns: tuple[str, ...] | None = None) -> "Conditioner":
        """From the training patients; `columns` restricts the label columns, None takes all.

        Raises:
            Unavailable: when the cohort lacks text (in the wanted variant) or patches that the encoder needs.
        """
        conditions = train.conditions
        require(conditions, needs_of(settings), settings.text, train.cohort.name)
        labels = LabelCombinations.of(conditions)
        wanted = labels.columns if columns is None else columns
        patch_width = 1 if conditions.patches is None else conditions.patches.width
        token_width = conditions.text[settings.text].width if settings.text in conditions.text else 1
        places = tuple(labels.columns.index(column) for column in wanted)
        return cls(settings, labels, places, patch_width, token_width)

    @property
    def needs(self) -> frozenset[Condition]:
        """Kinds of conditions that the encoder uses."""
        return needs_of(self.settings)

    @property
    def sizes(self) -> EncoderSizes:
        """Arguments of the encoder."""
        settings = self.settings
        fusion = FusionSizes(
            self.patch_width,
            self.token_width,
            settings.width,
            settings.heads,
            settings.encoder_layers,
            settings.dropout,
            settings.wiring,
        )
        return EncoderSizes(tuple(self.labels.sizes[column] for column in self.columns), fusion)

    def encoder(self) -> nn.Module:
        """A new encoder: `ConditionBatch` of B patients → condition (B, `width_of(encoder)`)."""
        return ENCODERS[self.settings.conditioning].build(self.sizes)

    def reader(self, conditions: Conditions) -> ConditionReader:
        """Reads mini-batches of these conditions.

        Raises:
            Unavailable: without the text or patches that the encoder needs.
            InputError: for a label combination never seen in training, where labels are used.
        """
        require(conditions, self.needs, self.settings.text, "to sample")
        labelled = "labels" in self.needs
        labels = self.labels.checked(conditions)[:, list(self.columns)] if labelled else conditions.labels
        settings = self.settings
        return ConditionReader(
            conditions,
            self.needs,
            labels,
            variant=settings.text,
            tokens=settings.tokens,
            patches=settings.patches,
        )

    def known(self, split: Split) -> Split:
        """The split's patients whose label combination some training patient shows; all, where labels are not used."""
        return self.labels.known(split) if "labels" in self.needs else split

    def facts(self) -> dict[str, Any]:
        """For the record: the label combinations that another one stands in for."""
        return {"label_fallbacks": self.labels.fallbacks()} if "labels" in self.needs else {}

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON-able facts that `restored` takes."""
        tensors, facts = self.labels.state()
        own = {"columns": list(self.columns), "patch_width": self.patch_width, "token_width": self.token_width}
        return tensors, {**facts, **own}

    @classmethod
    def restored(
        cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], settings: ConditioningSettings
    ) -> "Conditioner":
        """The inverse of `state`."""
        labels = LabelCombinations.restored(tensors, facts)
        return cls(settings, labels, tuple(facts["columns"]), facts["patch_width"], facts["token_width"])


def needs_of(settings: GeneratorSettings) -> frozenset[Condition]:
    """Kinds of conditions that a generator with these settings uses; empty = unconditional."""
    return ENCODERS[settings.conditioning].needs if isinstance(settings, ConditioningSettings) else frozenset()


def width_of(encoder: nn.Module) -> int:
    """Width of the condition that an encoder makes."""
    width = encoder.out_features
    if not isinstance(width, int):
        raise TypeError(f"{type(encoder).__name__}.out_features must be an int")
    return width

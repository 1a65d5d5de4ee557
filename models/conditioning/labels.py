"""Label conditioning: the permitted combinations of label codes and their learned embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.errors import InputError, examples

LABEL_WIDTH = 256
FEWEST_PATIENTS = 6


@dataclass(frozen=True, slots=True, eq=False)
class LabelCombinations:
    """The combinations of label codes that the training patients show, and how often.

    Attributes:
        columns: label columns, finest first.
        classes: label column → its class names; a code indexes them.
        codes: (m, columns) int64, the distinct combinations in lexicographic order.
        counts: (m,) int64, training patients of each.
        stand_in: (m,) int64, the combination to condition on: itself, or, with fewer than `FEWEST_PATIENTS`
            training patients, the commonest combination of the same finest class.
    """

    columns: tuple[str, ...]
    classes: Mapping[str, tuple[str, ...]]
    codes: Tensor
    counts: Tensor
    stand_in: Tensor

    @classmethod
    def of(cls, train: Conditions) -> "LabelCombinations":
        """The combinations of the training patients."""
        codes, counts = torch.unique(train.labels, dim=0, return_counts=True)
        return cls._build(train.label_columns, dict(train.classes), codes, counts)

    @classmethod
    def _build(
        cls, columns: tuple[str, ...], classes: Mapping[str, tuple[str, ...]], codes: Tensor, counts: Tensor
    ) -> "LabelCombinations":
        same = codes[:, :1] == codes[:, 0]
        commonest = torch.where(same, counts, -1).argmax(dim=1)
        itself = torch.arange(len(codes), device=codes.device)
        return cls(columns, classes, codes, counts, torch.where(counts < FEWEST_PATIENTS, commonest, itself))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of classes of each column."""
        return tuple(len(self.classes[column]) for column in self.columns)

    def checked(self, conditions: Conditions) -> Tensor:
        """Label codes to condition on, (n, columns) int64: rare combinations replaced by their stand-in.

        Raises:
            InputError: other label columns or classes than in training, or a combination that no training
                patient shows, by name.
        """
        if conditions.label_columns != self.columns or dict(conditions.classes) != dict(self.classes):
            raise InputError(
                f"labels ({', '.join(conditions.label_columns)}) differ in columns or classes from those of training "
                f"({', '.join(self.columns)}); sample with conditions of the cohort the generator was fitted on"
            )
        equal = (conditions.labels[:, None, :] == self.codes).all(-1)
        unseen = ~equal.any(1)
        if bool(unseen.any()):
            found = torch.unique(conditions.labels[unseen], dim=0).tolist()
            names = [self._name(code) for code in found]
            raise InputError(
                f"{len(names)} label combinations do not occur in the training data ({examples(names)}); "
                "leave these patients out, or train with them"
            )
        return self.codes[self.stand_in[equal.int().argmax(1)]]

    def known(self, split: Split) -> Split:
        """The split's patients whose combination some training patient shows."""
        known = (split.conditions.labels[:, None, :] == self.codes).all(-1).any(1)
        if bool(known.all()):
            return split
        rows = known.nonzero()[:, 0]
        return replace(
            split,
            expression=split.expression[rows],
            standardised=split.standardised[rows],
            conditions=split.conditions.take(rows),
            counts=None if split.counts is None else split.counts.take(rows),
        )

    def finest(self, conditions: Conditions) -> Tensor:
        """Finest label codes, (n,) int64: a stand-in has the same."""
        return conditions.labels[:, 0]

    def fallbacks(self) -> list[str]:
        """Names of the combinations that another one stands in for."""
        itself = torch.arange(len(self.codes), device=self.codes.device)
        return [self._name(code) for code in self.codes[self.stand_in != itself].tolist()]

    def _name(self, code: Sequence[int]) -> str:
        return " / ".join(self.classes[column][value] for column, value in zip(self.columns, code, strict=True))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and JSON-able facts that `restored` takes."""
        tensors = {"labels.codes": self.codes, "labels.counts": self.counts}
        return tensors, {"label_classes": [[column, list(self.classes[column])] for column in self.columns]}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> "LabelCombinations":
        """The inverse of `state`."""
        classes = {str(column): tuple(names) for column, names in facts["label_classes"]}
        return cls._build(tuple(classes), classes, tensors["labels.codes"], tensors["labels.counts"])


class LabelEmbedding(nn.Module):
    """One learned embedding per label column, of `max(1, 256 // columns)` features, concatenated.

    Attributes:
        out_features: width of the condition.
    """

    def __init__(self, sizes: Sequence[int], width: int = LABEL_WIDTH) -> None:
        super().__init__()
        each = max(1, width // len(sizes))
        self.tables = nn.ModuleList(nn.Embedding(size, each) for size in sizes)
        self.out_features = each * len(sizes)

    def forward(self, labels: Tensor) -> Tensor:
        """Codes (B, columns) int64 → condition (B, out_features)."""
        return torch.cat([table(labels[:, column]) for column, table in enumerate(self.tables)], dim=1)

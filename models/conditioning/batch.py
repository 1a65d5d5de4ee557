"""Mini-batches of conditions, gathered on the device without a round trip to the host."""

from collections.abc import Set
from dataclasses import dataclass

import torch
from torch import Tensor

from gexbench.models.contract import Unavailable
from gexbench.tasks.cohorts.conditions import Conditions, RaggedTensor
from gexbench.tasks.cohorts.vocabulary import Condition


@dataclass(frozen=True, slots=True, eq=False)
class ConditionBatch:
    """Conditions of B patients; what an encoder does not need is None.

    Attributes:
        labels: (B, columns) int64 codes.
        tokens: (B, T, d_t) float, token 0 the summary; `token_mask` (B, T) bool, True = ignore.
        patches: (B, P, d_p) float; `patch_mask` (B, P) bool, True = ignore.
    """

    labels: Tensor
    tokens: Tensor | None = None
    token_mask: Tensor | None = None
    patches: Tensor | None = None
    patch_mask: Tensor | None = None

    def text(self) -> tuple[Tensor, Tensor]:
        """Tokens and their mask.

        Raises:
            ValueError: when the batch holds none.
        """
        if self.tokens is None or self.token_mask is None:
            raise ValueError("this batch holds no text tokens")
        return self.tokens, self.token_mask

    def image(self) -> tuple[Tensor, Tensor]:
        """Patches and their mask.

        Raises:
            ValueError: when the batch holds none.
        """
        if self.patches is None or self.patch_mask is None:
            raise ValueError("this batch holds no patches")
        return self.patches, self.patch_mask

    def repeated(self, times: int) -> "ConditionBatch":
        """The whole batch `times` over: rows 0 … B - 1, 0 … B - 1, …"""

        def stacked(values: Tensor | None) -> Tensor | None:
            return None if values is None else torch.cat([values] * times)

        return ConditionBatch(
            torch.cat([self.labels] * times),
            stacked(self.tokens),
            stacked(self.token_mask),
            stacked(self.patches),
            stacked(self.patch_mask),
        )


def require(conditions: Conditions, needs: Set[Condition], variant: str, cohort: str) -> None:
    """Check that the needed kinds of conditions are there.

    Raises:
        Unavailable: the message names what is missing.
    """
    if "patches" in needs and not conditions.has("patches"):
        raise Unavailable(f"needs image patches, but cohort {cohort} has none")
    if "text" in needs and not conditions.has("text"):
        raise Unavailable(f"needs clinical text, but cohort {cohort} has none")
    if "text" in needs and variant not in conditions.text:
        held = ", ".join(sorted(conditions.text))
        raise Unavailable(f"needs the text variant {variant!r}, but cohort {cohort} has only {held}")


class ConditionReader:
    """Reads mini-batches out of a split's conditions; all sizes are fixed at construction.

    Args:
        conditions: the split's conditions.
        needs: kinds that the encoder uses.
        labels: (n, columns) codes to condition on (see `LabelCombinations.checked`).
        variant: text variant.
        tokens: most tokens per patient, the first ones.
        patches: most patches per patient.
    """

    def __init__(
        self, conditions: Conditions, needs: Set[Condition], labels: Tensor, *, variant: str, tokens: int, patches: int
    ) -> None:
        self.labels = labels
        self.rows = conditions.rows
        self.text = conditions.text[variant] if "text" in needs else None
        self.image = conditions.patches if "patches" in needs else None
        self.text_longest = _longest(self.text)
        self.image_longest = _longest(self.image)
        self.tokens = min(tokens, self.text_longest)
        self.patches = min(patches, self.image_longest)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor, generator: torch.Generator | None = None) -> ConditionBatch:
        """Conditions of the patients at `index`, (B,) int64.

        With a generator the patches are drawn at random without replacement; without one the first ones are
        taken, which is the seeded draw of evaluation.
        """
        rows = self.rows[index]
        tokens = token_mask = patches = patch_mask = None
        if self.text is not None:
            tokens, token_mask = _gather(self.text, rows, self.tokens, self.text_longest, None)
        if self.image is not None:
            patches, patch_mask = _gather(self.image, rows, self.patches, self.image_longest, generator)
        return ConditionBatch(self.labels[index], tokens, token_mask, patches, patch_mask)


def _longest(ragged: RaggedTensor | None) -> int:
    return 1 if ragged is None or not len(ragged) else max(1, int(ragged.counts.max()))


def _gather(
    ragged: RaggedTensor, patients: Tensor, kept: int, longest: int, generator: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """`RaggedTensor.padded` with sizes known beforehand, so that a GPU never waits for the host."""
    start, counts = ragged.starts[patients], ragged.counts[patients][:, None]
    places = torch.arange(longest, device=start.device)
    if generator is not None and kept < longest:
        priority = torch.rand((len(patients), longest), generator=generator, device=generator.device)
        order = priority.to(start.device).masked_fill(places >= counts, 2.0).argsort(dim=1)[:, :kept]
    else:
        order = places[:kept]
    mask = places[:kept] >= counts
    rows = torch.where(mask, 0, start[:, None] + order)
    return ragged.rows(rows).masked_fill(mask[..., None], 0.0), mask

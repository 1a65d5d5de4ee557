"""From rows in the cohort's unit to the latents that are diffused, and back."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gexbench.models.diffusion.marginals import NormalScores
from gexbench.models.diffusion.settings import DenoisingSettings
from gexbench.models.diffusion.space import ComponentSpace, GeneSpace, Space, restored
from gexbench.models.training.expression_scale import ExpressionScale
from gexbench.models.training.state import over, under
from gexbench.tasks.cohorts.split import Split

_SPACE = "space."


@dataclass(frozen=True, slots=True, eq=False)
class Representation:
    """Marginals, then a space.

    The marginals work on values in the cohort's unit, not on z-scores, so that equal values (the atom of unexpressed
    genes) come back equal to the bit: a detector finds atoms that rounding has spread.

    Attributes:
        scale: z-scores ↔ the cohort's unit.
        marginals: None: z-scores go into the space as they are.
        space: where diffusion happens.
    """

    scale: ExpressionScale
    marginals: NormalScores | None
    space: Space

    @classmethod
    def fit(
        cls,
        scale: ExpressionScale,
        train: Split,
        validation: Split,
        settings: DenoisingSettings,
        seed: int,
        random: torch.Generator,
    ) -> tuple["Representation", Tensor]:
        """From the training patients, and their latents (n, d).

        validation: for `settings.widen`; seed: of the clusters; random: see `NormalScores.forward`.
        """
        marginals = NormalScores.fit(train.expression) if settings.marginals == "normal-scores" else None

        def shaped(split: Split) -> Tensor:
            return split.standardised if marginals is None else marginals.forward(split.expression, random)

        values = shaped(train)
        if settings.space == "genes":
            return cls(scale, marginals, GeneSpace(values.shape[1])), values
        space = ComponentSpace.fit(values, settings.components, settings.clusters, seed)
        latents = space.forward(values)
        return cls(scale, marginals, space.widened(shaped(validation)) if settings.widen else space), latents

    def rows(self, latents: Tensor, random: torch.Generator) -> Tensor:
        """Latents (n, d) → rows (n, genes) in the cohort's unit; draws of the space come from `random`, on the CPU."""
        values = self.space.inverse(latents, random)
        return self.scale.rows(values) if self.marginals is None else self.marginals.inverse(values)

    def state(self) -> dict[str, Tensor]:
        """Tensors of the marginals and the space, which `restored` takes."""
        tensors = over(_SPACE, self.space.state())
        return tensors if self.marginals is None else {"knots": self.marginals.knots, **tensors}

    @classmethod
    def restored(cls, tensors: Mapping[str, Tensor], scale: ExpressionScale) -> "Representation":
        """The inverse of `state`; other tensors are ignored."""
        marginals = NormalScores(tensors["knots"]) if "knots" in tensors else None
        return cls(scale, marginals, restored(under(_SPACE, tensors), len(scale.genes)))

"""Gaussian copulas of rows, one per class: empirical marginals, shrunk correlation of normal scores."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gexbench.models.contract import Progress, Samples, silent
from gexbench.models.references.correlation import CorrelatedNormals, shrunk_factor
from gexbench.models.references.labelled import LabelReference
from gexbench.models.references.pools import LabelPools
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.split import Split

CHUNK = 4096
"""Rows sampled at once."""

RARE = 10
"""A class of fewer rows takes the copula that all classes share, around its own mean."""

SHARED = "rare classes"
"""Name of that copula in the report."""


@dataclass(frozen=True, slots=True, eq=False)
class Copulas:
    """One Gaussian copula per class of rows, and one that rare classes share.

    A gene's value of rank r among a class's n rows has the normal score Φ⁻¹((r − ½)/n), equal values the score of
    their mean rank (Liu, Lafferty & Wasserman 2009). Scores have the Ledoit-Wolf correlation. A draw maps correlated
    normal deviates through Φ and the quantiles (r − ½)/n, linear in between; none lies outside the class's range.
    A class of fewer than `RARE` rows takes the copula of all rows' deviations from their class means, scaled by
    √(n/(n − 1)), around its own mean.

    Attributes:
        quantiles: (sum of the groups' rows, genes) sorted values of each group, one group below the other.
        counts: (groups,) rows of each group.
        group: (classes,) group of each class.
        centres: (classes, genes) added to its draws; 0 where the group is the class itself.
        normals: the correlated normal scores of each group.
    """

    quantiles: Tensor
    counts: Tensor
    group: Tensor
    centres: Tensor
    normals: CorrelatedNormals

    @classmethod
    def fit(cls, rows: Tensor, pools: LabelPools, *, centred: bool = False) -> tuple["Copulas", dict[str, float]]:
        """Estimate from rows (n, genes) float64 in the order that `pools` counts.

        Args:
            rows: values or residuals.
            pools: their classes.
            centred: rows are residuals: rare classes draw around 0 instead of their mean.

        Returns:
            The copulas, and the shrinkage by class.
        """
        codes = torch.as_tensor(pools.codes, device=rows.device)
        present = torch.as_tensor(pools.counts, device=rows.device)
        sums = rows.new_zeros((len(present), rows.shape[1])).index_add_(0, codes, rows)
        means = sums / present.clamp(min=1)[:, None]
        common = present >= RARE
        members = {pools.classes[code]: rows[codes == code] for code in common.nonzero()[:, 0].tolist()}
        group = torch.where(common, common.cumsum(0) - 1, len(members))
        if bool((~common & (present > 0)).any()):
            members[SHARED] = _deviations(rows - means[codes], present[codes])
        ordered = [part.sort(dim=0).values for part in members.values()]
        fitted = [shrunk_factor(_unit(normal_scores(*each))) for each in zip(members.values(), ordered, strict=True)]
        copulas = cls(
            quantiles=torch.cat(ordered).float(),
            counts=torch.as_tensor([len(part) for part in ordered], device=rows.device),
            group=group,
            centres=(torch.zeros_like(means) if centred else means.where(~common[:, None], 0.0)).float(),
            normals=CorrelatedNormals.of(
                {number: (factor, noise) for number, (factor, noise, _) in enumerate(fitted)},
                rows.new_zeros((len(members), rows.shape[1])).float(),
            ),
        )
        return copulas, {name: round(each[2], 4) for name, each in zip(members, fitted, strict=True)}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], device: torch.device) -> "Copulas":
        """From saved tensors."""
        normals = CorrelatedNormals(*(tensors[field.name].to(device) for field in fields(CorrelatedNormals)))
        own = {field.name: tensors[field.name].to(device) for field in fields(cls) if field.name != "normals"}
        return cls(**own, normals=normals)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name."""
        return {
            field.name: getattr(holder, field.name)
            for holder in (self, self.normals)
            for field in fields(holder)
            if field.name != "normals"
        }

    def draw(self, codes: Tensor, generator: torch.Generator) -> Tensor:
        """Draws (B, genes) float32 for class codes (B,)."""
        groups = self.group[codes]
        count = self.counts[groups][:, None]
        place = torch.special.ndtr(self.normals.draw(groups, generator)) * count - 0.5
        place = place.clamp(min=0.0).minimum(count - 1.0)
        lower = place.long()
        upper = (lower + 1).minimum(count - 1)
        start = (self.counts.cumsum(0) - self.counts)[groups][:, None]
        low, high = (self.quantiles.gather(0, start + each) for each in (lower, upper))
        drawn: Tensor = torch.lerp(low, high, place - lower) + self.centres[codes]
        return drawn


def normal_scores(rows: Tensor, ordered: Tensor) -> Tensor:
    """Φ⁻¹ of each value's mean rank less ½ over n, (n, genes).

    Args:
        rows: (n, genes); ordered: the same, every gene sorted.
    """
    columns, values = ordered.T.contiguous(), rows.T.contiguous()
    below, up_to = (torch.searchsorted(columns, values, right=right) for right in (False, True))
    scores: Tensor = torch.special.ndtri((below + up_to).T.to(rows.dtype) / (2 * len(rows)))
    return scores


def _deviations(centred: Tensor, sizes: Tensor) -> Tensor:
    """Deviations from class means without the bias of small classes; two rows of zeros where every class is of one row.

    Args:
        centred: (n, genes) deviations; sizes: (n,) rows of each one's class.
    """
    several = sizes > 1
    scaled = centred[several] * (sizes / (sizes - 1).clamp(min=1)).sqrt()[several, None]
    return scaled if len(scaled) else centred.new_zeros((2, centred.shape[1]))


def _unit(scores: Tensor) -> Tensor:
    """Scores of mean 0 and unit variance per gene; 0 for a gene without any spread."""
    centred = scores - scores.mean(0)
    size = centred.square().mean(0).sqrt()
    return centred / size.where(size > 1e-9, torch.inf)


class ClassCopula(LabelReference):
    """A Gaussian copula per finest label, of the training rows; the baseline that trained generators have to beat."""

    copulas: Copulas

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Estimate on the training rows; the seed has no effect."""
        self.remember(train)
        self.copulas, shrinkage = Copulas.fit(train.expression.double(), self.pools)
        self.report.facts |= copula_facts(self.pools, shrinkage)

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Rows (n * draws, genes) in the cohort's unit.

        Raises:
            InputError: a class without training patients.
        """
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same rows on any device up to rounding
        codes = np.repeat(self.pools.wanted(conditions), draws)
        expression = np.empty((len(codes), len(self.genes)), dtype=np.float32)
        for start in range(0, len(codes), CHUNK):
            part = torch.as_tensor(codes[start : start + CHUNK], device=self.copulas.centres.device)
            rows = self.floored(self.copulas.draw(part, generator))
            expression[start : start + CHUNK] = rows.cpu().numpy()
        return Samples.of(expression, conditions, draws, self.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The copulas; genes, floor and each row's class."""
        return self.copulas.tensors, super().state()[1]

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        super().restore({}, facts, device)
        self.copulas = Copulas.of(tensors, device)


def copula_facts(pools: LabelPools, shrinkage: Mapping[str, float]) -> dict[str, Any]:
    """Facts for the report: shrinkage by class, and the classes that share a copula."""
    rare = np.flatnonzero((pools.counts > 0) & (pools.counts < RARE))
    return {
        "shrinkage": dict(shrinkage),
        f"classes of fewer than {RARE} patients": [pools.classes[each] for each in rare],
    }

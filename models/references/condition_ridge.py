"""Ridge regression on all conditions, plus residuals of patients of the finest label or draws of copulas of them."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gexbench.models.contract import Progress, Samples, Unavailable, silent
from gexbench.models.references.copula import Copulas, copula_facts
from gexbench.models.references.labelled import LabelReference
from gexbench.models.references.ridge import Ridge
from gexbench.models.settings import GeneratorSettings
from gexbench.tasks.cohorts.conditions import Conditions, RaggedTensor
from gexbench.tasks.cohorts.split import Split, Standardiser
from gexbench.tasks.cohorts.vocabulary import Condition

TEXT = "full"
"""Variant of the clinical text that is read."""

CHUNK = 512
"""Patients pooled, and rows sampled, at once."""


class _RidgeReference(LabelReference):
    """Ridge from pooled patches, the text's summary token and one-hot labels to z-scored expression, plus residuals.

    Features: the mean of a patient's patches (`patches`) and token 0 of the `full` text (`text`), z-scored, and the
    one-hot label columns; each of the three blocks is scaled to unit mean squared length, so that one penalty suits
    all. A patient without patches or tokens has the training mean there. The penalty is chosen on the validation
    patients. Residuals are leave-one-out: those of the fit itself are too small, since every patient pulled the fit
    towards itself.
    """

    kept: ClassVar[tuple[str, ...]] = (
        "weights", "intercept", "feature_centre", "feature_scale", "gene_mean", "gene_sd"
    )  # fmt: skip
    weights: Tensor
    intercept: Tensor
    feature_centre: Tensor
    feature_scale: Tensor
    gene_mean: Tensor
    gene_sd: Tensor

    @abstractmethod
    def keep(self, residuals: Tensor, conditions: Conditions) -> None:
        """Keep what `drawn` needs of the leave-one-out residuals (n, genes) float64, z-scored, of training patients."""

    @abstractmethod
    def drawn(self, conditions: Conditions, draws: int, seed: int) -> Iterator[tuple[slice, Tensor]]:
        """Slices of the conditions, in order, with z-scored residuals (patients of the slice, draws, genes)."""

    @classmethod
    def conditions_used(cls, settings: GeneratorSettings) -> frozenset[Condition]:
        """Labels, text and patches: those of them that the cohort has."""
        return frozenset({"labels", "text", "patches"})

    def fit(self, train: Split, validation: Split, *, seed: int, progress: Progress = silent) -> None:
        """Estimate in closed form; the seed has no effect.

        Raises:
            Unavailable: the cohort has neither patches nor the full text.
        """
        conditions = train.conditions
        self.blocks = {"text": TEXT in conditions.text, "patches": conditions.has("patches")}
        if not any(self.blocks.values()):
            raise Unavailable(
                f"needs image patches or clinical text ({TEXT}), but cohort {train.cohort.name} has neither; with "
                "labels alone it would be the class means with resampled residuals"
            )
        self.remember(train)
        self.gene_mean, self.gene_sd = train.standardiser.mean.clone(), train.standardiser.sd.clone()
        parts = self._parts(conditions)
        self.feature_centre, self.feature_scale = _scaling(parts)
        rows = train.standardised.double()
        known = self._known(validation)
        held_out = self._features(validation.conditions.take(known)), validation.standardised[known].double()
        ridge = Ridge.fit(self._features(conditions), rows, held_out)
        self.weights = ridge.weights.float()
        self.intercept = (ridge.intercept - ridge.centre @ ridge.weights).float()
        self.report.facts |= {
            "parameters": self.weights.numel() + self.intercept.numel(),
            "reads": ["labels", *(name for name, there in self.blocks.items() if there)],
            "penalty": ridge.penalty,
            "validation_error": min(ridge.errors.values()),
            "residual_variance": float(ridge.residuals.square().mean()),
        }
        self.keep(ridge.residuals, conditions)

    def sample(self, conditions: Conditions, draws: int = 1, *, seed: int) -> Samples:
        """Predictions plus residuals, (n * draws, genes) in the cohort's unit.

        Raises:
            InputError: a class without training patients.
            Unavailable: conditions without the text or patches that it was fitted with.
        """
        inverse = Standardiser(self.gene_mean, self.gene_sd).inverse
        predicted = self._features(conditions).float() @ self.weights + self.intercept
        expression = np.empty((len(conditions) * draws, len(self.genes)), dtype=np.float32)
        for part, residuals in self.drawn(conditions, draws, seed):
            rows = self.floored(inverse(predicted[part, None] + residuals))
            expression[part.start * draws : part.stop * draws] = rows.flatten(0, 1).cpu().numpy()
        return Samples.of(expression, conditions, draws, self.genes)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Weights and scaling; genes, classes and the kinds of conditions read."""
        tensors, facts = super().state()
        return tensors, {**facts, "blocks": self.blocks}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        super().restore(tensors, facts, device)
        self.blocks = dict(facts["blocks"])

    def _known(self, split: Split) -> Tensor:
        """Indices of the split's patients whose finest class has training patients."""
        there = torch.as_tensor(self.pools.counts > 0, device=split.expression.device)
        return there[split.conditions.finest].nonzero()[:, 0]

    def _parts(self, conditions: Conditions) -> list[Tensor]:
        """Blocks of features (n, width) float64, unscaled: labels, text, patches; NaN where a patient has none."""
        codes = [
            torch.nn.functional.one_hot(conditions.codes(column), len(conditions.classes[column]))
            for column in conditions.label_columns
        ]
        parts = [torch.cat(codes, dim=1).double()]
        for name, ragged in (("text", conditions.text.get(TEXT)), ("patches", conditions.patches)):
            if not self.blocks[name]:
                continue
            if ragged is None:
                raise Unavailable(f"was fitted with {name}, but these conditions have none")
            parts.append(_pooled(ragged, conditions.rows, most=1 if name == "text" else None))
        return parts

    def _features(self, conditions: Conditions) -> Tensor:
        """Scaled features (n, features) float64; what a patient lacks is 0, the training mean."""
        features = torch.cat(self._parts(conditions), dim=1)
        return ((features - self.feature_centre) * self.feature_scale).nan_to_num(0.0)


class ConditionRidge(_RidgeReference):
    """Predictions plus the residual of a training patient of the same finest label.

    A training patient never gets its own residual, unless it is alone in its class. If patches and text explain little
    within a label, a sample is close to the row that supplied its residual.
    """

    kept: ClassVar[tuple[str, ...]] = (*_RidgeReference.kept, "donated")
    donated: Tensor

    def keep(self, residuals: Tensor, conditions: Conditions) -> None:
        """Keep every training patient's residual with its id."""
        self.donated = residuals.float()
        self.owners = {name: row for row, name in enumerate(conditions.ids.tolist())}

    def drawn(self, conditions: Conditions, draws: int, seed: int) -> Iterator[tuple[slice, Tensor]]:
        """Residuals of other training patients."""
        donors = torch.as_tensor(self._donors(conditions, draws, seed), device=self.donated.device)
        for part in _slices(len(conditions)):
            yield part, self.donated[donors[part]]

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The training ids too."""
        tensors, facts = super().state()
        return tensors, {**facts, "training_ids": list(self.owners)}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        super().restore(tensors, facts, device)
        self.owners = {name: row for row, name in enumerate(facts["training_ids"])}

    def _donors(self, conditions: Conditions, draws: int, seed: int) -> NDArray[np.int64]:
        """Training rows (n, draws) of the conditions' finest labels whose residuals are added.

        Twice as many rows as needed are assigned, and a patient's own row is put last among them: two neighbouring
        places of a class of two or more never hold the same row.
        """
        candidates = self.pools.assigned(conditions, 2 * draws, np.random.default_rng(seed))
        own = np.asarray([self.owners.get(name, -1) for name in conditions.ids.tolist()], dtype=np.int64)
        order = np.argsort(candidates == own[:, None], axis=1, kind="stable")
        return np.take_along_axis(candidates, order, axis=1)[:, :draws]


class RidgeCopula(_RidgeReference):
    """Predictions plus a draw of the finest label's Gaussian copula of residuals: no residual is anybody's."""

    copulas: Copulas

    def keep(self, residuals: Tensor, conditions: Conditions) -> None:
        """Fit a copula per class; rare classes share one."""
        self.copulas, shrinkage = Copulas.fit(residuals, self.pools, centred=True)
        self.report.facts |= copula_facts(self.pools, shrinkage)

    def drawn(self, conditions: Conditions, draws: int, seed: int) -> Iterator[tuple[slice, Tensor]]:
        """Draws of the copulas."""
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same rows on any device up to rounding
        codes = torch.as_tensor(self.pools.wanted(conditions), device=self.weights.device)
        for part in _slices(len(conditions)):
            residuals = self.copulas.draw(codes[part].repeat_interleave(draws), generator)
            yield part, residuals.reshape(-1, draws, len(self.genes))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The copulas too."""
        tensors, facts = super().state()
        return tensors | self.copulas.tensors, facts

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], device: torch.device) -> None:
        """The inverse of `state`."""
        super().restore(tensors, facts, device)
        self.copulas = Copulas.of(tensors, device)


def _slices(patients: int) -> Iterator[slice]:
    """Consecutive slices of at most `CHUNK` patients."""
    for start in range(0, patients, CHUNK):
        yield slice(start, min(start + CHUNK, patients))


def _scaling(parts: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Means and factors (features,) that z-score all blocks but the first and give each block unit mean square."""
    centres, factors = [], []
    for number, part in enumerate(parts):
        centre = part.nanmean(0).nan_to_num(0.0)
        variance = (part - centre).square().nanmean(0).nan_to_num(0.0)
        safe = variance.where(variance > 1e-12, torch.inf)
        kept = variance.where(variance > 1e-12, 0.0)
        total = kept.sum() if number == 0 else (kept > 0).sum()
        each = torch.ones_like(safe) if number == 0 else safe.rsqrt()
        centres.append(centre)
        factors.append(each / total.clamp_min(1e-12).sqrt())
    return torch.cat(centres), torch.cat(factors)


def _pooled(ragged: RaggedTensor, rows: Tensor, most: int | None) -> Tensor:
    """Mean (n, width) float64 of each patient's first `most` rows; NaN for a patient that has none."""
    means = []
    for start in range(0, len(rows), CHUNK):
        values, mask = ragged.padded(rows[start : start + CHUNK], most)
        means.append(values.double().sum(1) / (~mask).sum(1, keepdim=True))
    return torch.cat(means) if means else torch.zeros((0, ragged.width), dtype=torch.float64, device=rows.device)

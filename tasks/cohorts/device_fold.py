"""A fold's data on one device, put there once and shared by every cell on that fold."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.conditions import Conditions, RaggedTensor
from gexbench.tasks.cohorts.folds import ROLES, Fold, places_of, rows_of, share_of
from gexbench.tasks.cohorts.mapped_files import is_mapped
from gexbench.tasks.cohorts.mapped_rows import fits
from gexbench.tasks.cohorts.split import CohortFacts, CountLayer, Split, Standardiser
from gexbench.tasks.cohorts.vocabulary import PatchPlace


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFold:
    """Training and validation splits, and the conditions of patients whose expression stays hidden.

    Generators see opaque ids (`Fold.opaque`), in hashed order, and so no barcode, site or place in the cohort.

    Attributes:
        fold: the ids; train, validation: of the patients that a generator is fitted on, all of the fold's or a share;
            for the ceiling, audit patients stand in the place of validation patients.
        test_conditions: of the test patients; train_conditions: of all the fold's training patients.
    """

    fold: Fold
    train: Split
    validation: Split
    test_conditions: Conditions
    train_conditions: Conditions

    def names_of(self, conditions: Conditions) -> NDArray[np.str_]:
        """Sample ids of conditions of this fold, (n,)."""
        everyone = [name for role in ROLES for name in getattr(self.fold, role)]
        known = dict(zip(self.fold.opaque(everyone).tolist(), everyone, strict=True))
        return np.array([known.get(name, name) for name in conditions.ids.tolist()])

    def named(self) -> "DeviceFold":
        """The same with sample ids, for a generator that finds patients by them."""

        def of(conditions: Conditions) -> Conditions:
            return replace(conditions, ids=self.names_of(conditions))

        return DeviceFold(
            self.fold,
            replace(self.train, conditions=of(self.train.conditions)),
            replace(self.validation, conditions=of(self.validation.conditions)),
            of(self.test_conditions),
            of(self.train_conditions),
        )

    def checksum(self, shared: int | None = None) -> int:
        """CRC-32 over every tensor of the fold: it changes when a generator writes to its inputs.

        Args:
            shared: `checksum_of` the text and patches that the fold shares with others, when known.
        """
        splits = (self.train, self.validation)
        everyone = (self.train.conditions, self.validation.conditions, self.test_conditions, self.train_conditions)
        tensors = [
            *(tensor for split in splits for tensor in (split.expression, split.standardised)),
            *(tensor for split in splits for tensor in (split.standardiser.mean, split.standardiser.sd)),
            *(tensor for given in everyone for tensor in (given.labels, given.rows)),
        ]
        return _crc(tensors, checksum_of(self.train.conditions) if shared is None else shared)


def checksum_of(conditions: Conditions) -> int:
    """CRC-32 over the text and patches of everyone; patches that stay in their file cannot be written to."""
    shared = [ragged for _, ragged in sorted(conditions.text.items())]
    shared += [] if conditions.patches is None else [conditions.patches]
    held = [ragged.values for ragged in shared if isinstance(ragged.values, Tensor)]
    return _crc([*held, *(places for ragged in shared for places in (ragged.starts, ragged.counts))], 0)


def _crc(tensors: Sequence[Tensor], value: int) -> int:
    for tensor in tensors:
        value = zlib.crc32(np.ascontiguousarray(tensor.cpu().numpy()).reshape(-1).view(np.uint8).data, value)
    return value


def put_on_device(
    cohort: Cohort,
    fold: Fold,
    device: torch.device | str = "cpu",
    *,
    fingerprint: str = "",
    conditions: Conditions | None = None,
    train_fraction: float = 1.0,
    audit: bool = False,
    patches: PatchPlace = "auto",
) -> DeviceFold:
    """Expression (z-scored with training statistics), labels, tokens and patches of one fold for the device.

    Args:
        cohort: the cohort; with `conditions`, those patients are enough whose expression is given.
        fold: its ids.
        device: where the tensors live.
        fingerprint: the cohort's, when known; else it is computed.
        conditions: `all_conditions` of the whole cohort on the device, when other folds already share them.
        train_fraction: share of the training and validation patients that generators are fitted on (`share_of`);
            the statistics of the z-scores are theirs too.
        audit: give the audit patients in the place of the validation patients, to the ceiling alone.
        patches: as in `all_conditions`, which is called without `conditions`.
    """
    device = torch.device(device)
    everyone = conditions or all_conditions(cohort, device, patches)
    facts = CohortFacts(cohort.name, fingerprint or cohort.fingerprint(), cohort.unit, cohort.provenance)
    given = replace(fold, validation=fold.audit) if audit else fold
    shared = given if train_fraction == 1.0 else share_of(given, cohort, train_fraction)
    fitted = replace(shared, validation=fold.audit) if audit else shared
    rows = {part: rows_of(cohort, getattr(fitted, part)) for part in ("train", "validation")}

    def seen(ids: tuple[str, ...]) -> Conditions:
        return replace(everyone.take(places_of(cohort.name, everyone.ids, ids)), ids=fold.opaque(ids))

    expression = {
        part: torch.from_numpy(np.ascontiguousarray(cohort.expression[at])).to(device) for part, at in rows.items()
    }
    standardiser = Standardiser.fit(expression["train"])
    train, validation = (
        Split(
            expression=values,
            standardised=standardiser.forward(values),
            standardiser=standardiser,
            conditions=seen(getattr(fitted, part)),
            genes=cohort.genes,
            cohort=facts,
            counts=None if cohort.counts is None else CountLayer(cohort.counts, rows[part]),
        )
        for part, values in expression.items()
    )
    known = train.conditions if fitted.train == fold.train else seen(fold.train)
    return DeviceFold(fold, train, validation, seen(fold.test), known)


def all_conditions(cohort: Cohort, device: torch.device, patches: PatchPlace = "auto") -> Conditions:
    """Conditions of every sample of the cohort, on the device. Text and patches are kept in hashed order of the ids.

    Args:
        cohort: the cohort.
        device: where the tensors live.
        patches: whether the patches are held there or stay in the cohort's file and are read batch by batch, which
            gives the same bits; those of a cohort that was made in memory are held in any case.
    """
    classes = {column: tuple(np.unique(cohort.labels(column)).tolist()) for column in cohort.label_columns}
    codes = [np.searchsorted(classes[column], cohort.labels(column)) for column in cohort.label_columns]
    values = None if cohort.patches is None else cohort.patches.values
    order = hash_order("place", cohort.samples)
    placed = partial(RaggedTensor.of, device=device, order=order)
    streamed = values is not None and is_mapped(values) and _streams(patches, values.nbytes, device)
    return Conditions(
        ids=cohort.samples,
        label_columns=cohort.label_columns,
        classes=classes,
        labels=torch.from_numpy(np.stack(codes, axis=1).astype(np.int64)).to(device),
        text={variant: placed(ragged) for variant, ragged in cohort.text.items()},
        patches=None if cohort.patches is None else placed(cohort.patches, held=not streamed),
        rows=torch.from_numpy(np.argsort(order)).to(device),
    )


def _streams(place: PatchPlace, size: int, device: torch.device) -> bool:
    return place == "streamed" or (place == "auto" and not fits(size, device))

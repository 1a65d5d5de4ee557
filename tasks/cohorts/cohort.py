"""The cohort container: patients × genes with conditions, aligned by patient, immutable."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.mapped_files import release
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError, examples

TEXT_VARIANTS = ("full", "plain")
MINIMUM_CLASS_SIZE = 25
"""Smaller classes stay in training and fidelity metrics, but are left out of the classification of their label."""
_HASHED_BYTES = 16 * 2**20
"""Bytes hashed at once: of a mapped file no more is held."""


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """Rows of unequal number per patient: `values[offsets[i]:offsets[i + 1]]` belong to patient i.

    `values` is (total, width), float16 or float32, and may be a mapped file; `offsets` is (patients + 1,), int64.
    """

    values: NDArray[np.floating[Any]]
    offsets: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.offsets.ndim != 1:
            raise ValueError("values must be (rows, width) and offsets (patients + 1,)")
        if self.offsets[0] != 0 or self.offsets[-1] != len(self.values) or (np.diff(self.offsets) < 0).any():
            raise ValueError("offsets must rise from 0 to the number of rows")

    @property
    def counts(self) -> NDArray[np.int64]:
        """Rows per patient, shape (patients,)."""
        return np.diff(self.offsets)

    @property
    def width(self) -> int:
        """Width of one row."""
        return int(self.values.shape[1])

    def take(self, patients: NDArray[np.intp]) -> "Ragged":
        """The rows of the given patients, in their order."""
        counts = self.counts[patients]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        rows = np.repeat(self.offsets[:-1][patients] - offsets[:-1], counts) + np.arange(offsets[-1])
        return Ragged(self.values[rows], offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Patients × genes, named and aligned by row; immutable.

    Attributes:
        name: matches `[a-z0-9][a-z0-9._-]{0,63}`.
        unit: unit of `expression`.
        expression: (n, genes) float32, finite, not below the unit's floor.
        genes: (genes,) unique names.
        samples: (n,) unique sample ids; for one sample per patient these are patient ids.
        groups: (n,) patient of each sample; folds never split a group.
        clinical: n rows indexed by sample; holds the label columns and any other column.
        label_columns: columns of `clinical` used as conditions, finest first.
        patches: image patch embeddings, (n_i, d) per sample in the order of their seeded draw, or None.
        text: variant (`full`, `plain`) → token embeddings, token 0 the summary; empty without text.
        site_column: column of `clinical` naming the tissue-source site, or None.
        provenance: JSON-able facts on where the data come from.
        counts: (n, genes) int32 read counts beside an expression in another unit, or None.
    """

    name: str
    unit: Unit
    expression: NDArray[np.float32]
    genes: tuple[str, ...]
    samples: NDArray[np.str_]
    groups: NDArray[np.str_]
    clinical: pd.DataFrame
    label_columns: tuple[str, ...]
    patches: Ragged | None
    text: Mapping[str, Ragged]
    site_column: str | None
    provenance: Mapping[str, Any]
    counts: NDArray[np.int32] | None = None

    def __post_init__(self) -> None:
        n = len(self.samples)
        if self.expression.shape != (n, len(self.genes)):
            raise InputError(
                f"cohort {self.name}: expression is {self.expression.shape}, expected {(n, len(self.genes))}"
            )
        if self.counts is not None and self.counts.shape != self.expression.shape:
            raise InputError(f"cohort {self.name}: counts are {self.counts.shape}, expected {self.expression.shape}")
        if len(self.groups) != n or len(self.clinical) != n:
            raise InputError(f"cohort {self.name}: groups and clinical must have {n} rows like the expression")
        if list(self.clinical.index) != list(self.samples):
            raise InputError(f"cohort {self.name}: clinical rows are not in the order of the samples")
        missing = [column for column in self.label_columns if column not in self.clinical]
        if missing or not self.label_columns:
            raise InputError(f"cohort {self.name}: no label column {examples(missing) or 'given'}")
        for kind, ragged in [("patches", self.patches), *self.text.items()]:
            if ragged is not None and len(ragged.offsets) != n + 1:
                raise InputError(f"cohort {self.name}: {kind} cover {len(ragged.offsets) - 1} of {n} samples")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def finest_label(self) -> str:
        """The label column that Gaussians, mixtures, means and copies condition on."""
        return self.label_columns[0]

    def labels(self, column: str) -> NDArray[np.str_]:
        """Class names of one label column, shape (n,)."""
        return np.asarray(self.clinical[column].to_numpy(dtype=str))

    def small_classes(self, column: str, least: int = MINIMUM_CLASS_SIZE) -> tuple[str, ...]:
        """Classes with fewer than `least` patients, sorted."""
        names, sizes = np.unique(self.labels(column), return_counts=True)
        return tuple(str(name) for name in names[sizes < least])

    def take(self, rows: NDArray[np.intp], name: str | None = None) -> "Cohort":
        """A cohort of the given rows, in their order."""
        return Cohort(
            name=name or self.name,
            unit=self.unit,
            expression=self.expression[rows],
            genes=self.genes,
            samples=self.samples[rows],
            groups=self.groups[rows],
            clinical=self.clinical.iloc[rows],
            label_columns=self.label_columns,
            patches=None if self.patches is None else self.patches.take(rows),
            text={variant: ragged.take(rows) for variant, ragged in self.text.items()},
            site_column=self.site_column,
            provenance=self.provenance,
            counts=None if self.counts is None else self.counts[rows],
        )

    def without_conditions(self) -> "Cohort":
        """The cohort without text and patches."""
        return replace(self, patches=None, text={})

    def fingerprint(self) -> str:
        """SHA-256 over names, unit, order, expression, labels, sites, counts, text and patches (hexadecimal).

        Order and column names count: swapping two genes or two patients changes it.
        """
        digest = hashlib.sha256()
        header = {
            "unit": self.unit.name,
            "genes": list(self.genes),
            "samples": self.samples.tolist(),
            "groups": self.groups.tolist(),
            "labels": {column: self.labels(column).tolist() for column in self.label_columns},
            "sites": None if self.site_column is None else self.labels(self.site_column).tolist(),
        }
        digest.update(json.dumps(header, sort_keys=True).encode())
        _update(digest, "expression", self.expression)
        if self.counts is not None:
            _update(digest, "counts", self.counts)
        for kind, ragged in sorted([("patches", self.patches), *self.text.items()]):
            if ragged is not None:
                _update(digest, f"{kind}.offsets", ragged.offsets)
                _update(digest, f"{kind}.values", ragged.values)
        return digest.hexdigest()


def _update(digest: "hashlib._Hash", name: str, array: NDArray[Any]) -> None:
    digest.update(f"{name}:{array.dtype.str}:{array.shape}".encode())
    rows = max(1, _HASHED_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        digest.update(np.ascontiguousarray(array[start : start + rows]).data)
        release(array)

"""The card of a cohort: contents, missing values, and label leakage through its clinical texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import MINIMUM_CLASS_SIZE, Cohort, Ragged
from gexbench.tasks.cohorts.dealing import FOLD_SEED, PARTS, deal_patients
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.files.gene_columns import FOLD_COLUMNS
from gexbench.tasks.text.clinical_text import is_absent, text_columns, unrecorded_fields

_ROWS = 256
Leak = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Card:
    """Facts on a cohort.

    Attributes:
        floor_fraction: share of values at the unit's floor; of a unit without one the share of zeros.
        classes: label column → class → patients, largest first.
        small_classes: label column → classes with fewer than 25 patients, left out of its classification.
        missing: clinical column → samples without a value; a class called `None` or `Unknown` is a value.
        modalities: modality → samples that have it, rows, width, median rows per sample.
        text_columns: text variant → columns it is written from.
        unrecorded: text variant → its fields that no sample has a value for.
        label_leak: text variant → label column → balanced accuracy, see `label_leak`.
        chance: label column → balanced accuracy of the majority class.
    """

    name: str
    samples: int
    patients: int
    genes: int
    unit: str
    floor_fraction: float
    classes: Mapping[str, Mapping[str, int]]
    small_classes: Mapping[str, tuple[str, ...]]
    sites: int | None
    missing: Mapping[str, int]
    modalities: Mapping[str, Mapping[str, int]]
    text_columns: Mapping[str, tuple[str, ...]]
    unrecorded: Mapping[str, tuple[str, ...]]
    label_leak: Leak
    chance: Mapping[str, float]
    fingerprint: str
    provenance: Mapping[str, Any]


def card(cohort: Cohort, fingerprint: str | None = None, progress: Callable[[int, int], None] | None = None) -> Card:
    """The card of a cohort; label leakage is read from the provenance of a built cohort, or else computed.

    Args:
        cohort: any cohort.
        fingerprint: when known; else computed.
        progress: called as the leak is computed.
    """
    owners = pd.Series(cohort.groups, index=cohort.clinical.index)
    sizes = {
        label: owners.groupby(cohort.clinical[label]).nunique().sort_values(ascending=False, kind="stable")
        for label in cohort.label_columns
    }
    known = cohort.provenance.get("text", {}) if cohort.provenance.get("kind") == "imported" else {}
    ragged = {"patches": cohort.patches, **{f"text ({name})": tokens for name, tokens in cohort.text.items()}}
    return Card(
        name=cohort.name,
        samples=len(cohort),
        patients=len(np.unique(cohort.groups)),
        genes=len(cohort.genes),
        unit=cohort.unit.name,
        floor_fraction=_floor_fraction(cohort.expression, cohort.unit),
        classes={label: {str(name): int(size) for name, size in of.items()} for label, of in sizes.items()},
        small_classes={label: tuple(of.index[of < MINIMUM_CLASS_SIZE]) for label, of in sizes.items()},
        sites=None if cohort.site_column is None else cohort.clinical[cohort.site_column].nunique(),
        missing={
            str(column): int((pd.isna if column in cohort.label_columns else is_absent)(cohort.clinical[column]).sum())
            for column in cohort.clinical
            if column not in FOLD_COLUMNS
        },
        modalities={name: _size(given) for name, given in ragged.items() if given is not None},
        text_columns={variant: text_columns(cohort.clinical, variant) for variant in cohort.text},
        unrecorded={variant: unrecorded_fields(cohort.clinical, variant) for variant in cohort.text},
        label_leak=known["label_leak"] if "label_leak" in known else label_leak(cohort, progress),
        chance={label: 1 / max(int((of >= MINIMUM_CLASS_SIZE).sum()), 1) for label, of in sizes.items()},
        fingerprint=fingerprint or cohort.fingerprint(),
        provenance=cohort.provenance,
    )


def _floor_fraction(values: NDArray[np.float32], unit: Unit) -> float:
    """Share of values at the unit's floor (of a unit without one: of zeros), a block of rows at a time."""
    floor = np.float32(unit.floor or 0.0)
    blocks = (values[start : start + _ROWS] for start in range(0, len(values), _ROWS))
    return sum(int((block == floor).sum()) for block in blocks) / values.size if values.size else 0.0


def label_leak(cohort: Cohort, progress: Callable[[int, int], None] | None = None) -> Leak:
    """Balanced accuracy, in [0, 1], with which each text variant's tokens tell each label: 1 gives it away.

    Five folds of patients; logistic regression (C 1, classes weighted equally) on the summary and the mean of the
    tokens, standardised on the training folds; classes with fewer than 25 patients take no part.
    """
    places = [(variant, label) for variant in cohort.text for label in cohort.label_columns]
    leak: Leak = {variant: {} for variant in cohort.text}
    dealt = deal_patients(dict(zip(cohort.groups.tolist(), cohort.labels(cohort.finest_label), strict=True)), FOLD_SEED)
    parts = np.asarray([dealt[group] for group in cohort.groups.tolist()])
    for done, (variant, label) in enumerate(places, start=1):
        features = _pooled(cohort.text[variant])
        labels = cohort.labels(label)
        used = ~np.isin(labels, cohort.small_classes(label))
        leak[variant][label] = round(_balanced_accuracy(features[used], labels[used], parts[used]), 4)
        if progress:
            progress(done, len(places))
    return leak


def _pooled(tokens: Ragged) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Summary and mean of the tokens, (n, 2 · width)."""
    values = tokens.values.astype(np.float64)
    sums = np.add.reduceat(values, tokens.offsets[:-1], axis=0)
    return np.concatenate([values[tokens.offsets[:-1]], sums / tokens.counts[:, None]], axis=1)


def _balanced_accuracy(features: Any, labels: Any, parts: Any) -> float:
    """Pooled over the five folds. Equal texts of one class are fitted once, with their number as weight."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    distinct, text = np.unique(features, axis=0, return_inverse=True)
    classes, codes = np.unique(labels, return_inverse=True)
    predicted = np.zeros(len(labels), dtype=int)
    for part in range(PARTS):
        train, test = parts != part, parts == part
        if len(np.unique(codes[train])) < 2 or not test.any():
            predicted[test] = np.bincount(codes[train]).argmax() if train.any() else 0
            continue
        pairs, number = np.unique(np.stack([text[train], codes[train]]), axis=1, return_counts=True)
        weight = number / np.bincount(codes[train], minlength=len(classes))[pairs[1]]
        weight *= train.sum() / len(classes)
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
        # The products are small: threads would wait for one another, ten times as long beside other work.
        with threadpool_limits(1):
            model.fit(distinct[pairs[0]], pairs[1], logisticregression__sample_weight=weight)
            predicted[test] = model.predict(distinct)[text[test]]
    return float(balanced_accuracy_score(codes, predicted))


def _size(ragged: Ragged) -> dict[str, int]:
    counts = ragged.counts
    return {
        "samples": int((counts > 0).sum()),
        "rows": len(ragged.values),
        "width": ragged.width,
        "median_rows": int(np.median(counts)) if len(counts) else 0,
    }

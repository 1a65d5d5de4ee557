"""Generators that were fitted on a share of the training patients: what their rows add to the few real ones."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.gates import COPIES, COPY_METRICS, worst_share
from gexbench.leaderboards.comparing.grid import MISSING
from gexbench.leaderboards.records.model import Record
from gexbench.leaderboards.records.parts import DEFAULT
from gexbench.leaderboards.statistics import FloatArray, fold_mean, half_width
from gexbench.tasks.panel.protocols import PROTOCOLS

MEASURES = ("tstr_lr_accuracy", "scarce_accuracy", "scarce_gain", "recall_genes", "coverage_genes", "detection_xgb")
"""Metrics of the section; of one per label, the finest label."""

LEGEND = (
    "Generators fitted on a share of the training patients of every class (at least 5), with the same share of the "
    "validation patients to stop by; smaller shares lie within larger ones. Then they make a row of every training "
    "patient from its conditions. Real rows alone: logistic regression on the few real training rows, of all patients "
    "TRTR; with synthetic rows: on both; TSTR: on the synthetic rows alone. ± is the half-width of the 95 % interval "
    "over folds. Copies: the largest share that the copy gate (5 %) takes for copies of any training or validation "
    "rows; the gate itself judges no generator of few patients. These rows take no rank."
)
REAL_ONLY = "real_only_accuracy"
COLUMNS = (
    "generator",
    "train_fraction",
    "samples",
    "cells",
    "cells_ok",
    "notes",
    *(f"{name}{end}" for name in (REAL_ONLY, *MEASURES) for end in ("", "_half_width")),
)


def scarce_rows(records: Sequence[Record]) -> pd.DataFrame:
    """Every generator with a record of a share: its shares and, to compare, the fit on all patients.

    Args:
        records: of one table, of all shares.

    Returns:
        One row per generator and share, by name and falling share: train_fraction, samples (mean number that the
        generator was fitted on), cells (of the folds and seeds that the generator has with any share), cells_ok, notes
        (how the others ended), and means over folds with 95 % half-widths: real_only_accuracy
        (logistic regression on the real rows of these patients alone; of all: TRTR) and `MEASURES`; NaN where no
        finished cell has the value. The half-widths take the number of fitted patients as that of training.
        copy_share is that of the table of all patients (`worst_share`).
    """
    names = {record.generator.full_name for record in records if record.train_fraction < 1.0}
    groups: dict[tuple[str, float], list[Record]] = {}
    places: dict[str, set[tuple[int, int]]] = {}
    for record in records:
        name, fold, repeat = record.cell
        if name in names and record.generator.variant == DEFAULT:
            groups.setdefault((name, record.train_fraction), []).append(record)
            places.setdefault(name, set()).add((fold, repeat))
    ordered = sorted(groups, key=lambda place: (place[0], -place[1]))
    rows = [_row(name, share, groups[name, share], places[name]) for name, share in ordered]
    # Pages without this section, published ones among them, list the columns of an empty frame.
    return pd.DataFrame(rows, columns=[*COLUMNS, COPIES] if rows else list(COLUMNS))


def _row(
    generator: str, fraction: float, records: Sequence[Record], places: AbstractSet[tuple[int, int]]
) -> dict[str, object]:
    finished = [record for record in records if record.state == "ok"]
    fitted = [_fitted(record) for record in finished]
    row: dict[str, object] = {
        "generator": generator,
        "train_fraction": fraction,
        "samples": float(np.mean(fitted)) if fitted else np.nan,
        "cells": len(places),
        "cells_ok": len(finished),
        "notes": "; ".join(_endings(records, places)),
    }
    tests = [record.fold.test for record in finished]
    ratio = float(np.mean(tests) / np.mean(fitted)) if fitted else 1.0
    values = {name: [_value(record, name) for record in finished] for name in MEASURES}
    for name, found in {REAL_ONLY: [_real_only(record) for record in finished], **values}.items():
        means = _by_fold(finished, found)
        row[name], row[f"{name}_half_width"] = float(fold_mean(means)[0]), float(half_width(means, ratio)[0])
    shares = {
        name: fold_mean(_by_fold(finished, [_value(record, name) for record in finished])) for name in COPY_METRICS
    }
    reference = np.array([any(record.generator.reference for record in records)])
    row[COPIES] = float(worst_share(shares, reference)[0])
    return row


def _endings(records: Sequence[Record], places: AbstractSet[tuple[int, int]]) -> list[str]:
    """How every cell ended that has no scores."""
    found = {(record.fold.index, record.repeat): record for record in records}
    texts = []
    for fold, repeat in sorted(places):
        record = found.get((fold, repeat))
        if record is None or record.state != "ok":
            reason = MISSING if record is None else f"{record.state} ({record.reason or 'no reason given'})"
            texts.append(f"fold {fold} seed {repeat} {reason}")
    return texts


def _by_fold(records: Sequence[Record], values: Sequence[float]) -> FloatArray:
    """Seeds averaged within a fold: (1, folds), at least one column."""
    series = pd.Series(values, index=[record.fold.index for record in records], dtype=float)
    means: FloatArray = series.groupby(level=0).mean().to_numpy(dtype=float)
    return means[None, :] if len(means) else np.full((1, 1), np.nan)


def _fitted(record: Record) -> float:
    return float(record.fold.train if record.fitted is None else record.fitted)


def _real_only(record: Record) -> float:
    if record.train_fraction < 1.0:
        return float(record.extra.get("scarce_real_only_accuracy", np.nan))
    return float(record.reference_values.get("trtr", {}).get(_key("tstr_lr_accuracy", record), np.nan))


def _value(record: Record, name: str) -> float:
    measured = record.metrics.get(_key(name, record))
    return np.nan if measured is None or measured.value is None else measured.value


def _key(name: str, record: Record) -> str:
    """The record's key of a metric; of a metric per label, of the finest label."""
    per_label = PROTOCOLS[record.protocol].lookup(name).per_label
    return f"{name}[{record.cohort.label_columns[0]}]" if per_label else name

"""The page's data: every frame of a leaderboard, and what the records say about each row, as JSON."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.notes import shortened
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.pages.html_labels import readable
from gexbench.leaderboards.pages.html_markup import Markup
from gexbench.leaderboards.records import Record
from gexbench.leaderboards.records.logs import STEP, quantities
from gexbench.tasks.files.plain_text import plain

SCHEMA = 1
DIGITS = 6
"""Significant digits of the numbers; leaderboard.csv has more."""

LONGEST_CURVE = 50
CURVE_DIGITS = 4
_IN_JSON = {ord(mark): f"\\u{ord(mark):04x}" for mark in "<>&\u2028\u2029"}


def embedded(board: Leaderboard, records: Sequence[Record], logs: Mapping[str, pd.DataFrame]) -> Markup:
    """The data as JSON that no parser of HTML or of scripts takes for anything else."""
    text = json.dumps(page_data(board, records, logs), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.translate(_IN_JSON))


def page_data(board: Leaderboard, records: Sequence[Record], logs: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """All frames by column, metrics and differences by key, and the details of each row.

    Args:
        board: made from these records.
        records: in any order.
        logs: training logs by row; of a curve that a record holds too, the log is taken, since it knows the steps.

    Returns:
        Plain JSON values: numbers to `DIGITS` significant digits, None for NaN, text on one line; integers that a
        script's number cannot hold (seeds) as text. Generators are numbered in table order; `comparisons` and
        `ablations` hold pairs once and the numbers of every measure in their order.
    """
    names = list(board.rows["generator"])
    data = {
        "schema": SCHEMA,
        "header": asdict(board.header),
        "families": board.families,
        "rows": _columns(board.rows),
        "metrics": {
            str(key): _columns(mine.drop(columns=["generator", "key", "family"]))
            for key, mine in board.metrics.groupby("key", sort=False)
        },
        "comparisons": _differences(board.comparisons, ("generator", "against", "role")),
        **({} if board.patient_level.empty else {"patient_level": _columns(board.patient_level)}),
        "ablations": _differences(board.ablations, ("question", "generator", "against")),
        "scarce": _columns(board.scarce),
        **({} if board.anchors.empty else {"anchors": _columns(board.anchors)}),
        "resources": _columns(board.resources),
        "settings": _columns(board.settings),
        "absent": _columns(board.absent),
        "notes": board.notes,
        "remarks": board.remarks,
        "details": [
            _details([record for record in _whole(records) if record.generator.full_name == name], logs.get(name))
            for name in names
        ],
        "labels": {measure: readable(board.protocol, measure) for measure in _measures(records)},
    }
    found: dict[str, Any] = _plain(data)
    return found


def _whole(records: Iterable[Record]) -> list[Record]:
    """Records of fits on all patients, in the order of fold and seed."""
    return sorted((r for r in records if r.train_fraction == 1.0), key=lambda r: (r.fold.index, r.repeat))


def _columns(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(name): frame[name].tolist() for name in frame.columns}


def _differences(frame: pd.DataFrame, pair: Sequence[str]) -> dict[str, Any]:
    """`pairs` and, by measure, difference, half_width, p and p_holm in the order of the pairs."""
    if frame.empty:
        return {"pairs": [], "measures": {}}
    groups = dict(list(frame.groupby("measure", sort=False)))
    first = next(iter(groups.values()))
    numbers = ["difference", "half_width", "p", "p_holm"]
    return {
        "pairs": _columns(first[list(pair)]),
        "measures": {str(measure): _columns(mine[numbers]) for measure, mine in groups.items()},
    }


def _measures(records: Iterable[Record]) -> list[str]:
    """Every measure that some record has by class."""
    return sorted({name for record in records for name in record.per_class})


def _details(records: Sequence[Record], log: pd.DataFrame | None) -> dict[str, Any]:
    """What the records of one row say beyond the frames, without its failures' tracebacks."""
    return {
        "settings": _varying([record.generator.settings for record in records]),
        "versions": _varying([record.versions for record in records]),
        "hardware": _varying([record.hardware.model_dump() for record in records]),
        "cells": [_cell(record) for record in records],
        "curves": _curves(records, log),
        "per_class": _per_class(records),
    }


def _cell(record: Record) -> dict[str, Any]:
    return {
        "fold": record.fold.index,
        "seed": record.repeat,
        "state": record.state,
        "reason": shortened(record.reason or ""),
        "record": record.place,
        "seeds": {name: str(seed) for name, seed in record.seeds.model_dump(exclude_none=True).items()},
        "cpu_times_s": record.cpu_times_s.model_dump(exclude_none=True),
        "times_s": record.times_s.model_dump(exclude_none=True),
        "peak_memory_bytes": record.peak_memory_bytes.model_dump(exclude_none=True),
        "device": record.device,
        "suite": record.suite.version,
        "commit": record.suite.commit,
        "warnings": [shortened(text) for text in record.warnings],
    }


def _varying(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Name → value, or every value in the order of the cells where they differ."""
    names = sorted({str(name) for values in found for name in values})
    texts = {name: dict.fromkeys(_setting(values.get(name)) for values in found) for name in names}
    return {name: " / ".join(values) for name, values in texts.items()}


def _setting(value: object) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def _curves(records: Sequence[Record], log: pd.DataFrame | None) -> dict[str, list[dict[str, Any]]]:
    """Curve → fold, seed, state, at most `LONGEST_CURVE` of its values, and from a log the steps they were taken at."""
    found: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    for record in records:
        cell = {"fold": record.fold.index, "seed": record.repeat, "state": record.state}
        for name, values in sorted(record.curves.items()):
            taken = _thinned(values)
            if any(value is not None for value in taken):
                of_name = found.setdefault(name, {})
                of_name[record.fold.index, record.repeat] = cell | {"values": [_rounded(value) for value in taken]}
    for name, cells in _logged(log).items():
        found.setdefault(name, {}).update(cells)
    return {name: [cells[place] for place in sorted(cells)] for name, cells in found.items()}


def _logged(log: pd.DataFrame | None) -> dict[str, dict[tuple[int, int], dict[str, Any]]]:
    """The same from a row's training log, by fold and seed."""
    if log is None:
        return {}
    curves: dict[str, dict[tuple[int, int], dict[str, Any]]] = {}
    for name in quantities(log):
        for (fold, seed, state), mine in log.groupby(["fold", "seed", "state"], sort=True):
            taken = mine.loc[mine[name].notna() & mine[STEP].notna(), [STEP, name]].sort_values(STEP)
            if taken.empty:
                continue
            steps, values = (_thinned(list(map(_finite, taken[column]))) for column in (STEP, name))
            curves.setdefault(name, {})[int(fold), int(seed)] = {
                "fold": int(fold),
                "seed": int(seed),
                "state": str(state),
                "steps": [None if step is None else round(step) for step in steps],
                "values": [_rounded(value) for value in values],
            }
    return curves


def _thinned(values: Sequence[float | None]) -> Sequence[float | None]:
    """At most `LONGEST_CURVE` of the values, evenly spaced, first and last among them."""
    if len(values) <= LONGEST_CURVE:
        return values
    at = np.linspace(0, len(values) - 1, LONGEST_CURVE).round().astype(int)
    return [values[place] for place in at]


def _rounded(value: float | None) -> float | None:
    """To the digits that a small drawing can show."""
    return None if value is None else float(f"{value:.{CURVE_DIGITS}g}")


def _per_class(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Measure → class → mean over finished cells; the finest label of a measure first."""
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        if record.state != "ok":
            continue
        for measure, values in record.per_class.items():
            for name, value in values.items():
                found.setdefault(measure, {}).setdefault(name, []).append(value)
    labels = records[0].cohort.label_columns if records else ()

    def place(measure: str) -> tuple[str, int, str]:
        name, _, rest = measure.partition("[")
        label = rest.removesuffix("]")
        return name, labels.index(label) if label in labels else len(labels), measure

    return {
        measure: {name: float(np.mean(found[measure][name])) for name in sorted(found[measure])}
        for measure in sorted(found, key=place)
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(str(name)): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if value is None or value is pd.NA:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value) if abs(int(value)) < 2**53 else str(value)
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None

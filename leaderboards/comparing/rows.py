"""Frames with a row per generator: raw values and scores, cost, settings."""

from collections.abc import Callable, Sequence
from operator import attrgetter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.comparing.normalisation import Scored
from gexbench.leaderboards.records import Record
from gexbench.leaderboards.statistics import fold_mean, half_width

_PHASES = ("fit", "sample", "score")


def resources_of(grid: Grid) -> pd.DataFrame:
    """Cells, finished cells, mean CPU and wall seconds by phase and the largest peak memory, per generator.

    Means and maxima are over finished cells; NaN where there is none.
    """
    cells = [np.flatnonzero(grid.generator == number) for number in range(len(grid.generators))]
    finished = [[r for cell in mine if (r := grid.records[cell]) is not None and r.state == "ok"] for mine in cells]
    columns: dict[str, list[object]] = {
        "generator": list(grid.generators),
        "cells": [len(mine) for mine in cells],
        "cells_ok": [len(mine) for mine in finished],
    }
    for phase in _PHASES:
        for kind, field in (("cpu", "cpu_times_s"), ("wall", "times_s")):
            columns[f"{phase}_{kind}_s"] = [_summary(mine, f"{field}.{phase}", np.mean) for mine in finished]
    for side in ("host", "device"):
        field = f"peak_memory_bytes.{side}"
        columns[f"peak_{side}_memory_bytes"] = [_summary(mine, field, np.max) for mine in finished]
    return pd.DataFrame(columns)


def _summary(records: list[Record], field: str, summarise: Callable[[list[float]], float]) -> float:
    found = [float(value) for value in map(attrgetter(field), records) if value is not None]
    return float(summarise(found)) if found else float("nan")


def metrics_of(grid: Grid, points: Scored, order: NDArray[np.int64], share: float) -> pd.DataFrame:
    """Of every generator in this order and metric key: folds, value, half_width, score, score_half_width."""
    frames, means = [], grid.by_fold(grid.values)
    for at, (key, spec) in enumerate(zip(grid.keys, grid.specifications, strict=True)):
        raw, score = means[order, :, at], points.metrics[order, :, at]
        frames.append(
            pd.DataFrame(
                {
                    "generator": [grid.generators[number] for number in order],
                    "key": key,
                    "family": spec.family,
                    "folds": (~np.isnan(raw)).sum(axis=1),
                    "value": fold_mean(raw),
                    "half_width": half_width(raw, share),
                    "score": fold_mean(score),
                    "score_half_width": half_width(score, share),
                }
            )
        )
    columns = ["generator", "key", "family", "folds", "value", "half_width", "score", "score_half_width"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def settings_of(records: Sequence[Record], names: Sequence[str]) -> pd.DataFrame:
    """generator, version, family, conditions, settings of these rows."""
    about = {record.generator.full_name: record.generator for record in records}
    return pd.DataFrame(
        {
            "generator": list(names),
            "version": [about[name].version for name in names],
            "family": [about[name].family for name in names],
            "conditions": [", ".join(about[name].conditions) for name in names],
            "settings": [_settings_text([r for r in records if r.generator.full_name == name]) for name in names],
        }
    )


def _settings_text(records: Sequence[Record]) -> str:
    """`name=value` of every setting; where a tuned row's folds differ, the values in the order of the folds."""
    by_fold = {record.fold.index: record.generator.settings for record in records}
    folds = sorted(by_fold)
    texts = []
    for key in sorted({key for settings in by_fold.values() for key in settings}):
        values = [str(by_fold[fold].get(key)) for fold in folds]
        if len(set(values)) == 1:
            texts.append(f"{key}={values[0]}")
        else:
            texts.append(f"{key}={' / '.join(values)} (folds {' / '.join(map(str, folds))})")
    return ", ".join(texts)

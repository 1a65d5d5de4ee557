"""The leaderboard as frames: a pure function of records."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.ablation import ablations
from gexbench.leaderboards.comparing.anchors import anchor_rows
from gexbench.leaderboards.comparing.bootstrap import patient_comparisons
from gexbench.leaderboards.comparing.gates import COPIES, FAILED
from gexbench.leaderboards.comparing.grid import Grid, grid_of
from gexbench.leaderboards.comparing.header import Header, header_of
from gexbench.leaderboards.comparing.judging import BELOW, RANKED, UNRANKED, Judged, gate_columns, judged
from gexbench.leaderboards.comparing.normalisation import Scored, scored
from gexbench.leaderboards.comparing.notes import general_remarks, numbered, row_notes
from gexbench.leaderboards.comparing.ranking import (
    OVERALL,
    Standing,
    inseparable,
    mean_rank,
    planned_comparisons,
    planned_pairs,
    standing,
    win_rate,
)
from gexbench.leaderboards.comparing.rows import metrics_of, resources_of, settings_of
from gexbench.leaderboards.comparing.scarce import scarce_rows
from gexbench.leaderboards.comparing.selection import BASELINE, absent_generators, check_comparable, incomplete_folds
from gexbench.leaderboards.formatting import NOTHING, number
from gexbench.leaderboards.records import TUNED, Record
from gexbench.leaderboards.statistics import FloatArray, fold_mean, half_width
from gexbench.tasks.files.plain_text import plain
from gexbench.tasks.panel.protocols import FIRST, Protocol
from gexbench.tasks.panel.scores import copy_gate_passed

SKILL = "conditional_skill"


@dataclass(frozen=True, slots=True, eq=False)
class Leaderboard:
    """Every number of a leaderboard. Frames with one row per generator stand in table order.

    Attributes:
        protocol: that the records follow.
        header: what the records share.
        families: families of the overall score that have a score here, in order.
        rows: generator, standing (see `judging`), rank, overall, overall_half_width,
            each family and FAMILY_half_width, with_leader (every cell finished, not separable from the leader),
            mean_rank, win_rate, conditional_skill and its half-width, copy_share, notes (numbers); after protocol 1
            also whole_folds (in which every cell finished) and `gate_columns`.
        gates: see `gate_rows`.
        metrics: one row per generator and metric key: folds (with a value), value and half_width in the
            metric's unit, score and score_half_width.
        comparisons: see `planned_comparisons`.
        patient_level: see `patient_comparisons`.
        ablations: see `ablations`: of the scores, and of every metric.
        scarce: see `scarce_rows`; generators fitted on a share of the patients stand here alone.
        anchors: see `anchor_rows`.
        resources: cells, cells_ok, mean seconds by phase, peak memory.
        settings: generator, version, family, conditions, settings.
        absent: generators that cannot work here: generator, reason.
        notes: texts of the numbered notes.
        remarks: on the whole table.
    """

    protocol: Protocol
    header: Header
    families: tuple[str, ...]
    rows: pd.DataFrame
    gates: pd.DataFrame
    metrics: pd.DataFrame
    comparisons: pd.DataFrame
    patient_level: pd.DataFrame
    ablations: pd.DataFrame
    scarce: pd.DataFrame
    anchors: pd.DataFrame
    resources: pd.DataFrame
    settings: pd.DataFrame
    absent: pd.DataFrame
    notes: tuple[str, ...]
    remarks: tuple[str, ...]

    @property
    def failing(self) -> frozenset[str]:
        """Rows that fail a gate, references among them."""
        if self.protocol is not FIRST:
            return frozenset(self.gates.loc[self.gates["state"] == FAILED, "generator"])
        shares = self.rows.set_index("generator")[COPIES].round(12)
        return frozenset(name for name, share in shares.items() if pd.isna(share) or not copy_gate_passed(share))


def leaderboard(records: Sequence[Record], note: str | None = None) -> Leaderboard:
    """The leaderboard of records.

    Args:
        records: of one protocol, cohort, track, budget and panel.
        note: a sentence for the header.

    Raises:
        RecordError: records that cannot share a table.
    """
    records = sorted(records, key=lambda record: record.cell)
    check_comparable(records)
    scarce, records = scarce_rows(records), [record for record in records if record.train_fraction == 1.0]
    absent, incomplete = absent_generators(records), incomplete_folds(records)
    every = {record.fold.index for record in records}
    anchored = bool(every - incomplete.keys())
    names = sorted({record.generator.full_name for record in records} - absent.keys())
    grid = grid_of(records, names, every - incomplete.keys() if anchored else every)
    points = scored(grid, anchored)
    seeds = [int((grid.generator == number).sum()) // len(grid.folds) for number in range(len(names))]
    header = header_of(records, grid.folds, seeds, note)
    means = grid.by_fold(grid.values)
    found = judged(grid)
    place = standing(fold_mean(points.overall), found.standing == RANKED, found.standing == BELOW, names)
    comparisons = _comparisons(grid, points, means, place, header.share)
    notes = row_notes(grid, points, found.notes)
    marks, texts = numbered([notes[at] for at in place.order])
    rows = _rows(grid, points, means, place, found, comparisons, header.share).iloc[place.order]
    rows["notes"] = [", ".join(map(str, row)) for row in marks]
    ordered = [names[at] for at in place.order]
    untested = {name for name, kind in zip(names, found.standing, strict=True) if kind == UNRANKED}
    return Leaderboard(
        protocol=grid.protocol,
        header=header,
        families=tuple(points.families),
        rows=rows.reset_index(drop=True),
        gates=found.gates,
        metrics=metrics_of(grid, points, place.order, header.share),
        comparisons=comparisons,
        patient_level=_patient_level(grid, place),
        ablations=ablations(_measures(grid, points, means), names, header.share, untested),
        scarce=scarce,
        anchors=anchor_rows(grid, header.share),
        resources=resources_of(grid).iloc[place.order].reset_index(drop=True),
        settings=settings_of(records, [*ordered, *absent]),
        absent=pd.DataFrame({"generator": list(absent), "reason": list(absent.values())}),
        notes=texts,
        remarks=general_remarks(grid, points, incomplete, anchored, not comparisons.empty),
    )


def summary(board: Leaderboard) -> pd.DataFrame:
    """The table for a terminal, all text: rank, generator, overall, interval, families, fit time, cells."""
    rows = board.rows
    low = (rows["overall"] - rows["overall_half_width"]).clip(lower=0)
    high = (rows["overall"] + rows["overall_half_width"]).clip(upper=1)
    columns = {
        "rank": [NOTHING if pd.isna(rank) else str(rank) for rank in rows["rank"]],
        "generator": [plain(name) for name in rows["generator"]],
        "overall ↑": [number(value, 3) for value in rows["overall"]],
        "95 % interval": [
            NOTHING if pd.isna(a) else f"{number(a, 3)} to {number(b, 3)}" for a, b in zip(low, high, strict=True)
        ],
        **{f"{family} ↑": [number(value, 2) for value in rows[family]] for family in board.families},
        "fit (CPU s)": [number(value, 1) for value in board.resources["fit_cpu_s"]],
        "cells": [f"{row.cells_ok}/{row.cells}" for row in board.resources.itertuples()],
        "standing": list(rows["standing"]),
    }
    return pd.DataFrame(columns)


def _column(grid: Grid, means: FloatArray, key: str) -> FloatArray:
    """(generators, folds) of one metric, NaN when nobody has it."""
    return means[:, :, grid.keys.index(key)] if key in grid.keys else np.full(means.shape[:2], np.nan)


def _comparisons(grid: Grid, points: Scored, means: FloatArray, place: Standing, share: float) -> pd.DataFrame:
    measures, (ranked, baseline) = _measures(grid, points, means), _compared(grid, place)
    return planned_comparisons(measures, grid.generators, ranked, baseline, place.leader, share, _tuned_pairs(grid))


def _patient_level(grid: Grid, place: Standing) -> pd.DataFrame:
    ranked, baseline = _compared(grid, place)
    return patient_comparisons(grid, planned_pairs(ranked, baseline, place.leader))


def _compared(grid: Grid, place: Standing) -> tuple[list[int], int | None]:
    """Positions of the ranked generators in table order, and of the baseline."""
    names = grid.generators
    ranked = [int(at) for at in place.order if place.rank[at] > 0]
    return ranked, names.index(BASELINE) if BASELINE in names else None


def _tuned_pairs(grid: Grid) -> dict[int, int]:
    """Position of each tuned row → position of the same generator's default row, where it is there."""
    tuned = {
        record.generator.full_name: record.generator.name
        for record in grid.records
        if record is not None and record.generator.variant == TUNED
    }
    at = {name: number for number, name in enumerate(grid.generators)}
    return {at[row]: at[default] for row, default in sorted(tuned.items()) if default in at}


def _measures(grid: Grid, points: Scored, means: FloatArray) -> dict[str, FloatArray]:
    """(generators, folds) of every score and every metric."""
    return _score_measures(points) | {key: means[:, :, at] for at, key in enumerate(grid.keys)}


def _score_measures(points: Scored) -> dict[str, FloatArray]:
    return {OVERALL: points.overall, **{str(family): values for family, values in points.families.items()}}


def _rows(
    grid: Grid,
    points: Scored,
    means: FloatArray,
    place: Standing,
    found: Judged,
    comparisons: pd.DataFrame,
    share: float,
) -> pd.DataFrame:
    names = list(grid.generators)
    competing = np.flatnonzero(place.rank > 0)
    columns: dict[str, Any] = {
        "generator": names,
        "standing": found.standing,
        "rank": pd.array([int(rank) or pd.NA for rank in place.rank], dtype="Int64"),
    }
    shown = {**_score_measures(points), SKILL: _column(grid, means, SKILL)}
    for name, values in shown.items():
        columns[name], columns[f"{name}_half_width"] = fold_mean(values), half_width(values, share)
    group = inseparable(comparisons, None if place.leader is None else names[place.leader])
    finished = found.whole_folds == len(grid.folds)
    columns["with_leader"] = [name in group and bool(whole) for name, whole in zip(names, finished, strict=True)]
    for name, values in (
        ("mean_rank", mean_rank(points.metrics[competing])),
        ("win_rate", win_rate(points.overall[competing])),
    ):
        columns[name] = np.full(len(names), np.nan)
        columns[name][competing] = values
    columns[COPIES] = found.copies
    if grid.protocol is not FIRST:
        columns |= {"whole_folds": found.whole_folds, **gate_columns(found.gates, names)}
    return pd.DataFrame(columns)

"""The main table and the ablations as text, before any format escapes them."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from gexbench.leaderboards.comparing.gates import COPIES, MARKS, shown
from gexbench.leaderboards.comparing.ranking import OVERALL
from gexbench.leaderboards.comparing.table import SKILL, Leaderboard
from gexbench.leaderboards.formatting import NOTHING, arrow, decimals, number, percent, with_interval
from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.declarations.metric import Table
from gexbench.tasks.panel.protocols import FIRST, Protocol

GENERATOR = "generator"
LEADER = "≈ leader"
OPTIONAL = ("conditional skill ↑", "mean rank ↓", "win rate ↑")
"""Columns that are left out where no row has a value."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row of the ablations: what is added, the two generators, and per column the difference and its adjusted p."""

    question: str
    generator: str
    against: str
    cells: tuple[tuple[str, float], ...]


def main_columns(board: Leaderboard) -> dict[str, list[str]]:
    """Head → cells in table order, without the columns that hold nothing.

    Generators stand by their bare names; numbers and marks are final.
    """
    rows = board.rows
    protocol, keys = board.protocol, shown_keys(board, "main")
    metrics = {key: values_of(board, key, interval=False) for key in keys if split_key(key)[0] != SKILL}
    scored = {key for key in metrics if protocol.scores(protocol.lookup(key))}
    beside = {headed(protocol, key): cells for key, cells in metrics.items() if key not in scored}
    columns: dict[str, list[str]] = {
        "rank": [NOTHING if pd.isna(value) else str(value) for value in rows["rank"]],
        GENERATOR: [str(name) for name in rows["generator"]],
        "overall ↑": [with_interval(row.overall, row.overall_half_width, 3) for row in rows.itertuples()],
        LEADER: ["●" if flag else "" for flag in rows["with_leader"]],
        **{f"{family} ↑": [number(value, 3) for value in rows[family]] for family in board.families},
        **{headed(protocol, key): cells for key, cells in metrics.items() if key in scored},
        "conditional skill ↑": with_marks(board, [number(value, 3) for value in rows[SKILL]]),
        **gate_cells(board),
        **beside,
        "mean rank ↓": [number(value, 1) for value in rows["mean_rank"]],
        "win rate ↑": [number(value, 2) for value in rows["win_rate"]],
        "fit (CPU s)": [number(value, 1) for value in board.resources["fit_cpu_s"]],
    }
    optional = {*OPTIONAL, *beside}
    return {head: cells for head, cells in columns.items() if head not in optional or set(cells) != {NOTHING}}


def ablation_rows(board: Leaderboard) -> tuple[list[str], list[Difference]]:
    """Heads of the measures (the overall score and the metrics shown for ablations) and a row per contrast."""
    frame = board.ablations
    keys = [OVERALL, *shown_keys(board, "ablations")]
    found = []
    for pair in frame[["question", "generator", "against"]].drop_duplicates().itertuples():
        mine = frame[(frame["generator"] == pair.generator) & (frame["against"] == pair.against)].set_index("measure")
        cells = []
        for key in keys:
            row = mine.loc[key]
            cells.append((with_interval(row["difference"], row["half_width"], 3), float(row["p_holm"])))
        found.append(Difference(pair.question, pair.generator, pair.against, tuple(cells)))
    return ["overall ↑", *(headed(board.protocol, key) for key in keys[1:])], found


def headed(protocol: Protocol, key: str) -> str:
    """Short name of a metric key and its direction."""
    metric = protocol.lookup(key)
    return f"{metric.short} {arrow(metric)}".strip()


def shown_keys(board: Leaderboard, table: Table) -> list[str]:
    """The keys that a table shows beside the scores; of a metric per label, the finest label."""
    keys: Sequence[str] = list(dict.fromkeys(board.metrics["key"]))
    names = (metric.name for metric in board.protocol.shown_in(table))
    found = (next((key for key in keys if split_key(key)[0] == name), None) for name in names)
    return [key for key in found if key is not None]


def values_of(board: Leaderboard, key: str, interval: bool) -> list[str]:
    """A metric's means in table order, with or without the half-width of the interval, a dash where there is none."""
    mine = board.metrics[board.metrics["key"] == key].set_index("generator").loc[board.rows["generator"]]
    places = decimals(mine["value"])
    if not interval:
        return with_marks(board, [number(value, places) for value in mine["value"]])
    return with_marks(board, [with_interval(row.value, row.half_width, places) for row in mine.itertuples()])


def gate_cells(board: Leaderboard) -> dict[str, list[str]]:
    """Head → the figure of a gate with its mark, in table order; of protocol 1 the share of copies."""
    if board.protocol is FIRST:
        return {"copies": [percent(value) for value in board.rows[COPIES]]}
    cells = {}
    for gate, mine in board.gates.groupby("gate", sort=False):
        texts = {row.generator: f"{shown(row.figure, str(row.words))}{MARKS[row.state]}" for row in mine.itertuples()}
        cells[gate_head(str(gate))] = [texts.get(name, NOTHING) for name in board.rows["generator"]]
    return cells


def gate_head(gate: str) -> str:
    """Head of the column of a gate's figure."""
    return f"{gate} AUC" if gate == "membership" else gate


def partial_marks(board: Leaderboard) -> list[str]:
    """What stands behind the raw values of a row, in table order: `(4/5)` where a fold lacks a cell, else nothing."""
    if board.protocol is FIRST:
        return [""] * len(board.rows)
    folds = len(board.header.folds)
    return ["" if whole == folds else f" ({whole}/{folds})" for whole in board.rows["whole_folds"]]


def with_marks(board: Leaderboard, texts: Sequence[str]) -> list[str]:
    return [
        text if text == NOTHING else f"{text}{mark}" for text, mark in zip(texts, partial_marks(board), strict=True)
    ]

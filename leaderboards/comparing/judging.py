"""Who takes a rank: references take none, nor do rows that fail a gate or whose training did not end well."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.convergence import unranked
from gexbench.leaderboards.comparing.gates import COPYING, copy_note, copy_shares, gate_notes, gate_rows, passes
from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.statistics import FloatArray
from gexbench.tasks.panel.protocols import FIRST

RANKED, REFERENCE, UNRANKED, BELOW = "ranked", "reference", "unranked", "below the line"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What speaks for and against a rank, in the order of the grid's generators.

    Attributes:
        standing: `RANKED`, `REFERENCE`, `UNRANKED` or `BELOW`.
        copies: worst share of copies of protocol 1; after it the figure of the gate `copies`. NaN where unknown.
        gates: see `gate_rows`.
        whole_folds: number of folds in which every cell finished.
        notes: of each generator.
    """

    standing: NDArray[np.str_]
    copies: FloatArray
    gates: pd.DataFrame
    whole_folds: NDArray[np.int64]
    notes: list[list[str]]


def judged(grid: Grid) -> Judged:
    """The standing of every generator, and the notes that say why."""
    reference = _references(grid)
    shares, gates, reasons = copy_shares(grid, reference), gate_rows(grid, reference), unranked(grid)
    below = ~reference & ~passes(grid, gates, shares)
    out = ~reference & ~below & np.array([bool(reason) for reason in reasons], dtype=bool)
    first = grid.protocol is FIRST
    notes = []
    for at, name in enumerate(grid.generators):
        if first:
            said = [copy_note(float(shares[at]))] if below[at] else []
        else:
            said = gate_notes(name, gates, bool(below[at]))
        notes.append([*said, *([reasons[at]] if out[at] else [])])
    figures = gates[gates["gate"] == COPYING].set_index("generator")["figure"]
    return Judged(
        standing=np.where(reference, REFERENCE, np.where(below, BELOW, np.where(out, UNRANKED, RANKED))),
        copies=shares if first else figures.reindex(list(grid.generators)).to_numpy(dtype=np.float64),
        gates=gates,
        whole_folds=_whole_folds(grid),
        notes=notes,
    )


def gate_columns(gates: pd.DataFrame, generators: list[str]) -> dict[str, list[object]]:
    """Columns of the table's rows: the figure of each gate, its interval and its state."""
    columns: dict[str, list[object]] = {}
    for gate, mine in gates.groupby("gate", sort=False):
        by_row = mine.set_index("generator").reindex(generators)
        name = f"gate_{str(gate).replace(' ', '_')}"
        for ending, field in (("", "figure"), ("_low", "low"), ("_high", "high")):
            columns[f"{name}{ending}"] = list(by_row[field].astype(float))
        columns[f"{name}_state"] = list(by_row["state"].fillna("unknown"))
    return columns


def _whole_folds(grid: Grid) -> NDArray[np.int64]:
    whole = np.ones((len(grid.generators), len(grid.folds)), dtype=bool)
    for cell in range(len(grid.records)):
        whole[grid.generator[cell], grid.fold[cell]] &= grid.state(cell) == "ok"
    return np.asarray(whole.sum(axis=1), dtype=np.int64)


def _references(grid: Grid) -> NDArray[np.bool_]:
    found = np.zeros(len(grid.generators), dtype=bool)
    for cell, record in enumerate(grid.records):
        if record is not None:
            found[grid.generator[cell]] = record.generator.reference
    return found

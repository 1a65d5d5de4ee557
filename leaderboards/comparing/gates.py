"""Gates of a table's rows: who stands below the line, by which gate, with which figure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.formatting import number, percent
from gexbench.leaderboards.statistics import FloatArray, fold_mean
from gexbench.tasks.panel import gates
from gexbench.tasks.panel.gates import GateVerdict
from gexbench.tasks.panel.scores import COPY_GATE, copy_gate_passed

COPIES = "copy_share"
_MADE = ("copy_share", "pair_share", "trio_share")
OF_TRAINING = tuple(f"{part}{made}" for made in _MADE for part in ("", "train_"))
"""Of the rows for test and for training patients: those made from one, two or three training rows."""
OF_VALIDATION = tuple(f"{part}{made}" for made in _MADE for part in ("validation_", "train_validation_"))
"""The same of validation rows."""
COPY_METRICS = (*OF_TRAINING, *OF_VALIDATION)
PAIRS_TOO = "Rows made of two or three of these count as copies."
"""Note for records that hold the shares of pairs and trios; earlier records count copies of single rows only."""

FAILED, FEW = "failed", "too few patients"
MARKS: Mapping[str, str] = {"passed": "", FAILED: " ✗", FEW: " ?"}
"""What stands behind the figure of a gate, by its state."""
COLUMNS = ("generator", "gate", "state", "figure", "low", "high", "words")
COPYING = "copies"
"""The gate that no row passes without figures; the others are asked where they can be."""
UNKNOWN = "below the line: no finished cell has the figures of the gate copies"


def pairs_known(keys: Iterable[str]) -> bool:
    """Whether these metric keys hold more than copies of one row."""
    return not {*keys}.isdisjoint(name for name in COPY_METRICS if not name.endswith(COPIES))


def worst_share(shares: Mapping[str, FloatArray], reference: NDArray[np.bool_]) -> FloatArray:
    """(generators,) the largest of the means over folds of `COPY_METRICS`, NaN where none is known.

    The mean of the folds' largest would be biased upwards. Of references only copies of training rows count:
    `real-holdout` consists of validation rows.
    """
    trained: FloatArray = np.fmax.reduce([shares[name] for name in OF_TRAINING])
    return np.where(reference, trained, np.fmax.reduce([trained, *(shares[name] for name in OF_VALIDATION)]))


def copy_shares(grid: Grid, reference: NDArray[np.bool_]) -> FloatArray:
    """(generators,) the worst share of copies, the figure of protocol 1; see `worst_share`."""
    means = grid.by_fold(grid.values)
    absent = np.full(means.shape[:2], np.nan)
    shares = {key: means[:, :, grid.keys.index(key)] if key in grid.keys else absent for key in COPY_METRICS}
    return worst_share({key: fold_mean(values) for key, values in shares.items()}, reference)


def gate_rows(grid: Grid, reference: NDArray[np.bool_]) -> pd.DataFrame:
    """The verdicts on every row: `COLUMNS`, in the order of the grid; empty for protocol 1, which has one share.

    The numbers of a fold are averaged over its training seeds.
    """
    if grid.protocol.gates == "copy share":
        return pd.DataFrame(columns=list(COLUMNS))
    rows = [
        (name, each.gate, each.state, each.figure, *each.interval, each.words)
        for at, name in enumerate(grid.generators)
        for each in _verdicts(grid, at, bool(reference[at]))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def passes(grid: Grid, found: pd.DataFrame, copies: FloatArray) -> NDArray[np.bool_]:
    """(generators,) whether nothing speaks against a rank; a generator without a finished cell has no rows to judge."""
    if grid.protocol.gates == "copy share":
        share = np.round(copies, 12)  # the mean of equal shares is that share
        passed = np.array([copy_gate_passed(None if np.isnan(value) else float(value)) for value in share], dtype=bool)
    else:
        stopped = set(found.loc[found["state"] == FAILED, "generator"])
        known = set(found.loc[found["gate"] == COPYING, "generator"])
        passed = np.array([name in known - stopped for name in grid.generators], dtype=bool)
    whole: NDArray[np.bool_] = passed | ~_finished(grid)
    return whole


def gate_notes(name: str, found: pd.DataFrame, below: bool) -> list[str]:
    """What the gates say of a row beyond having passed, in words."""
    mine = found[found["generator"] == name]
    if below and not (mine["gate"] == COPYING).any():
        return [UNKNOWN]
    heads = {FAILED: "below the line" if below else "fails", FEW: "too few patients to tell"}
    stated = [(row.state, row.gate, row.words) for row in mine.itertuples()]
    return [f"{heads[state]}, gate {gate}: {words}" for state, gate, words in stated if state in heads]


def copy_note(share: float) -> str:
    """Why a row of protocol 1 stands below the line."""
    if np.isnan(share):
        return "below the line: the share of copied training rows is unknown"
    copied = f"{percent(share)} of the rows are copies of training or validation rows"
    return f"below the line: {copied} (copy gate: {percent(COPY_GATE)})"


def shown(figure: float, words: str) -> str:
    """The figure of a gate as text: a share as a percentage, an AUC (which its words name) with three decimals."""
    return number(figure, 3) if "AUC" in words else percent(figure)


def _verdicts(grid: Grid, generator: int, reference: bool) -> tuple[GateVerdict, ...]:
    folds = [_averaged(grid, generator, fold) for fold in range(len(grid.folds))]
    known = [numbers for numbers in folds if numbers]
    return gates.verdicts(known, reference=reference) if known else ()


def _averaged(grid: Grid, generator: int, fold: int) -> dict[str, dict[str, float]]:
    """Figure → its numbers in a fold, the mean over the finished seeds that state them."""
    cells = np.flatnonzero((grid.generator == generator) & (grid.fold == fold))
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in (grid.records[int(cell)] for cell in cells):
        if record is not None and record.state == "ok":
            for figure, numbers in record.gates.items():
                for name, value in numbers.items():
                    found[figure][name].append(value)
    return {figure: {name: _mean(values) for name, values in numbers.items()} for figure, numbers in found.items()}


def _mean(values: Sequence[float]) -> float:
    return values[0] if len(values) == 1 else float(np.mean(values))


def _finished(grid: Grid) -> NDArray[np.bool_]:
    finished = np.zeros(len(grid.generators), dtype=bool)
    for cell in range(len(grid.records)):
        finished[grid.generator[cell]] |= grid.state(cell) == "ok"
    return finished

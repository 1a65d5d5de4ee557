"""What the cells of a table cost: seconds by phase and peak memory."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from gexbench.leaderboards.grid import Grid
from gexbench.leaderboards.records import Record

_PHASES = ("fit", "sample", "score")


def resources_of(grid: Grid) -> pd.DataFrame:
    """Cells, finished cells, mean CPU and wall seconds by phase and the largest peak memory, per generator.

    Means and maxima are over finished cells; NaN where there is none.
    """
    columns: dict[str, list[object]] = {"generator": list(grid.generators), "cells": [], "cells_ok": []}
    for number in range(len(grid.generators)):
        cells = np.flatnonzero(grid.generator == number)
        finished = [record for cell in cells if (record := grid.records[cell]) is not None and record.state == "ok"]
        columns["cells"].append(len(cells))
        columns["cells_ok"].append(len(finished))
        for phase in _PHASES:
            for kind, field in (("cpu", "cpu_times_s"), ("wall", "times_s")):
                columns.setdefault(f"{phase}_{kind}_s", []).append(_summary(finished, field, phase, np.mean))
        for side in ("host", "device"):
            columns.setdefault(f"peak_{side}_memory_bytes", []).append(
                _summary(finished, "peak_memory_bytes", side, np.max)
            )
    return pd.DataFrame(columns)


def _summary(records: list[Record], field: str, key: str, summarise: Callable[[list[float]], float]) -> float:
    found = [float(value) for record in records if (value := record.content[field].get(key)) is not None]
    return float(summarise(found)) if found else float("nan")

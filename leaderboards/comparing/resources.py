"""Cost of the cells of a table: seconds by phase and peak memory."""

from collections.abc import Callable
from operator import attrgetter

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.records import Record

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

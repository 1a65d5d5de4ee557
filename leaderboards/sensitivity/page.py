"""The page of what ranks hang on: ranks without one metric or family, and which metrics tell models apart."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gexbench.leaderboards.formatting import markdown_table, number
from gexbench.leaderboards.sensitivity.leave_one_out import FAMILY, METRIC, LeftOut, leave_one_out, overall, rank_groups
from gexbench.leaderboards.sensitivity.points import Points
from gexbench.leaderboards.sensitivity.separation import LEAST_GAP, not_separating, separation

COMMAND = "python -m gexbench.benchmark.studies sensitivity"
_INTRODUCTION = """# What ranks hang on

For readers who ask whether a ranking is the work of one metric.

Written by `{command}`
from the records of `{name}` (protocol {protocol}): {rows} ranked rows, {metrics} scored metrics.

A row's rank group holds the ranks that it may have, given the intervals: rows that are better or worse than it by a
fold-paired test, adjusted by Holm over all pairs of rows, bound it. No single metric should move a row with default
settings out of its rank group when it is left out.
"""
_SEPARATION = f"""## Metrics that tell models apart

The largest gap between two of the ranked rows that see labels and have default settings, in standard errors of that
gap. A metric whose gap is below {LEAST_GAP:g} for every label tells no two models apart: it is shown and not scored.
A protocol fixes which metrics these are, by this table of the leaderboard that was published last before it.
"""


def sensitivity_page(points: Points, name: str) -> str:
    """Markdown; name: of the leaderboard.

    Raises:
        RecordError: too few rows with labels.
    """
    left, found = leave_one_out(points), separation(points)
    head = _INTRODUCTION.format(
        command=COMMAND,
        name=name,
        protocol=points.protocol.number,
        rows=len(points.names),
        metrics=len(points.metrics),
    )
    parts = [head, _verdict(left), "## Ranks of every row", _rows_table(points, left)]
    parts += ["## One metric left out", _left_table(points, [each for each in left if each.kind == METRIC])]
    parts += ["## One family left out", _left_table(points, [each for each in left if each.kind == FAMILY])]
    parts += [_SEPARATION, _separation_table(found), _not_scored(found)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _verdict(left: Sequence[LeftOut]) -> str:
    moving = [f"`{each.name}` ({', '.join(each.moved)})" for each in left if each.kind == METRIC and each.moved]
    if not moving:
        return "No single metric moves a default row out of its rank group."
    return f"Metrics that move default rows out of their rank group when they are left out: {'; '.join(moving)}."


def _rows_table(points: Points, left: Sequence[LeftOut]) -> str:
    low, high = rank_groups(overall(points), points.share)
    lines = []
    for at, name in enumerate(points.names):
        spans = [_span([each.ranks[at] for each in left if each.kind == kind]) for kind in (METRIC, FAMILY)]
        lines.append([name, str(at + 1), _span([low[at], high[at]]), *spans])
    heads = ["generator", "rank", "rank group", "without one metric", "without one family"]
    return markdown_table(heads, lines, text_columns=1)


def _left_table(points: Points, left: Sequence[LeftOut]) -> str:
    full = np.arange(1, len(points.names) + 1)
    lines = []
    for each in left:
        moves = np.abs(each.ranks - full)
        first = ", ".join(name for name, rank in zip(points.names, each.ranks, strict=True) if rank == 1)
        largest = ", ".join(
            f"{points.names[int(at)]} {full[at]} → {each.ranks[at]}" for at in np.flatnonzero(moves == moves.max())[:3]
        )
        lines.append([f"`{each.name}`", first, largest if moves.max() else "none", ", ".join(each.moved) or "none"])
    heads = ["left out", "first", "largest moves", "out of their rank group"]
    return markdown_table(heads, lines, text_columns=4)


def _separation_table(found: pd.DataFrame) -> str:
    lines = [[f"`{row.key}`", str(row.family), str(row.rows), number(row.ratio, 1)] for row in found.itertuples()]
    return markdown_table(["metric", "family", "furthest apart", "gap"], lines, text_columns=3)


def _not_scored(found: pd.DataFrame) -> str:
    names = not_separating(found)
    listed = ", ".join(f"`{name}`" for name in names) or "none"
    return f"Metrics that tell no models apart here: {listed}."


def _span(ranks: Sequence[np.int64 | int]) -> str:
    if not ranks:
        return "–"
    low, high = min(ranks), max(ranks)
    return f"{low}" if low == high else f"{low} to {high}"

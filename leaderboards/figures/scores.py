"""Figures of the scores: the heat map, the overall scores with their intervals, and score against training time."""

import math
from collections.abc import Set as AbstractSet

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullFormatter

from gexbench.leaderboards.comparing.judging import BELOW, RANKED, REFERENCE
from gexbench.leaderboards.figures.frames import OVERALL_GROUP
from gexbench.leaderboards.figures.labels import place_labels
from gexbench.leaderboards.figures.style import (
    INK,
    REFERENCE_COLOUR,
    SCORES,
    drawn,
    family_handles,
    literal,
    looks,
    name_rows,
)

_CELL_INCHES = 0.19
_FASTEST_S = 0.01
_CLOSE = 0.15
"""Scores behind the best ranked one that the close-up still shows."""

_SMALLEST = 0.1
"""Height of the close-up at least, in scores, or small differences would look large."""


def score_heat_map(frame: pd.DataFrame) -> Figure:
    """Normalised scores, generators by metrics; a line of white stands between the families.

    Args:
        frame: generator, standing, group, key, score, in the order to be shown (see `score_frame`).
    """
    columns = frame[["group", "key"]].drop_duplicates()
    names = list(frame["generator"].drop_duplicates())
    table = frame.pivot_table(index="generator", columns=["group", "key"], values="score", dropna=False)
    table = table.reindex(index=names, columns=pd.MultiIndex.from_frame(columns))
    width, height = _CELL_INCHES * table.shape[1] + 2.9, _CELL_INCHES * table.shape[0] + 2.6
    with drawn(width=width, height=height, grid="") as (figure, (axis,)):
        sns.heatmap(
            table,
            ax=axis,
            vmin=0,
            vmax=1,
            cmap=SCORES,
            linewidths=0.3,
            linecolor="white",
            xticklabels=False,
            yticklabels=False,
            cbar_kws={
                "label": "score (0: trivial reference, 1: real samples)",
                "shrink": 0.55,
                "pad": 0.01,
                "aspect": 30,
            },
        )
        axis.set(xlabel="", ylabel="", facecolor="#eeeeee")
        sns.despine(ax=axis, left=True, bottom=True)
        axis.set_xticks(
            np.arange(table.shape[1]) + 0.5, [literal(key) for key in columns["key"]], rotation=90, fontsize=7
        )
        name_rows(axis, np.arange(len(names)) + 0.5, names, frame)
        groups = list(columns["group"])
        starts = [at for at in range(len(groups)) if at == 0 or groups[at] != groups[at - 1]]
        for start, end in zip(starts, [*starts[1:], len(groups)], strict=True):
            if start:
                axis.axvline(start, color="white", linewidth=4)
            if groups[start] != OVERALL_GROUP:
                axis.text((start + end) / 2, -0.35, groups[start], ha="center", va="bottom", fontsize=8.5)
    return figure


def overall_scores(frame: pd.DataFrame) -> Figure:
    """Overall scores with 95 % intervals, best at the top; filled markers cannot be told from the leader.

    Args:
        frame: generator, family, standing, rank, with_leader, overall, half_width (see `overall_frame`).
    """
    known = looks(frame["family"])
    heights = np.arange(len(frame))[::-1]
    with drawn(height=0.19 * len(frame) + 1.1) as (figure, (axis,)):
        for height, row in zip(heights, frame.itertuples(), strict=True):
            look = known[row.family]
            reference = row.standing == REFERENCE
            half = 0.0 if math.isnan(row.half_width) else row.half_width
            axis.plot([row.overall - half, row.overall + half], [height] * 2, color=look.colour, linewidth=1.5)
            fill = look.colour if row.with_leader or reference else "white"
            marker = "x" if row.standing == BELOW else look.marker
            axis.plot(row.overall, height, marker, color=look.colour, markerfacecolor=fill, markersize=5.5)
        name_rows(axis, heights, list(frame["generator"]), frame)
        axis.set_ylim(-0.8, len(frame) - 0.2)
        axis.set_xlim(min(0.0, float((frame["overall"] - frame["half_width"].fillna(0)).min())), 1.02)
        axis.set_xlabel("overall score (0: trivial reference, 1: real samples)")
        handles = family_handles(frame["family"])
        handles += [
            Line2D([], [], linestyle="", marker="o", color=INK, label="not separable from the leader"),
            Line2D([], [], linestyle="", marker="o", color=INK, markerfacecolor="white", label="behind the leader"),
        ]
        if (frame["standing"] == BELOW).any():
            handles.append(Line2D([], [], linestyle="", marker="x", color=INK, label="below the line: copies"))
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=7.5)
    return figure


def score_against_time(frame: pd.DataFrame) -> Figure:
    """Overall score against the CPU time of a fit: all rows, and beside them the best in close-up.

    Args:
        frame: generator, family, standing, overall, seconds, competes (see `cost_frame`).
    """
    shown = frame.assign(seconds=frame["seconds"].clip(lower=_FASTEST_S))
    front = pareto_front(shown)
    ranked = shown[shown["standing"] == RANKED]
    close = ranked[ranked["overall"] > ranked["overall"].max() - _CLOSE]
    ratios = (1,) if close.empty else (1, 1.5)
    with drawn(1, len(ratios), height=5.0, grid="both", width_ratios=ratios) as (figure, (whole, *zoomed)):
        corners = _corners(front, max(3 * float(shown["seconds"].max()), 3.0))
        for axis in (whole, *zoomed):
            axis.plot([x for x, _ in corners], [y for _, y in corners], color=INK, linewidth=1, zorder=1)
            _draw_points(axis, shown, set(front["generator"]))
            axis.set(xscale="log", xlabel="CPU seconds of a fit (log scale)")
        whole.xaxis.set_minor_formatter(NullFormatter())
        whole.set(ylabel="overall score", ylim=(min(0.0, float(shown["overall"].min())), 1.04))
        whole.set_xlim(_FASTEST_S * 0.6, max(2 * float(shown["seconds"].max()), 1.0))
        handles = family_handles(shown["family"])
        handles += [
            Line2D([], [], color=INK, linewidth=1, label="Pareto front (filled)"),
            Line2D(
                [], [], linestyle="", marker="x", color=REFERENCE_COLOUR, label="takes no part: copies or real rows"
            ),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=7.5)
        others = shown[~shown["generator"].isin(close["generator"])].sort_values("overall", ascending=False)
        for axis in zoomed:
            _close_up(whole, axis, close)
        for axis, named in zip((whole, *zoomed), (others, close), strict=False):
            points = named.set_index("generator")[["seconds", "overall"]]
            place_labels(figure, axis, points, list(points.index), corners=corners)
    return figure


def _corners(front: pd.DataFrame, last: float) -> list[tuple[float, float]]:
    """(seconds, score) of the steps of the Pareto front, up to `last` seconds."""
    found: list[tuple[float, float]] = []
    for seconds, score in zip(front["seconds"], front["overall"], strict=True):
        found += [(float(seconds), found[-1][1])] if found else []
        found.append((float(seconds), float(score)))
    return [*found, (last, found[-1][1])] if found else []


def _draw_points(axis: Axes, shown: pd.DataFrame, on_front: AbstractSet[str]) -> None:
    known = looks(shown["family"])
    for row in shown.itertuples():
        look = known[row.family]
        fill = look.colour if row.generator in on_front else "white"
        marker = look.marker if row.competes else "x"
        axis.plot(row.seconds, row.overall, marker, color=look.colour, markerfacecolor=fill, markersize=5.5)


def _close_up(whole: Axes, zoomed: Axes, close: pd.DataFrame) -> None:
    """Limits of the close-up, and its frame in the axes of all rows."""
    left, right = float(close["seconds"].min()) / 1.5, float(close["seconds"].max()) * 1.5
    lowest, highest = float(close["overall"].min()), float(close["overall"].max())
    margin = max(0.08 * (highest - lowest), (_SMALLEST - (highest - lowest)) / 2)
    low, high = lowest - margin, highest + margin
    zoomed.set(xlim=(left, right), ylim=(low, high))
    seconds = [tick * 10.0**power for power in range(-2, 6) for tick in (1, 1.5, 2, 3, 5, 7)]
    zoomed.set_xticks(seconds, [f"{tick:g}" for tick in seconds])
    zoomed.set_xlim(left, right)
    zoomed.minorticks_off()
    whole.add_patch(Rectangle((left, low), right - left, high - low, fill=False, edgecolor=REFERENCE_COLOUR))
    for spine in zoomed.spines.values():
        spine.set(visible=True, color=REFERENCE_COLOUR)


def pareto_front(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that compete and that no competing row beats in one of score and time without losing in the other.

    Args:
        frame: overall, seconds, competes.

    Returns:
        Its rows on the front, by rising time; scores rise too.
    """
    ordered = frame[frame["competes"]].sort_values(["seconds", "overall"], ascending=[True, False])
    best = ordered["overall"].cummax().shift(fill_value=-math.inf)
    return ordered[ordered["overall"] > best]

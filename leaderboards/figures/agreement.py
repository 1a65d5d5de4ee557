"""Figures of agreement with the truth: ranks of true values among draws, and differential expression by class."""

import math

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gexbench.leaderboards.comparing.judging import REFERENCE
from gexbench.leaderboards.figures.style import INK, REFERENCE_COLOUR, drawn, hide_empty, looks, name_panel, name_rows

PANELS_PER_ROW = 6
_LONGEST_TITLE = 18
_HIGHEST = 3.0
"""Largest share shown, in multiples of the uniform one; a taller bar is cut and its share written beside it."""

_NEAR = 0.3
"""Mean concordances behind the best one that decide what part of the axis is shown."""


def rank_histograms(frame: pd.DataFrame) -> Figure:
    """Rank of the true value among the draws for the same patient, a panel per generator; level when calibrated.

    Args:
        frame: generator, standing, family, rank, share (see `rank_frame`).
    """
    groups = dict(list(frame.groupby("generator", sort=False)))
    ranks = int(frame["rank"].max()) + 1
    known, uniform = looks(frame["family"]), 1 / ranks
    columns = min(PANELS_PER_ROW, len(groups))
    rows = -(-len(groups) // columns)
    with drawn(rows, columns, height=1.05 * rows + 0.7, grid="", sharex=True, sharey=True) as (figure, axes):
        hide_empty(axes, len(groups), columns)
        for axis, (name, mine) in zip(axes, groups.items(), strict=False):
            colour = known[str(mine["family"].iloc[0])].colour
            axis.bar(mine["rank"], mine["share"].clip(upper=_HIGHEST * uniform), width=1.0, color=colour, linewidth=0)
            axis.axhline(uniform, color=INK, linewidth=0.9, linestyle=(0, (3, 1.5)))
            for row in mine[mine["share"] > _HIGHEST * uniform].itertuples():
                side = "left" if row.rank < ranks / 2 else "right"
                place = row.rank + (0.8 if side == "left" else -0.8)
                axis.text(place, 0.97 * _HIGHEST * uniform, f"{row.share:.2f}", ha=side, va="top", fontsize=6.5)
            name_panel(axis, str(name), mine["standing"].iloc[0] == REFERENCE, _LONGEST_TITLE)
        axes[0].set_ylim(0, _HIGHEST * uniform)
        axes[0].set_xlim(-0.5, ranks - 0.5)
        axes[0].set_xticks([0, ranks - 1])
        figure.supxlabel(f"rank of the true value among {ranks - 1} draws for the same patient", fontsize=9)
        figure.supylabel("share of values (dashed: calibrated)", fontsize=9)
    return figure


def fold_change_concordance(frame: pd.DataFrame) -> Figure:
    """Concordance of log-fold-changes, a dot per class and a bar at their mean, best at the top.

    Args:
        frame: generator, standing, family, class, concordance (see `concordance_frame`).
    """
    means = frame.groupby("generator")["concordance"].mean().sort_values(ascending=False, kind="stable")
    known, low = looks(frame["family"]), _lowest_shown(frame, means)
    with drawn(height=0.21 * len(means) + 0.9) as (figure, (axis,)):
        for height, (name, mean) in zip(range(len(means) - 1, -1, -1), means.items(), strict=True):
            mine = frame[frame["generator"] == name]
            look = known[str(mine["family"].iloc[0])]
            axis.plot(
                mine["concordance"], [height] * len(mine), look.marker, color=look.colour, markersize=4, alpha=0.55,
                markeredgewidth=0,
            )  # fmt: skip
            axis.plot([mean, mean], [height - 0.35, height + 0.35], color=INK, linewidth=1.8)
            below = mine.loc[mine["concordance"] < low, "concordance"]
            if len(below):
                several = f"{len(below)} classes down to " if len(below) > 1 else ""
                mean_there = f", mean {mean:.2f}" if mean < low else ""
                text = f"◂ {several}{below.min():.2f}{mean_there}"
                axis.text(low, height, text, va="center", fontsize=6.5, color=INK)
        name_rows(axis, range(len(means) - 1, -1, -1), list(means.index), frame)
        axis.set_ylim(-0.7, len(means) - 0.3)
        axis.set_xlim(low, 1.0 + 0.02 * (1.0 - low))
        axis.set_xlabel("concordance of log-fold-changes with those of real samples (1: equal)")
        handles = [
            Line2D([], [], linestyle="", marker="o", color=REFERENCE_COLOUR, markersize=4, label="a class"),
            Line2D([], [], linestyle="", marker="|", color=INK, markersize=9, markeredgewidth=1.8, label="mean"),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=7.5)
    return figure


def _lowest_shown(frame: pd.DataFrame, means: pd.Series) -> float:
    """Left end of the axis: what nearly all classes reach of the generators that are not far behind the best."""
    near = means.index[means > means.max() - _NEAR]
    low = float(frame.loc[frame["generator"].isin(near), "concordance"].quantile(0.02))
    return max(-1.0, math.floor(low * 20) / 20)

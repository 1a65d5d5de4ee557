"""Figures of the downstream tasks: recall by class, and what synthetic rows add to few real ones."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gexbench.leaderboards.comparing.judging import REFERENCE
from gexbench.leaderboards.comparing.selection import CEILING
from gexbench.leaderboards.figures.style import (
    FAINT,
    INK,
    REFERENCE_COLOUR,
    SCORES,
    drawn,
    hide_empty,
    literal,
    looks,
    name_panel,
    name_rows,
)

PANELS_PER_ROW = 5
_LONGEST_TITLE = 22


def class_recall(frame: pd.DataFrame) -> Figure:
    """Recall of every class, trained on synthetic and tested on real rows; classes by the ceiling's recall.

    Args:
        frame: generator, standing, class, recall, generators in table order (see `recall_frame`).
    """
    names = list(frame["generator"].drop_duplicates())
    table = frame.pivot_table(index="generator", columns="class", values="recall").loc[names]
    by = table.loc[CEILING] if CEILING in table.index else table.mean()
    table = table[by.sort_values(ascending=False, kind="stable").index]
    with drawn(width=2.6 + 0.36 * table.shape[1], height=1.2 + 0.2 * len(table), grid="") as (figure, (axis,)):
        sns.heatmap(
            table,
            ax=axis,
            vmin=0,
            vmax=1,
            cmap=SCORES,
            annot=table.map(_hundredths),
            fmt="",
            annot_kws={"fontsize": 6.5},
            linewidths=0.3,
            linecolor="white",
            xticklabels=False,
            yticklabels=False,
            cbar_kws={
                "label": "recall on real test samples",
                "shrink": 0.55 if len(table) > 15 else 0.95,
                "pad": 0.01,
                "aspect": 30,
            },
        )
        axis.set(xlabel="", ylabel="", facecolor="#eeeeee")
        sns.despine(ax=axis, left=True, bottom=True)
        classes = [literal(str(name)) for name in table.columns]
        rotation = 45 if max(map(len, classes)) < 8 else 90
        axis.set_xticks(np.arange(len(classes)) + 0.5, classes, rotation=rotation, fontsize=7.5)
        name_rows(axis, np.arange(len(names)) + 0.5, names, frame)
    return figure


def released_rows(frame: pd.DataFrame) -> Figure:
    """Accuracy of a classifier of few real rows per class with the synthetic rows of all training patients.

    Args:
        frame: generator, family, standing, size, accuracy, alone, all_real (see `release_frame`).
    """
    sizes = sorted(frame["size"].unique())
    lines = frame.assign(x=frame["size"].map({size: at for at, size in enumerate(sizes)}))
    return _panels(lines, [str(size) for size in sizes], "real patients per class")


def few_patients(frame: pd.DataFrame) -> Figure:
    """The same for generators that were themselves fitted on a share of the patients.

    Args:
        frame: generator, family, standing, samples, train_fraction, accuracy, alone, all_real (see `scarce_frame`).
    """
    shares = sorted(frame["train_fraction"].unique())
    samples = frame.groupby("train_fraction")["samples"].mean()
    lines = frame.assign(x=frame["train_fraction"].map({share: at for at, share in enumerate(shares)}))
    ticks = [f"{100 * share:g} %\n({samples[share]:,.0f})" for share in shares]
    return _panels(lines, ticks, "share of the training patients that the generator was fitted on (samples)")


def _panels(frame: pd.DataFrame, ticks: Sequence[str], what: str) -> Figure:
    """A panel per generator: its line, those of the others faint behind it, and real rows alone."""
    groups = dict(list(frame.groupby("generator", sort=False)))
    known = looks(frame["family"])
    columns = min(PANELS_PER_ROW, len(groups))
    rows = -(-len(groups) // columns)
    alone, every = frame.groupby("x")["alone"].mean(), float(frame["all_real"].mean())
    with drawn(rows, columns, height=1.35 * rows + 0.8, grid="y", sharex=True, sharey=True) as (figure, axes):
        hide_empty(axes, len(groups), columns)
        for axis, (name, mine) in zip(axes, groups.items(), strict=False):
            for other in groups.values():
                axis.plot(other["x"], other["accuracy"], color=FAINT, linewidth=0.7, zorder=1)
            look = known[str(mine["family"].iloc[0])]
            axis.plot(alone.index, alone, color=INK, linewidth=1.3, linestyle=(0, (4, 1.5)))
            axis.axhline(every, color=INK, linewidth=0.9, linestyle=(0, (1, 1.5)))
            axis.plot(mine["x"], mine["accuracy"], color=look.colour, marker=look.marker, linewidth=1.6, markersize=4)
            name_panel(axis, str(name), mine["standing"].iloc[0] == REFERENCE, _LONGEST_TITLE)
        axes[0].set_xticks(range(len(ticks)), ticks)
        axes[0].set_xlim(-0.3, len(ticks) - 0.7)
        figure.supxlabel(what, fontsize=9)
        figure.supylabel("accuracy on real test samples", fontsize=9)
        handles = [
            Line2D(
                [], [], color=REFERENCE_COLOUR, linewidth=1.6, marker="o", markersize=4, label="with synthetic rows"
            ),
            Line2D([], [], color=INK, linewidth=1.3, linestyle=(0, (4, 1.5)), label="few real rows alone"),
            Line2D([], [], color=INK, linewidth=0.9, linestyle=(0, (1, 1.5)), label="all real rows"),
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=3, fontsize=7.5)
    return figure


def _hundredths(value: float) -> str:
    return "" if math.isnan(value) else f"{100 * value:.0f}"

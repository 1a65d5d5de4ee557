"""Training curves: losses, gradient norms and the validation score by step, one figure per row of a leaderboard."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gexbench.leaderboards.figures.style import literal
from gexbench.leaderboards.records.logs import KEYS, SCORE, quantities

PANELS_PER_ROW = 3
_PANEL_INCHES = (3.6, 2.6)


def training_figure(log: pd.DataFrame, title: str) -> Figure:
    """Losses, then gradient norms, then the validation score by step; one line per fold and seed.

    Args:
        log: `step`, `fold`, `seed`, `state`, and one column per quantity, NaN where it was not taken.
        title: of the figure. Lines of trainings that did not end well are dashed.
    """
    names = quantities(log)
    columns = min(PANELS_PER_ROW, max(len(names), 1))
    rows = -(-max(len(names), 1) // columns)
    width, height = _PANEL_INCHES
    with sns.axes_style("whitegrid"), sns.plotting_context("paper"):
        figure = Figure(figsize=(width * columns, height * rows + 0.5), layout="constrained")
        figure.suptitle(literal(title))
        axes: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axis in axes[len(names) :]:
            axis.remove()
        for axis, name in zip(axes, names, strict=False):
            _panel(axis, log, name)
        shown = {
            label: line
            for axis in axes[: len(names)]
            for line, label in zip(*axis.get_legend_handles_labels(), strict=True)
        }
        if shown:
            labels = sorted(shown)
            figure.legend([shown[label] for label in labels], labels, loc="outside lower center", ncols=len(labels))
    return figure


def _panel(axis: Axes, log: pd.DataFrame, name: str) -> None:
    shown = log[[*KEYS, name]].dropna(subset=[name])
    lines = list(shown.groupby(["fold", "seed"], sort=True))
    seeds = log["seed"].nunique()
    folds = sorted(log["fold"].unique())
    colours = dict(zip(folds, sns.color_palette("colorblind", n_colors=len(folds)), strict=True))
    for (fold, seed), line in lines:
        ended_well = (line["state"] == "ok").all()
        label = f"fold {fold}" + (f" seed {seed}" if seeds > 1 else "") + ("" if ended_well else " (did not end well)")
        axis.plot(
            line["step"],
            line[name],
            label=label,
            color=colours[fold],
            linestyle="-" if ended_well else "--",
            marker="o" if name == SCORE or len(line) == 1 else None,
            markersize=3,
            linewidth=1,
        )
    axis.set_xlabel("step")
    axis.set_ylabel(literal(name.replace("_", " ")) + (" (lower is better)" if name == SCORE else ""))

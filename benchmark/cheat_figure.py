"""Heat map of the page "What each metric sees": cheats × metrics."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from gexbench.metrics.catalogue import lookup

_CELL_INCHES = (0.29, 0.27)
_MARGIN_INCHES = (3.6, 3.4)


def heat_map(means: pd.DataFrame, references: int, title: str) -> Figure:
    """Scores as colours and, below 100, hundredths.

    Args:
        means: rows × metric keys, in [0, 1]; the metrics of a family stand together.
        references: number of the rows at the top that are references, set apart by a line.
        title: of the figure.
    """
    families = [lookup(str(key)).family for key in means]
    starts = [at for at in range(len(families)) if at == 0 or families[at] != families[at - 1]]
    width, height = (
        cell * count + margin
        for cell, count, margin in zip(_CELL_INCHES, means.shape[::-1], _MARGIN_INCHES, strict=True)
    )
    with sns.axes_style("white"), sns.plotting_context("paper"):
        figure = Figure(figsize=(width, height), layout="constrained")
        axis = figure.subplots()
        sns.heatmap(
            means,
            ax=axis,
            vmin=0,
            vmax=1,
            cmap="viridis",
            annot=np.vectorize(_hundredths)(means.to_numpy()),
            fmt="",
            annot_kws={"fontsize": 6.5},
            cbar_kws={"label": "score (0: trivial, 1: real rows)", "shrink": 0.7, "pad": 0.01},
        )
    axis.set_title(title, loc="left", pad=20)
    axis.set_xticks(np.arange(means.shape[1]) + 0.5, list(means.columns), rotation=90)
    axis.set_yticks(np.arange(len(means)) + 0.5, list(means.index), rotation=0)
    axis.axhline(references, color="white", linewidth=3)
    for start, end in zip(starts, [*starts[1:], len(families)], strict=True):
        if start:
            axis.axvline(start, color="white", linewidth=3)
        axis.text((start + end) / 2, -0.2, families[start], ha="center", va="bottom", fontsize=9)
    return figure


def _hundredths(score: float) -> str:
    return "" if score >= 0.995 else f"{100 * score:.0f}"


def png(figure: Figure) -> bytes:
    """The figure as PNG; the same scores give the same bytes."""
    content = io.BytesIO()
    with mpl.rc_context({"savefig.facecolor": "white"}):
        figure.savefig(content, format="png", dpi=88, metadata={"Software": None})
    return content.getvalue()

"""Heat map of the page "What each metric sees": metrics × cheats."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gexbench.leaderboards.figures.style import FAINT, INK, SCORES, WIDTH_INCHES, drawn, literal
from gexbench.leaderboards.pages.html_labels import readable
from gexbench.tasks.panel.catalogue import lookup
from gexbench.tasks.panel.protocols import CURRENT

DOTS_PER_INCH = 150
_CELL_INCHES = 0.178
_MARGIN_INCHES = 2.0
_DARK = 0.55
"""Score below which a cell of viridis is dark, so that its figure is white."""
_WHOLE = 0.995


def heat_map(means: pd.DataFrame, references: int, title: str) -> Figure:
    """Scores as colours and, below 100, hundredths; a page wide, a line for each metric.

    Args:
        means: rows × metric keys, in [0, 1]; the metrics of a family stand together.
        references: number of the rows at the top that are references, set apart by a line.
        title: of the figure.
    """
    families = [lookup(str(key)).family for key in means]
    starts = [at for at in range(len(families)) if at == 0 or families[at] != families[at - 1]]
    scores = means.to_numpy().T
    with drawn(width=WIDTH_INCHES, height=_CELL_INCHES * len(scores) + _MARGIN_INCHES, grid="") as (figure, (axis,)):
        mesh = axis.pcolormesh(scores, vmin=0, vmax=1, cmap=SCORES, edgecolors="white", linewidth=0.4)
        axis.set(xlim=(0, scores.shape[1]), ylim=(scores.shape[0], 0))
        for (metric, row), score in np.ndenumerate(scores):
            if score < _WHOLE:
                ink = "white" if score < _DARK else INK
                axis.text(row + 0.5, metric + 0.53, f"{100 * score:.0f}", ha="center", va="center", size=6, color=ink)
        axis.set_yticks(np.arange(len(scores)) + 0.5, [literal(readable(CURRENT, str(key))) for key in means], size=7)
        axis.xaxis.tick_top()
        names = [literal(str(name)) for name in means.index]
        axis.set_xticks(np.arange(len(names)) + 0.5, names, rotation=45, ha="left", va="bottom", size=7.5)
        for label in axis.get_xticklabels():
            label.set_rotation_mode("anchor")
        for label in axis.get_xticklabels()[:references]:
            label.set(style="italic", color="#6b6b6b")
        axis.spines[:].set_visible(False)
        axis.axvline(references, color="white", linewidth=4)
        for start, end in zip(starts, [*starts[1:], len(families)], strict=True):
            _name_family(axis, families[start], start, end)
        bar = figure.colorbar(mesh, ax=axis, location="bottom", shrink=0.5, aspect=40, pad=0.012)
        bar.set_label("score (0: trivial reference, 1: real rows)", size=7.5)
        bar.ax.tick_params(labelsize=7, length=2)
        bar.outline.set_visible(False)
        figure.suptitle(literal(title), x=0.01, ha="left", size=10, weight="bold")
    return figure


def _name_family(axis: Axes, family: str, start: int, end: int) -> None:
    """The family's name right of its lines, and a line of white between it and the family before."""
    if start:
        axis.axhline(start, color="white", linewidth=4)
    across = axis.get_yaxis_transform()
    axis.plot([1.012, 1.012], [start + 0.15, end - 0.15], color=FAINT, linewidth=2, transform=across, clip_on=False)
    middle = (start + end) / 2
    axis.text(1.025, middle, family, rotation=270, ha="left", va="center", size=8, transform=across)


def png(figure: Figure) -> bytes:
    """The figure as PNG; the same scores give the same bytes."""
    content = io.BytesIO()
    with mpl.rc_context({"savefig.facecolor": "white"}):
        smallest = {"optimize": True}
        figure.savefig(content, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None}, pil_kwargs=smallest)
    return content.getvalue()

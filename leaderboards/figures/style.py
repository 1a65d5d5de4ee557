"""Colours, markers and sizes that all figures share.

Families differ by the colours of Okabe & Ito 2008 (safe for colour-blind readers) and by marker, so that they also
differ in grey. Scores run over viridis, whose lightness rises throughout.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gexbench.leaderboards.comparing.judging import REFERENCE
from gexbench.tasks.files.plain_text import plain

SCORES = "viridis"
REFERENCE_COLOUR, INK, FAINT = "#8c8c8c", "#262626", "#d9d9d9"
WIDTH_INCHES = 7.2
"""Width of a page between its margins, the two columns of a journal."""

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe & Ito 2008."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_BUILT_IN = ("diffusion", "scvi", "vae", "wgan-gp")
REFERENCE_FAMILY = "reference"


@dataclass(frozen=True, slots=True)
class Look:
    """How a family of generators is drawn."""

    colour: str
    marker: str


def looks(families: Iterable[str]) -> dict[str, Look]:
    """Family → its look: references grey, the built-in families always the same, others after them by name."""
    others = sorted(set(families) - {REFERENCE_FAMILY, *_BUILT_IN})
    ordered = (*_BUILT_IN, *others)
    found = {name: Look(COLOURS[at % len(COLOURS)], _MARKERS[at % len(_MARKERS)]) for at, name in enumerate(ordered)}
    return found | {REFERENCE_FAMILY: Look(REFERENCE_COLOUR, "*")}


@contextmanager
def drawn(
    rows: int = 1, columns: int = 1, *, width: float = WIDTH_INCHES, height: float, grid: str = "x", **subplots: Any
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure and its axes, row by row, in the style of all figures.

    Args:
        rows, columns: of the axes.
        width, height: of the figure, inches.
        grid: `x`, `y`, `both`, or empty for none.
        subplots: passed on to `Figure.subplots`.
    """
    style = sns.axes_style("whitegrid" if grid else "white", {"axes.edgecolor": INK, "grid.color": FAINT})
    with style, sns.plotting_context("paper"), mpl.rc_context({"axes.linewidth": 0.8, "legend.frameon": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        axes: list[Axes] = list(figure.subplots(rows, columns, squeeze=False, **subplots).ravel())
        for axis in axes:
            axis.tick_params(length=0)
            if grid:
                axis.grid(visible=grid in {"both", "x"}, axis="x")
                axis.grid(visible=grid in {"both", "y"}, axis="y")
                axis.set_axisbelow(True)
            sns.despine(ax=axis)
        yield figure, axes


def family_handles(families: Iterable[str]) -> list[Line2D]:
    """Legend entries of the families, references last."""
    known = looks(families)
    return [
        Line2D([], [], linestyle="", marker=known[name].marker, color=known[name].colour, label=literal(name))
        for name in sorted(set(families), key=lambda name: (name == REFERENCE_FAMILY, name))
    ]


def literal(text: str) -> str:
    """Foreign text on one line that matplotlib writes as it is: no formula."""
    return plain(text).replace("$", r"\$")


def name_rows(axis: Axes, heights: Iterable[float], names: Sequence[str], frame: pd.DataFrame) -> None:
    """Names of generators beside the rows of a figure, those of references in grey italics, as in the tables.

    Args:
        heights, names: of the rows; a ranked generator's rank follows its name where the frame has it.
        frame: generator, standing and perhaps rank.
    """
    about = frame.drop_duplicates("generator").set_index("generator")
    ranks = about["rank"] if "rank" in about else pd.Series(pd.NA, index=about.index)
    texts = [literal(name) if pd.isna(ranks[name]) else f"{literal(name)}  {ranks[name]}" for name in names]
    axis.set_yticks(list(heights), texts, rotation=0, fontsize=7.5)
    for name, label in zip(names, axis.get_yticklabels(), strict=True):
        if about.loc[name, "standing"] == REFERENCE:
            label.set(style="italic", color="#6b6b6b")


def name_panel(axis: Axes, name: str, reference: bool, longest: int) -> None:
    """A generator's name above its panel, in italics for a reference, on two lines where it is too long for one."""
    at = name.rfind("-", 0, longest) if len(name) > longest else -1
    text = f"{literal(name[: at + 1])}\n{literal(name[at + 1 :])}" if at > 0 else literal(name)
    axis.set_title(text, fontsize=7, style="italic" if reference else "normal", linespacing=0.95)
    axis.tick_params(labelsize=7)


def hide_empty(axes: list[Axes], shown: int, columns: int) -> None:
    """Take away the axes past `shown`, and give tick labels to those that now stand lowest in their column."""
    for axis in axes[shown:]:
        axis.set_axis_off()
    for axis in axes[max(shown - columns, 0) : shown]:
        axis.tick_params(labelbottom=True)

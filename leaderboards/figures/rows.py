"""Figures of rows: real and synthetic samples of the same patients in one principal component analysis, and their
gene-gene correlations side by side. Functions of arrays alone.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from gexbench.leaderboards.figures.labels import place_labels
from gexbench.leaderboards.figures.style import INK, drawn, literal
from gexbench.leaderboards.statistics import FloatArray

_REAL, _SYNTHETIC = "#8c8c8c", "#0072B2"
_CORRELATIONS = "cividis"


def principal_components(real: Any, synthetic: Any, labels: Any, title: str) -> Figure:
    """Real and synthetic samples on the first two principal components of the real ones.

    Three panels on the same axes: both together, real samples with the name of each class at its median, synthetic
    samples likewise; names without room are left out, those of small classes first.

    Args:
        real, synthetic: (n, genes) in the cohort's unit, row i of both for the same patient; at least 3 rows.
        labels: (n,) class of each patient.
        title: name of the generator.

    Raises:
        ValueError: shapes that differ, fewer than 3 rows or 2 genes that vary among the real rows.
    """
    x, y = _pair(real, synthetic)
    names = np.asarray(labels, dtype=str)
    if names.shape != (len(x),):
        raise ValueError(f"labels {names.shape} for {len(x)} rows; give one per row")
    first, second, shares = _projected(x, y)
    with drawn(1, 3, height=2.9, grid="", sharex=True, sharey=True) as (figure, axes):
        axes[0].scatter(first[:, 0], first[:, 1], s=7, color=_REAL, marker="o", linewidths=0, alpha=0.7, label="real")
        axes[0].scatter(
            second[:, 0], second[:, 1], s=9, color=_SYNTHETIC, marker="x", linewidths=0.6, alpha=0.7, label="synthetic"
        )
        axes[0].legend(loc="upper left", fontsize=7, handletextpad=0.1, borderaxespad=0.1, markerscale=1.6)
        axes[0].set_title("both", fontsize=8.5)
        _by_class(axes[1], first, names, _REAL, "o", "real")
        _by_class(axes[2], second, names, _SYNTHETIC, "x", title)
        axes[0].set_ylabel(f"PC 2 ({100 * shares[1]:.0f} % of the real variance)", fontsize=8)
        figure.supxlabel(f"PC 1 ({100 * shares[0]:.0f} % of the real variance)", fontsize=8)
        axes[0].set_xticks([])
        axes[0].set_yticks([])
        for axis, points in ((axes[1], first), (axes[2], second)):
            centres = _centres(points, names)
            place_labels(figure, axis, centres, list(centres.index), size=6)
    return figure


def gene_correlations(real: Any, synthetic: Any, title: str) -> Figure:
    """Pearson correlations of genes, real and synthetic side by side, and one against the other.

    Genes stand in the order of an average-linkage clustering of the real correlations.

    Args:
        real, synthetic: (n, genes) in the cohort's unit; the numbers of rows may differ.
        title: name of the generator.

    Raises:
        ValueError: other genes, fewer than 3 rows, or fewer than 3 genes that vary among the real rows.
    """
    x, y = np.asarray(real, dtype=np.float64), np.asarray(synthetic, dtype=np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 3:
        raise ValueError(f"real {x.shape} and synthetic {y.shape}: give the same genes, and at least 3 rows of each")
    varies = x.std(axis=0) > 0
    if varies.sum() < 3:
        raise ValueError(f"{varies.sum()} genes vary among the real rows; the clustering needs 3")
    a, b = _correlations(x[:, varies]), _correlations(y[:, varies])
    order = leaves_list(linkage(squareform(1 - a, checks=False), "average"))
    with drawn(1, 3, height=3.1, grid="", width_ratios=(1, 1, 0.9)) as (figure, axes):
        for axis, matrix, name in ((axes[0], a, "real"), (axes[1], b, title)):
            image = axis.imshow(
                matrix[np.ix_(order, order)],
                vmin=-1,
                vmax=1,
                cmap=_CORRELATIONS,
                interpolation="nearest",
                aspect="equal",
            )
            axis.set_title(literal(name), fontsize=8.5)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=list(axes[:2]), location="bottom", shrink=0.6, aspect=35, pad=0.02)
        bar.set_label(f"correlation of {varies.sum():,} genes", fontsize=8)
        bar.ax.tick_params(labelsize=7)
        _against(axes[2], a, b)
    return figure


def _against(axis: Axes, a: FloatArray, b: FloatArray) -> None:
    """Every pair of genes once: synthetic against real correlation, in hexagons by the logarithm of their number."""
    pairs = np.triu_indices(len(a), k=1)
    axis.hexbin(
        a[pairs], b[pairs], gridsize=45, bins="log", cmap="Greys", mincnt=1, extent=(-1, 1, -1, 1), linewidths=0
    )
    axis.plot([-1, 1], [-1, 1], color="#D55E00", linewidth=0.9)
    error = float(np.mean((a[pairs] - b[pairs]) ** 2))
    axis.set_title(f"mean square difference {error:.4f}", fontsize=7)
    axis.set_xlabel("correlation, real", fontsize=8)
    axis.set_ylabel("correlation, synthetic", fontsize=8)
    axis.set(xlim=(-1, 1), ylim=(-1, 1), xticks=[-1, 0, 1], yticks=[-1, 0, 1], aspect="equal")
    axis.tick_params(labelsize=7)


def _correlations(rows: FloatArray) -> FloatArray:
    """Pearson correlations; those of a gene without variation are 0, its own 1."""
    centred = rows - rows.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    scaled = centred / np.where(norms > 0, norms, 1.0)
    found: FloatArray = np.clip(scaled.T @ scaled, -1.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return found


def _pair(real: Any, synthetic: Any) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(real, dtype=np.float64), np.asarray(synthetic, dtype=np.float64)
    if x.ndim != 2 or x.shape != y.shape or len(x) < 3:
        raise ValueError(f"real {x.shape} and synthetic {y.shape}: give rows of the same patients, at least 3")
    return x, y


def _projected(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(n, 2) of both on the components of `x`, whose genes are centred and scaled; shares of its variance."""
    mean, scale = x.mean(axis=0), x.std(axis=0)
    varies = scale > 0
    if varies.sum() < 2:
        raise ValueError(f"{varies.sum()} genes vary among the real rows; two components need 2")
    a, b = ((rows[:, varies] - mean[varies]) / scale[varies] for rows in (x, y))
    _, values, components = np.linalg.svd(a, full_matrices=False)
    axes = components[:2] * np.sign(components[:2].sum(axis=1, keepdims=True) + 1e-300)  # one sign on every machine
    return a @ axes.T, b @ axes.T, values[:2] ** 2 / (values**2).sum()


def _by_class(axis: Axes, points: FloatArray, names: NDArray[np.str_], colour: str, marker: str, title: str) -> None:
    axis.scatter(points[:, 0], points[:, 1], s=6, color=colour, marker=marker, linewidths=0.5, alpha=0.3)
    centres = _centres(points, names)
    axis.plot(centres[0], centres[1], "o", color=INK, markersize=2.5, linestyle="")
    axis.set_title(literal(title), fontsize=8.5)


def _centres(points: FloatArray, names: NDArray[np.str_]) -> pd.DataFrame:
    """Median of every class on both components, the largest class first."""
    frame = pd.DataFrame(points).groupby(names)
    order = frame.size().sort_values(ascending=False, kind="stable").index
    return frame.median().loc[order]

"""Figures of rows: what is projected, what is correlated, and what is refused."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import pearsonr

from gexbench.leaderboards.figures.rows import gene_correlations, principal_components
from gexbench.leaderboards.figures.writing import figure_bytes

Rows = NDArray[np.float64]


@pytest.fixture
def rows() -> Rows:
    generator = np.random.default_rng(0)
    made: Rows = generator.normal(size=(40, 2)) @ generator.normal(size=(2, 8)) + generator.normal(size=(40, 8)) / 4
    made[:, 7] = 3.0
    return made


def points(axis: Any, at: int = 0) -> Rows:
    return np.asarray(axis.collections[at].get_offsets())


def test_real_rows_lie_on_their_own_components_and_equal_rows_on_top_of_them(rows: Rows) -> None:
    labels = np.repeat(["A", "B"], 20)
    figure = principal_components(rows, rows, labels, "copy")
    both, real, synthetic = figure.axes
    np.testing.assert_allclose(points(both, 0), points(both, 1))
    found = points(real)
    np.testing.assert_allclose(found, points(synthetic))
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    assert abs(pearsonr(found[:, 0], found[:, 1])[0]) < 1e-9
    standardised = (rows[:, :7] - rows[:, :7].mean(axis=0)) / rows[:, :7].std(axis=0)
    values = np.linalg.eigvalsh(np.cov(standardised.T, bias=True))[::-1]
    np.testing.assert_allclose(found.var(axis=0), values[:2])
    assert f"{100 * values[0] / values.sum():.0f} %" in figure.get_supxlabel()
    medians = np.column_stack([np.asarray(line) for line in real.lines[0].get_data()])
    np.testing.assert_allclose(
        sorted(medians.tolist()), sorted([np.median(found[labels == n], axis=0).tolist() for n in "AB"])
    )


def test_a_shift_of_the_synthetic_rows_is_seen_in_the_real_rows_space(rows: Rows) -> None:
    labels = np.repeat(["A", "B"], 20)
    shifted = principal_components(rows, rows + rows.std(axis=0), labels, "shifted").axes[0]
    assert np.abs(points(shifted, 1) - points(shifted, 0)).max() > 0.5
    offsets = points(shifted, 1) - points(shifted, 0)
    np.testing.assert_allclose(offsets, np.broadcast_to(offsets[0], offsets.shape), atol=1e-9)


def test_the_correlations_are_pearsons_in_one_order_of_genes(rows: Rows) -> None:
    generator = np.random.default_rng(1)
    synthetic = rows + generator.normal(size=rows.shape)
    figure = gene_correlations(rows, synthetic, "noisy")
    real, made = (np.asarray(axis.images[0].get_array()) for axis in figure.axes[:2])
    assert real.shape == (7, 7)
    order = [
        next(g for g in range(7) if np.allclose(sorted(np.corrcoef(rows[:, :7].T)[g]), sorted(row))) for row in real
    ]
    assert sorted(order) == list(range(7))
    np.testing.assert_allclose(real, np.corrcoef(rows[:, order].T))
    np.testing.assert_allclose(made, np.corrcoef(synthetic[:, order].T))
    pairs = np.triu_indices(7, 1)
    error = np.mean((real[pairs] - made[pairs]) ** 2)
    assert f"{error:.4f}" in figure.axes[2].get_title()


def test_a_gene_that_is_constant_among_synthetic_rows_correlates_with_nothing(rows: Rows) -> None:
    synthetic = rows.copy()
    synthetic[:, 0] = 1.0
    shown = np.asarray(gene_correlations(rows, synthetic, "flat").axes[1].images[0].get_array())
    assert np.isfinite(shown).all()
    assert ((np.abs(shown).sum(axis=0) == 1).sum(), shown.diagonal().tolist()) == (1, [1.0] * 7)


def test_the_same_rows_give_the_same_bytes(rows: Rows) -> None:
    before = dict(mpl.rcParams)
    labels = np.repeat(["A", "B"], 20)
    for draw in (lambda: principal_components(rows, rows + 1, labels, "x"), lambda: gene_correlations(rows, rows, "x")):
        assert figure_bytes(draw(), "svg") == figure_bytes(draw(), "svg")
    assert dict(mpl.rcParams) == before


def test_rows_that_do_not_match_are_refused(rows: Rows) -> None:
    labels = np.repeat("A", 40)
    with pytest.raises(ValueError, match="same patients"):
        principal_components(rows, rows[:-1], labels, "x")
    with pytest.raises(ValueError, match="one per row"):
        principal_components(rows, rows, labels[:-1], "x")
    with pytest.raises(ValueError, match="vary"):
        principal_components(np.ones((5, 4)), np.ones((5, 4)), labels[:5], "x")
    with pytest.raises(ValueError, match="same genes"):
        gene_correlations(rows, rows[:, :-1], "x")
    with pytest.raises(ValueError, match="vary"):
        gene_correlations(np.ones((5, 4)), np.ones((5, 4)), "x")

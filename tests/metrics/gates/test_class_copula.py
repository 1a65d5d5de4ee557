"""The class copula keeps the marginals and correlations of every class."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage

from gexbench.metrics.gates.class_copula import _shrinkage, class_copula_rows


@pytest.fixture
def known():
    rng = np.random.default_rng(0)
    mixing = np.eye(6) + np.triu(rng.normal(size=(6, 6)), 1)
    labels = np.repeat(["a", "b"], 400)
    rows = np.exp(0.3 * rng.normal(size=(800, 6)) @ mixing) + 3 * (labels == "b")[:, None]
    return rows, labels


def test_marginals_and_correlations_of_each_class(known):
    rows, labels = known
    asked = np.repeat(["b", "a"], 2000)
    made = class_copula_rows(rows, labels, asked, 1)
    for name in "ab":
        real, drawn = rows[labels == name], made[asked == name]
        levels = np.linspace(0.1, 0.9, 9)
        spread = real.std(axis=0)
        assert (np.abs(np.quantile(drawn, levels, axis=0) - np.quantile(real, levels, axis=0)) < 0.15 * spread).all()
        assert drawn.min() >= real.min()
        assert drawn.max() <= real.max()
        ranks = [np.corrcoef(each.argsort(axis=0).argsort(axis=0).T) for each in (real, drawn)]
        assert np.abs(ranks[0] - ranks[1]).max() < 0.1


def test_shrinkage_is_that_of_ledoit_and_wolf(known):
    for rows in (known[0], np.random.default_rng(1).normal(size=(12, 40))):
        centred = rows - rows.mean(axis=0)
        shrinkage, level = _shrinkage(centred)
        assert shrinkage == pytest.approx(ledoit_wolf_shrinkage(centred, assume_centered=True))
        assert level == pytest.approx(centred.var(axis=0).mean())


def test_draws_follow_the_seed_and_small_classes_all_rows(known):
    rows, labels = known
    labels = labels.copy()
    labels[:2] = "c"
    asked = np.array(["c", "a", "b"] * 5)
    made = class_copula_rows(rows, labels, asked, 4)
    assert (made == class_copula_rows(rows, labels, asked, 4)).all()
    assert (made != class_copula_rows(rows, labels, asked, 5)).any(axis=1).all()
    assert len(np.unique(made[asked == "c"].round(6), axis=0)) == 5

"""What holds for every metric whatever the data: identity, order of rows and genes, units, and who is real."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexbench.metrics import biology, co_expression, distribution, membership, memorisation, paired, structure, support
from gexbench.metrics.structure import correlation_matrix

N, GENES, KINDS = 36, 12, np.array(["a", "b", "c"])[np.arange(36) % 3]
SETS = np.random.default_rng(0).random((GENES, 5)) < 0.4
MODULES = (np.arange(5), np.arange(5, GENES))
Metric = Callable[[Any, Any, Any, Any], float]


@dataclass(frozen=True)
class Claim:
    """A metric of (real, synthetic, labels, genes' order) and what its docstring says of it.

    identity: value of a set against itself, None where the metric does not say. degree: c real and c synthetic rows
    give c**degree times the value. shifts: whether a shift of both sets per gene changes nothing; scales: whether a
    positive factor per gene changes nothing; paired: row i of both sets belong together.
    """

    metric: Metric
    identity: float | None
    degree: int = 0
    shifts: bool = True
    scales: bool = False
    paired: bool = False


def _sets(order):
    return SETS[order]


def _modules(order):
    place = np.argsort(order)
    return [place[module] for module in MODULES]


def _draws(y):
    """Three draws per patient around the rows."""
    return np.stack([y, y + 0.3, y - 0.5], axis=1)


CLAIMS = {
    "precision": Claim(lambda x, y, k, o: support.precision(x, y), 1.0),
    "recall": Claim(lambda x, y, k, o: support.recall(x, y), 1.0),
    "density": Claim(lambda x, y, k, o: support.density(x, y), None),
    "coverage": Claim(lambda x, y, k, o: support.coverage(x, y), 1.0),
    "frechet": Claim(lambda x, y, k, o: distribution.frechet(x, y), 0.0, degree=2),
    # The unbiased estimate of a set against itself is negative: its own rows meet in the cross term.
    "mmd": Claim(lambda x, y, k, o: distribution.mmd(x, y), None),
    "energy": Claim(lambda x, y, k, o: distribution.energy_distance(x, y), 0.0, degree=1),
    "wasserstein": Claim(lambda x, y, k, o: distribution.wasserstein_1d(x, y).mean(), 0.0, degree=1),
    "wasserstein_max": Claim(lambda x, y, k, o: distribution.wasserstein_1d(x, y).max(), 0.0, degree=1),
    "ks": Claim(lambda x, y, k, o: distribution.ks(x, y).mean(), 0.0, scales=True),
    "ks_max": Claim(lambda x, y, k, o: distribution.ks(x, y).max(), 0.0, scales=True),
    "correlation_mse": Claim(lambda x, y, k, o: structure.correlation_mse(x, y), 0.0, scales=True),
    "correlation_gamma": Claim(lambda x, y, k, o: structure.correlation_gamma(x, y), 1.0, scales=True),
    "strong_pairs": Claim(lambda x, y, k, o: structure.strong_pairs_mae(x, y, threshold=0.1), 0.0, scales=True),
    "variance_ratio": Claim(lambda x, y, k, o: structure.variance_ratio(x, y, k), 1.0, paired=True),
    "de_concordance": Claim(lambda x, y, k, o: biology.de_concordance(x, y, k), 1.0, paired=True),
    "de_overlap": Claim(lambda x, y, k, o: biology.de_overlap(x, y, k, 4), 1.0, scales=True, paired=True),
    "pathway_concordance": Claim(
        lambda x, y, k, o: biology.pathway_concordance(
            *(biology.pathway_activity(rows, _sets(o)) for rows in (x, y)), k
        ),
        1.0,
        shifts=False,
        paired=True,
    ),
    "pathway_agreement": Claim(
        lambda x, y, k, o: biology.pathway_agreement(*(biology.pathway_activity(rows, _sets(o)) for rows in (x, y))),
        1.0,
        shifts=False,
    ),
    "module_connectivity": Claim(
        lambda x, y, k, o: co_expression.module_connectivity(correlation_matrix(x), correlation_matrix(y), _modules(o)),
        1.0,
        scales=True,
    ),
    "module_density": Claim(
        lambda x, y, k, o: co_expression.module_density_error(
            correlation_matrix(x), correlation_matrix(y), _modules(o)
        ),
        0.0,
        scales=True,
    ),
    "copy_share": Claim(lambda x, y, k, o: memorisation.copy_share(y, x, 0.8), 1.0),
    "nearer_share": Claim(lambda x, y, k, o: membership.nearer_share(y, x, x[::2] + 1.0), 1.0, degree=0),
    "crps": Claim(lambda x, y, k, o: paired.crps(_draws(y), x), None, paired=True),
    "within_class_correlation": Claim(
        lambda x, y, k, o: paired.within_class_correlation(y, x, k), 1.0, scales=True, paired=True
    ),
    "retrieval": Claim(lambda x, y, k, o: paired.retrieval(y, x, k), 1.0, paired=True),
}
# These place fixed offsets beside the rows, so that their value at another scale is another question.
NOT_SCALED = {"nearer_share", "crps"}
ORDER = np.arange(GENES)
seeds = st.integers(0, 10**6)


def _world(seed):
    rng = np.random.default_rng(seed)
    loadings = rng.normal(size=(3, GENES))
    centres = rng.normal(size=(3, GENES))[np.arange(N) % 3]
    real, synthetic = (
        centres + rng.normal(size=(N, 3)) @ loadings + 0.5 * rng.normal(size=(N, GENES)) for _ in range(2)
    )
    return rng, real, 0.8 * synthetic + 0.3


@pytest.mark.parametrize("name", [name for name, claim in CLAIMS.items() if claim.identity is not None])
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_identity(name, seed):
    _, real, synthetic = _world(seed)
    claim = CLAIMS[name]
    assert claim.metric(real, real.copy(), KINDS, ORDER) == pytest.approx(claim.identity, abs=1e-6)
    assert claim.metric(real, synthetic, KINDS, ORDER) != pytest.approx(claim.identity, abs=1e-6) or name in {
        *("precision", "recall", "coverage", "copy_share", "retrieval", "nearer_share", "de_overlap")
    }


@pytest.mark.parametrize("name", CLAIMS)
@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_order_of_rows_and_genes(name, seed):
    rng, real, synthetic = _world(seed)
    claim = CLAIMS[name]
    expected = claim.metric(real, synthetic, KINDS, ORDER)
    first = rng.permutation(N)
    second = first if claim.paired else rng.permutation(N)
    real_order = np.arange(N) if name == "nearer_share" else first
    rows = claim.metric(real[real_order], synthetic[second], KINDS[first], ORDER)
    assert rows == pytest.approx(expected, abs=1e-9)
    genes = rng.permutation(GENES)
    moved = claim.metric(real[:, genes], synthetic[:, genes], KINDS, genes)
    assert moved == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", [name for name in CLAIMS if name not in NOT_SCALED])
@settings(max_examples=8, deadline=None)
@given(seed=seeds, factor=st.sampled_from([0.25, 3.0, 1000.0]))
def test_units(name, seed, factor):
    rng, real, synthetic = _world(seed)
    claim = CLAIMS[name]
    expected = claim.metric(real, synthetic, KINDS, ORDER)
    scaled = claim.metric(factor * real, factor * synthetic, KINDS, ORDER)
    assert scaled == pytest.approx(factor**claim.degree * expected, rel=1e-6, abs=1e-9)
    if claim.shifts:
        shift = rng.normal(size=GENES)
        moved = claim.metric(real + shift, synthetic + shift, KINDS, ORDER)
        assert moved == pytest.approx(expected, rel=1e-6, abs=1e-9)
    if claim.scales:
        factors = rng.uniform(0.2, 5.0, GENES)
        stretched = claim.metric(real * factors, synthetic * factors, KINDS, ORDER)
        assert stretched == pytest.approx(expected, rel=1e-6, abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=seeds, factor=st.sampled_from([0.25, 3.0]))
def test_units_of_paired_and_sliced_metrics(seed, factor):
    _, real, synthetic = _world(seed)
    draws = _draws(synthetic)
    assert paired.crps(factor * draws, factor * real) == pytest.approx(factor * paired.crps(draws, real))
    assert paired.rank_histogram(np.exp(draws), np.exp(real)) == pytest.approx(paired.rank_histogram(draws, real))
    sliced = distribution.sliced_wasserstein
    assert sliced(factor * real, factor * synthetic) == pytest.approx(factor * sliced(real, synthetic))
    assert sliced(real[::-1], synthetic) == pytest.approx(sliced(real, synthetic))
    assert sliced(real, real[::-1]) == pytest.approx(0, abs=1e-9)


@settings(max_examples=8, deadline=None)
@given(seed=seeds)
def test_ranks_alone_decide(seed):
    """KS by any increasing function per gene; pathway activities by any increasing function of a whole sample."""
    _, real, synthetic = _world(seed)
    assert distribution.ks(real**3, synthetic**3) == pytest.approx(distribution.ks(real, synthetic))
    for made in (np.exp(real), real - real.mean(axis=1, keepdims=True)):
        assert biology.pathway_activity(made, SETS) == pytest.approx(biology.pathway_activity(real, SETS))


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_who_is_real(seed):
    """A swap of the sets swaps precision and recall; distances do not change; the variance ratio turns over."""
    _, real, synthetic = _world(seed)
    there, back = support.support_measures(real, synthetic), support.support_measures(synthetic, real)
    assert (there.precision, there.recall) == (back.recall, back.precision)
    symmetric = ("frechet", "energy", "wasserstein", "ks", "correlation_mse", "correlation_gamma", "module_density")
    for name in symmetric:
        metric = CLAIMS[name].metric
        assert metric(real, synthetic, KINDS, ORDER) == pytest.approx(metric(synthetic, real, KINDS, ORDER), abs=1e-9)
    assert distribution.mmd(real, synthetic, 2.0) == pytest.approx(distribution.mmd(synthetic, real, 2.0))
    ratio = structure.variance_ratio(real, synthetic, KINDS)
    assert structure.variance_ratio(synthetic, real, KINDS) == pytest.approx(1.0 / ratio)

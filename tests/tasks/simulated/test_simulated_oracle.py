"""The exact oracle: closed forms against brute force, calibration against the truth."""

import itertools
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import multivariate_normal

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.simulated.cohort import simulated_cohort
from gexbench.tasks.simulated.oracle import GRID, KINDS, Kind, oracle
from gexbench.tasks.simulated.world import AGE_DECADES, GRADES, PATCH_NOISE, PROGRAMMES, STAGES, TYPES, World
from gexbench.tasks.text.clinical_text import clinical_texts

DRAWS = 19
SUBSETS: tuple[tuple[Kind, ...], ...] = tuple(
    subset for size in (1, 2, 3) for subset in itertools.combinations(KINDS, size)
)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulated_cohort(text=False)


@pytest.fixture(scope="module")
def drawn(cohort: Cohort) -> dict[tuple[Kind, ...], NDArray[np.float64]]:
    """Subset of conditions → (patients, draws, genes)."""
    return {kinds: oracle(cohort, kinds).sample(cohort.samples, DRAWS, seed=7).astype(float) for kinds in SUBSETS}


def _crps(draws: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Mean fair CRPS in units of the gene's sd (Ferro 2014)."""
    rank = 2 * np.arange(DRAWS) - DRAWS + 1.0
    spread = np.einsum("nmg,m->ng", np.sort(draws, axis=1), rank) / (DRAWS * (DRAWS - 1))
    return float(((np.abs(draws - truth[:, None]).mean(1) - spread) / truth.std(0)).mean())


def _within_type_correlation(cohort: Cohort, draws: NDArray[np.float64]) -> float:
    mean, truth, labels = draws.mean(1), cohort.expression.astype(float), cohort.labels("project")
    for name in np.unique(labels):
        mean[labels == name] -= mean[labels == name].mean(0)
        truth[labels == name] -= truth[labels == name].mean(0)
    return float(np.median((mean * truth).sum(0) / np.sqrt((mean**2).sum(0) * (truth**2).sum(0))))


def test_ladder_of_conditions(cohort: Cohort, drawn: dict[tuple[Kind, ...], NDArray[np.float64]]) -> None:
    truth = cohort.expression.astype(float)
    ladder: list[tuple[Kind, ...]] = [("labels",), ("labels", "text"), ("labels", "patches"), KINDS]
    correlations = [_within_type_correlation(cohort, drawn[kinds]) for kinds in ladder]
    scores = [_crps(drawn[kinds], truth) for kinds in ladder]
    np.testing.assert_allclose(correlations, [0.00, 0.22, 0.48, 0.49], atol=0.02)
    np.testing.assert_allclose(scores, [0.537, 0.509, 0.454, 0.451], atol=0.008)
    assert correlations == sorted(correlations)
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("kinds", SUBSETS, ids="+".join)
def test_draws_are_calibrated(
    cohort: Cohort, drawn: dict[tuple[Kind, ...], NDArray[np.float64]], kinds: tuple[Kind, ...]
) -> None:
    smooth = (cohort.expression > 0).all(0)
    truth, draws = cohort.expression[:, smooth], np.sort(drawn[kinds][:, :, smooth], axis=1)
    rank = (draws < truth[:, None]).sum(1)
    share = np.bincount(rank.ravel(), minlength=DRAWS + 1) / rank.size
    assert share.min() > 0.04
    assert share.max() < 0.06
    assert ((truth >= draws[:, 1]) & (truth <= draws[:, 17])).mean() == pytest.approx(0.80, abs=0.015)


@pytest.fixture(scope="module")
def brute_force(cohort: Cohort) -> tuple[str, list[tuple[int, ...]], NDArray[np.float64], NDArray[np.float64]]:
    """A patient with four patches: hypotheses, their log weights and mean programmes from the joint Gaussian."""
    assert cohort.patches is not None
    row = int(np.flatnonzero(cohort.patches.counts == 4)[0])
    world: World = oracle(cohort).world
    rows = cohort.patches.take(np.asarray([row])).values.astype(float)
    region = rows[:, :4].argmax(1)
    look = rows[:, 4:]
    hypotheses = [(0, 0, 0, 0, 0), (0, 3, 2, 1, 4), (1, 5, 3, 2, 2), (5, 2, 1, 0, 3), (7, 1, 0, 2, 1)]
    loadings = np.concatenate([world.region_loadings[name] for name in region])
    covariance = PATCH_NOISE**2 * np.eye(len(loadings)) + loadings @ loadings.T
    log_weights, programmes = [], []
    for kind, site, stage, grade, age in hypotheses:
        mean = (
            world.type_programmes[kind]
            + (2 * stage / 3 - 1) * world.stage_effect
            + (grade - 1) * world.grade_effect
            + (age / 2 - 1) * world.age_effect
        )
        expected = np.concatenate([world.region_mean[name] + world.look[kind, site] for name in region])
        expected += loadings @ mean
        prior = TYPES[kind].weight * world.site_given_type[kind, site] * world.stage_given_type[kind, stage]
        prior *= world.grade_given_type[kind, grade] * world.age_given_type[kind, age]
        log_weights.append(np.log(prior) + multivariate_normal(expected, covariance).logpdf(look.ravel()))
        programmes.append(mean + loadings.T @ np.linalg.solve(covariance, look.ravel() - expected))
    return str(cohort.samples[row]), hypotheses, np.asarray(log_weights), np.asarray(programmes)


def test_weights_and_means_equal_the_joint_gaussian(
    cohort: Cohort, brute_force: tuple[str, list[tuple[int, ...]], NDArray[np.float64], NDArray[np.float64]]
) -> None:
    sample, hypotheses, log_weights, programmes = brute_force
    exact = oracle(cohort, ["patches"])
    found = np.log([exact.weights([sample])[0][place] for place in hypotheses])
    np.testing.assert_allclose(np.diff(found), np.diff(log_weights), rtol=0, atol=1e-8)
    _, white, whitening = exact._posterior(exact.ids.get_indexer([sample]))
    flat = np.ravel_multi_index(np.transpose(hypotheses), GRID)
    np.testing.assert_allclose(white[0, flat] @ whitening[0], programmes, atol=1e-8)
    counts = exact.shown.counts[exact.ids.get_indexer([sample])[0]]
    gram = sum(n * loadings.T @ loadings for n, loadings in zip(counts, exact.world.region_loadings, strict=True))
    information = np.eye(len(PROGRAMMES)) + gram / PATCH_NOISE**2
    np.testing.assert_allclose(whitening[0].T @ whitening[0], np.linalg.inv(information), atol=1e-12)


def test_weights_keep_to_what_is_shown(cohort: Cohort) -> None:
    rows = np.arange(60)
    table = cohort.clinical.iloc[rows]
    kinds = np.asarray([[kind.project for kind in TYPES].index(name) for name in table["project"]])
    labels = oracle(cohort, ["labels"]).weights(cohort.samples[rows])
    np.testing.assert_allclose(labels[rows, kinds].sum((1, 2, 3, 4)), 1)
    assert (labels[rows, kinds].sum((2, 3, 4)) > 0).all()

    full = oracle(cohort, ["text"]).weights(cohort.samples[rows])
    plain = oracle(cohort, ["text"], text="plain").weights(cohort.samples[rows])
    np.testing.assert_allclose(full[rows, kinds].sum((1, 2, 3, 4)), 1)
    assert ((plain > 0).any((2, 3, 4, 5)).sum(1) == len(TYPES)).all()
    ages = (table["age_diagnosed"] // 10 - AGE_DECADES[0] // 10).to_numpy(dtype=int)
    for shown in (full, plain):
        np.testing.assert_allclose(np.moveaxis(shown, 5, 1)[rows, ages].sum((1, 2, 3, 4)), 1)
        for place, stage in enumerate(table["ajcc_stage"]):
            left = np.flatnonzero(shown[place].sum((0, 1, 3, 4)))
            assert left.tolist() == ([STAGES.index(stage)] if stage else list(range(len(STAGES))))
    for place, grade in enumerate(table["histological_grade"]):
        left = np.flatnonzero(full[place].sum((0, 1, 2, 4)))
        assert left.tolist() == ([GRADES.index(grade)] if grade else list(range(len(GRADES))))
        assert (plain[place].sum((0, 1, 2, 4)) > 0).all()


@pytest.mark.parametrize("variant", ["full", "plain"])
def test_it_knows_what_the_text_says_and_no_more(cohort: Cohort, variant: Literal["full", "plain"]) -> None:
    """Same shown codes, sex and race ⇔ same text."""
    codes = oracle(cohort, ["text"], text=variant).shown.codes
    others = cohort.clinical[["gender", "race"]].to_numpy().tolist()
    known = [(*shown, *other) for shown, other in zip(codes.tolist(), others, strict=True)]
    texts = clinical_texts(cohort.clinical, variant)
    assert len(set(known)) == len(set(texts)) == len(set(zip(known, texts, strict=True)))


def test_without_conditions_it_is_the_prior(cohort: Cohort) -> None:
    exact = oracle(cohort, [])
    weights = exact.weights(cohort.samples[:2])[0]
    np.testing.assert_allclose(weights.sum((1, 2, 3, 4)), [kind.weight for kind in TYPES])
    world = exact.world
    np.testing.assert_allclose(weights[3].sum((0, 2, 3)), world.type_weights[3] * world.stage_given_type[3])


def test_patches_sharpen_the_type(cohort: Cohort) -> None:
    weights = oracle(cohort, ["patches"]).weights(cohort.samples[:300]).sum((2, 3, 4, 5))
    truth = np.asarray([[kind.project for kind in TYPES].index(name) for name in cohort.labels("project")[:300]])
    assert (weights.argmax(1) == truth).mean() > 0.75


def test_expression_is_never_read(cohort: Cohort) -> None:
    blank = replace(cohort, expression=np.zeros_like(cohort.expression))
    first, second = (oracle(given).sample(cohort.samples[:30], 3, seed=5) for given in (cohort, blank))
    np.testing.assert_array_equal(first, second)


def test_patients_are_found_by_id_whatever_the_row_order(cohort: Cohort) -> None:
    mixed = cohort.take(np.random.default_rng(0).permutation(len(cohort))[:500])
    ids = mixed.samples[:40]
    expected = oracle(cohort).sample(ids, 2, seed=11)
    np.testing.assert_array_equal(oracle(mixed).sample(ids, 2, seed=11), expected)
    np.testing.assert_array_equal(oracle(cohort.provenance).sample(ids, 2, seed=11), expected)
    assert not np.array_equal(oracle(cohort).sample(ids[::-1], 2, seed=11)[::-1], expected)
    with pytest.raises(InputError, match=r"1 of 2 ids .*\(SIM-9999\)"):
        oracle(cohort).sample(["SIM-0001", "SIM-9999"], seed=0)


def test_same_seed_same_bits_other_seed_other_draws(cohort: Cohort) -> None:
    exact = oracle(cohort)
    first, again, other = (exact.sample(cohort.samples[:50], 4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.shape == (50, 4, 300)
    assert first.dtype == np.float32
    assert first.min() >= 0


def test_refuses_other_cohorts_and_conditions(cohort: Cohort) -> None:
    with pytest.raises(InputError, match="needs the simulated cohort"):
        oracle(replace(cohort, provenance={"kind": "files"}))
    with pytest.raises(InputError, match="version 1, but but this one has version 0"):
        oracle({**cohort.provenance, "version": 0})
    with pytest.raises(InputError, match="seed is not an integer"):
        oracle({**cohort.provenance, "seed": "1"})
    with pytest.raises(InputError, match="unknown conditions image"):
        oracle(cohort, ["image"])  # type: ignore[list-item]
    with pytest.raises(InputError, match="needs a cohort with patches"):
        oracle(replace(cohort, patches=None))
    odd = cohort.clinical.assign(ajcc_stage="Stage X")
    with pytest.raises(InputError, match="column ajcc_stage: Stage X"):
        oracle(replace(cohort, clinical=odd))

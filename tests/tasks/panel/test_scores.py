"""Normalisation, families and the overall score, by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gexbench.tasks.panel.catalogue import lookup
from gexbench.tasks.panel.scores import (
    References,
    cell_score,
    copy_gate_passed,
    discriminates,
    family_means,
    normalise,
    overall,
    undiscriminating,
    worst,
)

TSTR = "tstr_lr_accuracy[project]"


@pytest.mark.parametrize(
    ("name", "value", "floor", "ceiling", "expected"),
    [
        ("precision", 0.6, None, 0.8, 0.75),
        ("precision", 1.0, None, 0.8, 0.75),
        ("density", 21.8, None, 1.0, 0.0),
        ("zero_fraction", 0.0, None, 0.0, 1.0),
        ("zero_fraction", 0.1, None, 0.0, 0.0),
        ("recall", 0.5, 0.1, 0.9, 0.5),
        ("recall", 1.0, 0.1, 0.9, 1.0),
        ("recall", 0.0, 0.1, 0.9, 0.0),
        ("frechet", 200.0, 600.0, 100.0, 0.8),
        ("frechet", 50.0, 600.0, 100.0, 1.0),
        ("frechet", 700.0, 600.0, 100.0, 0.0),
        ("mmd", -0.01, 0.5, 0.0, 1.0),
        ("detection", 0.75, 1.0, 0.5, 0.5),
        ("detection", 0.4, 1.0, 0.5, 1.0),
        ("detection", 1.0, 1.0, 0.5, 0.0),
        (TSTR, 0.65, 0.2, 0.95, 0.6),
        (TSTR, None, 0.2, 0.95, 0.0),
        (TSTR, float("nan"), 0.2, 0.95, 0.0),
    ],
)
def test_normalise_by_hand(name, value, floor, ceiling, expected):
    assert normalise(lookup(name), value, floor, ceiling) == pytest.approx(expected)


@given(st.floats(0.0, 1.0))
def test_detection_follows_the_protocols_formula(auc):
    assert normalise(lookup("detection"), auc, 1.0, 0.5) == pytest.approx(1 - 2 * max(auc - 0.5, 0))


def test_normalise_refuses_what_has_no_score():
    with pytest.raises(ValueError, match="has no score"):
        normalise(lookup("conditional_skill"), 0.1, 0.0, 1.0)
    with pytest.raises(ValueError, match="must be known"):
        normalise(lookup("frechet"), 1.0, None, 1.0)
    with pytest.raises(ValueError, match="no worse than"):
        normalise(lookup("frechet"), 1.0, 1.0, 2.0)


def test_worst_depends_on_the_direction():
    assert worst(lookup("frechet"), (665.0, 341.0)) == 665.0
    assert worst(lookup("recall"), (0.64, 0.0, None)) == 0.0
    assert worst(lookup("frechet"), (None, None)) is None
    with pytest.raises(ValueError, match="no meaning"):
        worst(lookup("density"), (1.0,))


def _references(**changes):
    values = {
        "real_holdout": {"recall": 0.8, "wasserstein_mean": 0.05, "detection": 0.5, TSTR: 0.93},
        "gene_shuffle": {"recall": 0.6, "wasserstein_mean": 0.05, "detection": 1.0, TSTR: None},
        "class_mean": {"recall": 0.0, "wasserstein_mean": 0.35, "detection": 1.0, TSTR: 0.8},
        "trtr": {TSTR: 0.95},
        "majority": {TSTR: 0.2},
    }
    return References(**(values | changes))


def test_cell_score_by_hand_takes_the_worse_reference_per_metric():
    # gene-shuffle alone would leave Wasserstein without a gap; class-mean alone would do so elsewhere.
    values = {"recall": 0.4, "wasserstein_mean": 0.20, "detection": 0.75, TSTR: 0.575}
    found = cell_score(values, _references())
    assert found.scores == pytest.approx({"recall": 0.5, "wasserstein_mean": 0.5, "detection": 0.5, TSTR: 0.5})
    assert found.overall == pytest.approx(0.5)
    left = cell_score(values | {"recall": 0.8}, _references(), left_out={"recall"})
    assert "support" not in left.families


def test_a_missing_value_costs_and_an_unconditional_generator_owes_utility():
    perfect = {"recall": 0.8, "wasserstein_mean": 0.05, "detection": 0.5}
    found = cell_score({**perfect, TSTR: None}, _references())
    assert found.families == {"support": 1.0, "distribution": 1.0, "detection": 1.0, "utility": 0.0}
    assert found.overall == 0.75
    assert cell_score(perfect, _references()).overall == 0.75
    assert cell_score({}, _references()).overall == 0.0


def test_the_ceilings_own_values_score_one():
    real = _references()
    found = cell_score({**real.real_holdout, TSTR: real.trtr[TSTR], "detection": 0.5}, real)
    assert found.overall == 1.0


def test_families_weigh_alike_whatever_their_number_of_metrics():
    means = family_means({"recall": 1.0, "coverage": 0.0, "frechet": 1.0})
    assert means == {"support": 0.5, "distribution": 1.0}
    assert overall(means) == 0.75
    assert overall(means, {"support": 3.0, "distribution": 1.0}) == pytest.approx(0.625)
    with pytest.raises(ValueError, match="no family"):
        overall({})


def test_discrimination_needs_five_sample_sds():
    # sd (ddof 1) of 9, 10, 11 is 1, the population sd 0.82.
    frechet = lookup("frechet")
    assert discriminates(frechet, [15.0, 15.0, 15.0], [9.0, 10.0, 11.0])
    assert not discriminates(frechet, [14.9, 14.9, 14.9], [9.0, 10.0, 11.0])
    assert not discriminates(lookup("recall"), [15.0, 15.0, 15.0], [9.0, 10.0, 11.0])
    assert not discriminates(frechet, [15.0, None], [9.0, 10.0])
    assert not discriminates(lookup("zero_fraction"), [None, None], [0.0, 0.0])
    assert discriminates(lookup("density"), [None, None], [1.0, 1.1])
    assert discriminates(lookup("detection"), [1.0, 1.0], [0.5, 0.5])


def test_undiscriminating_names_the_keys():
    flat = {"recall": 0.8, "wasserstein_mean": 0.05, "detection": 1.0, TSTR: 0.2}
    folds = [_references(), _references(gene_shuffle=flat, class_mean=flat)]
    assert undiscriminating(folds) == {"recall", "wasserstein_mean"}


def test_copy_gate():
    assert copy_gate_passed(0.05)
    assert not copy_gate_passed(0.051)
    assert not copy_gate_passed(None)

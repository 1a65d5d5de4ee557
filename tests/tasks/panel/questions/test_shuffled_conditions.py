"""Conditional skill with exchanged draws: the exchange, a case by hand, and generators that do and do not know more."""

from dataclasses import replace

import numpy as np
import pytest

from gexbench.benchmark.cells.scoring import prepare_fold
from gexbench.benchmark.cells.training import PAIRED_DRAWS, compact
from gexbench.metrics.shuffled_conditions import derangement, shuffled_conditions
from gexbench.models import registry
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.panel.catalogue import lookup, panel_specifications
from gexbench.tasks.panel.declarations.comparison import Comparison
from gexbench.tasks.panel.declarations.rows import SyntheticRows
from gexbench.tasks.panel.questions import paired
from gexbench.tasks.simulated.cohort import simulated_cohort

KEYS = ("shuffled_conditions_skill", "conditions_gain")


def test_everyone_gets_another_patient_of_the_class_once_whatever_the_order_of_rows():
    names = np.array([f"P{number:02}" for number in range(40)])
    labels = np.array(["a"] * 25 + ["b"] * 13 + ["c"] * 2)
    given = derangement(names, labels, "salt")
    assert sorted(given) == list(range(40))
    assert (given != np.arange(40)).all()
    assert (labels[given] == labels).all()
    assert (given[38:] == [39, 38]).all()
    order = np.random.default_rng(0).permutation(40)
    again = derangement(names[order], labels[order], "salt")
    assert (names[order][again] == names[given][order]).all()
    assert (derangement(names, labels, "other") != given).any()


def test_no_row_gets_the_draws_of_its_own_patients_other_rows():
    names = np.array(["P0", "P0", "P0", "P1", "P1", "P2", "P3", "Q0", "R0", "R0", "R1"])
    labels = np.array(["a"] * 7 + ["b"] + ["c"] * 3)
    given = derangement(names, labels, "salt")
    assert (names[given[:7]] != names[:7]).all()
    assert given[7] == 7
    # Two rows of three are R0's: only one of them can be given R1's draws.
    assert sorted(names[given[8:]] == names[8:]) == [False, False, True]


def test_by_hand():
    """One gene, two draws: the fair CRPS of draws y + d and y + d is |d|, that of t ± s about the truth t is 0."""
    truth = np.array([[0.0], [4.0], [1.0]])
    draws = np.array([[[1.0], [1.0]], [[4.0], [4.0]], [[1.0], [1.0]]])
    own = np.array([1.0, 0.0, 0.0])
    reference = np.array([2.0, 4.0, 100.0])
    found = shuffled_conditions(draws, truth, own, reference, np.array(["A", "B", "C"]), np.array(list("xxy")), "salt")
    # A gets B's draws: |4 - 0| = 4, B gets A's: |1 - 4| = 3, C is alone; mean 3.5 against 3, own 0.5.
    assert found.rows == 2
    assert found.skill == pytest.approx(1 - 3.5 / 3)
    assert found.gain == pytest.approx((1 - 0.5 / 3) - (1 - 3.5 / 3))
    with pytest.raises(ValueError, match="two test patients"):
        shuffled_conditions(draws, truth, own, reference, np.array(["A", "B", "C"]), np.array(list("xyz")), "salt")


def _given(name, fold, cohort):
    device = put_on_device(cohort, fold, fingerprint=cohort.fingerprint())
    device = device.named() if registry()[name].reads == "ids" else device
    prepared = prepare_fold(cohort, fold, cohort.fingerprint())
    generator = create(registry()[name], "quick")
    generator.fit(device.train, device.validation, seed=0)
    test = device.test_conditions
    draws = compact(generator.sample(test, PAIRED_DRAWS, seed=1).expression.reshape(len(test), PAIRED_DRAWS, -1))
    real = prepared.rows
    return Comparison(prepared, SyntheticRows(real.test, real.train, draws), prepared.test)


def _step(given):
    return next(step for step in paired.TASK.steps(given.rows) if step.name == "shuffled_conditions")


@pytest.fixture(scope="module")
def found():
    """Generator → Comparison on two folds of a simulated cohort."""
    cohort = simulated_cohort(400, 40, seed=2)
    return {
        name: [_given(name, fold, cohort) for fold in folds(cohort)[:2]]
        for name in ("oracle", "class-gaussian", "class-mean")
    }


def test_the_oracle_gains_by_its_conditions_and_label_only_generators_do_not(found):
    gains = {
        name: [_step(given).compute(given).values[paired.CONDITIONS_GAIN] for given in each]
        for name, each in found.items()
    }
    assert min(gains["oracle"]) > 0.05
    assert abs(np.mean(gains["class-gaussian"])) < 0.01
    assert gains["class-mean"] == pytest.approx([0, 0], abs=1e-9)


def test_both_sides_are_the_conditional_skill_where_every_class_has_two_patients(found):
    given = found["oracle"][0]
    values = _step(given).compute(given).values
    skill = paired.CONDITIONAL_SKILL.compute(given).values[paired.CONDITIONAL_SKILL]
    assert sum(values.values()) == pytest.approx(skill, rel=1e-9)
    withheld = replace(given, prepared=replace(given.prepared, training=None))
    with pytest.raises(ValueError, match="training"):
        _step(withheld).compute(withheld)


def test_they_are_diagnostics_of_the_extended_panel():
    for key in KEYS:
        spec = lookup(key)
        assert (spec.goal, spec.in_overall, spec.panel) == ("diagnostic", False, "extended")
        assert "training" in spec.needs
    assert not {spec.name for spec in panel_specifications("core")} & set(KEYS)

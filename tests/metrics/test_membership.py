"""Membership: who is compared, the null, copies and noisy copies of members."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gexbench.metrics.detection import auc_null_sd
from gexbench.metrics.membership import (
    attack,
    closer_ratio_share,
    compared_patients,
    differing,
    membership_attacks,
    nearer_share,
    nearest_distances,
    split_attacks,
    true_positive_rate,
)
from gexbench.tasks.panel.questions import privacy

GENES, MEMBERS, VALIDATION = 12, 80, 80


class Population:
    """Two classes of 60 to 40, correlated genes; rows of members, non-members and validation patients."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        mixing = np.random.default_rng(99).normal(size=(GENES, GENES)) / 3 + np.eye(GENES)
        self.labels = np.repeat([0.0, 2.0], [MEMBERS * 3 // 5, MEMBERS * 2 // 5])
        self.draw = lambda: self.labels[:, None] + self.rng.normal(size=(MEMBERS, GENES)) @ mixing
        self.members, self.nonmembers, self.validation = self.draw(), self.draw(), self.draw()

    def attacks(self, synthetic):
        return membership_attacks(self.members, self.nonmembers, synthetic, self.validation)

    def copies(self, noise):
        """Rows for members and non-members alike: training rows (the members) of the class, with noise."""
        order = np.concatenate([self.rng.permutation(48), 48 + self.rng.permutation(32)])
        rows = np.concatenate([self.members, self.members[order]])
        return rows + noise * self.rng.normal(size=rows.shape)


@pytest.mark.parametrize("which", ["distance", "ratio"])
def test_a_generator_that_remembers_nothing_meets_the_null(which):
    aucs = []
    for seed in range(40):
        population = Population(seed)
        fresh = np.concatenate([population.draw(), population.draw()])
        aucs.append(population.attacks(fresh)[which].auc)
    null = auc_null_sd(MEMBERS, MEMBERS)
    assert abs(np.mean(aucs) - 0.5) < 3 * null / np.sqrt(len(aucs))
    assert max(abs(np.array(aucs) - 0.5)) < 3.5 * null
    assert np.std(aucs, ddof=1) == pytest.approx(null, rel=0.35)


def test_validation_rows_meet_the_null_too():
    found = [Population(seed) for seed in range(20)]
    for which in ("distance", "ratio"):
        aucs = [each.attacks(each.validation)[which].auc for each in found]
        assert abs(np.mean(aucs) - 0.5) < 3 * auc_null_sd(MEMBERS, MEMBERS) / np.sqrt(len(aucs))


def test_copies_betray_every_member_and_noise_betrays_less():
    population = Population(1)
    exact, noisy, hidden = (population.attacks(population.copies(noise)) for noise in (0.0, 0.5, 5.0))
    for which in ("distance", "ratio"):
        assert exact[which].auc == 1.0
        assert exact[which].tpr == 1.0
        assert 0.5 + 4 * noisy[which].null_sd < noisy[which].auc < 1.0
        assert abs(hidden[which].auc - 0.5) < 3 * hidden[which].null_sd


def test_the_ratio_sees_members_in_thin_regions():
    population = Population(2)
    spread = np.linspace(1, 8, MEMBERS)[:, None]
    for name in ("members", "nonmembers", "validation"):
        setattr(population, name, getattr(population, name) * spread)
    noise = 0.8 * spread * population.rng.normal(size=(MEMBERS, GENES))
    found = population.attacks(population.members + noise)
    assert found["ratio"].auc > found["distance"].auc + found["ratio"].null_sd


def _split(population, nonmembers=None, bystanders=2):
    rest = np.concatenate([np.empty((0, GENES)), *(population.draw() for _ in range(bystanders))])
    others = population.nonmembers if nonmembers is None else nonmembers
    return split_attacks(population.members, others, rest, population.validation)


@pytest.mark.parametrize("bystanders", [0, 2])
def test_random_splits_do_not_differ_and_others_do(bystanders):
    random = [differing(_split(Population(seed), bystanders=bystanders)) for seed in range(100)]
    assert sum(found is not None for found in random) <= 2
    for seed in range(10):
        population = Population(seed)
        for other in (population.nonmembers + 1.5, 0.5 * population.nonmembers, 2 * population.nonmembers):
            found = _split(population, other, bystanders)
            assert "null 0.5 ± 0.046" in differing(found)
            assert differing(found, sds=12) is None


def test_nearest_distances_by_hand():
    assert nearest_distances([[0.0, 0.0], [6.0, 8.0]], [[3.0, 4.0], [6.0, 8.0]]) == pytest.approx([5, 0])


def test_true_positive_rate_by_hand():
    others = np.arange(200.0)
    assert true_positive_rate([198.5, 197.5, 196.5, 0.0], others) == 0.5  # two of 200 may lie above 197
    assert true_positive_rate([3.0, 4.0], [3.0, 1.0, 2.0]) == 0.5  # under 100 none may; a tie is no find
    assert true_positive_rate([1.0], [2.0], limit=1.0) == 1.0


@given(st.lists(st.integers(0, 20), min_size=2, max_size=40), st.lists(st.integers(0, 20), min_size=2, max_size=40))
def test_true_positive_rate_is_the_best_over_thresholds(members, others):
    high, low = np.array(members), np.array(others)
    rates = [(high > cut).mean() for cut in range(-1, 22) if (low > cut).mean() <= 0.1]
    assert true_positive_rate(high, low, limit=0.1) == pytest.approx(max(rates))


def test_attack_holds_its_null_sd():
    assert attack(np.ones(30), np.zeros(20)) == (1.0, 1.0, auc_null_sd(30, 20))


def _patients():
    train_ids, test_ids = (np.array([f"{part}{i}" for i in range(n)]) for part, n in (("a", 30), ("b", 9)))
    train_labels = np.array(["x", "y", "y"])[np.arange(30) % 3]
    train_labels[:2] = "z"
    return train_ids, train_labels, test_ids, np.array(list("xxxyyyzzz"))


def test_as_many_members_as_non_members_of_every_class():
    train_ids, train_labels, test_ids, test_labels = _patients()
    found = compared_patients(train_ids, train_labels, test_ids, test_labels)
    for labels in (train_labels[found.members], test_labels[found.nonmembers]):
        assert sorted(labels.tolist()) == list("xxxyyyzz")  # class z has two members only
    order = np.random.default_rng(0).permutation(9)
    moved = compared_patients(train_ids, train_labels, test_ids[order], test_labels[order])
    assert set(test_ids[order][moved.nonmembers]) == set(test_ids[found.nonmembers])
    with pytest.raises(ValueError, match="no class has both"):
        compared_patients(train_ids, train_labels, test_ids, np.array(["other"] * 9))


def test_shares_of_copies_of_either_side():
    population = Population(3)
    train, test = population.members, population.nonmembers
    for share in (nearer_share, closer_ratio_share):
        assert share(train, train, test) == 1.0
        assert share(test, train, test) == 0.0
        assert share(population.validation, train, train) == 0.5
        assert 0.3 < share(population.validation, train, test) < 0.7
    assert nearer_share(population.validation, np.concatenate([train] + [population.draw()] * 2), test) > 0.6


@pytest.fixture(scope="module")
def scored(small_cohort):
    """A fold of the small cohort prepared for `extended`, and rows of a generator that copies training rows."""
    from gexbench.benchmark.cells.scoring import prepare_fold
    from gexbench.tasks.cohorts.folds import folds
    from gexbench.tasks.panel.declarations.rows import SyntheticRows

    prepared = prepare_fold(small_cohort, folds(small_cohort)[0], "small", panel="extended")
    real = prepared.rows
    return prepared, SyntheticRows(real.train[: len(real.test)], real.train, None)


def test_the_panel_finds_the_members_among_the_scored_rows(scored):
    from gexbench.tasks.panel.declarations.comparison import Comparison

    prepared, synthetic = scored
    (step,) = (step for step in privacy.TASK.steps(prepared.rows) if step.name == "membership")
    given = Comparison(prepared, synthetic, prepared.space.standardise(synthetic.test, "test"))
    found = step.compute(given)
    values = {metric.name: value for metric, value in found.values.items()}
    assert values["membership_distance_auc"] > 0.95
    assert values["membership_ratio_tpr"] > 0.8
    assert found.extra["membership_members"] == len(prepared.rows.test_ids)
    assert found.extra["membership_null_sd"] == auc_null_sd(*[len(prepared.rows.test_ids)] * 2)


def _membership_of(prepared, synthetic, monkeypatch):
    from gexbench.tasks.panel import evaluation

    attacks = tuple(metric for pair in privacy.MEMBERSHIP.values() for metric in pair)
    only = [step for step in privacy.TASK.steps(prepared.rows) if step.name == "membership"]
    task = replace(privacy.TASK, metrics=attacks, together=lambda rows: only)
    with monkeypatch.context() as patch:
        patch.setattr(evaluation, "tasks", lambda: (task,))
        return evaluation.evaluate(prepared, synthetic, panel="extended")


def test_on_a_users_folds_the_rows_say_whether_membership_has_a_null(scored, monkeypatch):
    prepared, synthetic = scored
    dealt = _membership_of(prepared, synthetic, monkeypatch)
    own = replace(prepared, rows=replace(prepared.rows, exchangeable=None))
    found = _membership_of(own, synthetic, monkeypatch)
    assert found.values == dealt.values
    split = {name: value for name, value in found.extra.items() if name not in dealt.extra}
    assert split.keys() == {"membership_split_distance_auc", "membership_split_ratio_auc"}
    assert all(abs(value - 0.5) < 3 * found.extra["membership_null_sd"] for value in split.values())
    assert found.values["membership_distance_auc"].value > 0.95
    other = _membership_of(replace(own, test=1.5 * own.test), synthetic, monkeypatch)
    for metric in other.values.values():
        assert metric.value is None
        assert metric.reason.startswith("not applicable: training and test patients differ before any generator")
    by_design = replace(prepared, rows=replace(prepared.rows, exchangeable=False))
    for metric in _membership_of(by_design, synthetic, monkeypatch).values.values():
        assert "not dealt at random" in metric.reason

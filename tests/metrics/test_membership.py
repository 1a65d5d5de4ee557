"""Membership: who is compared, the null, what copies, blends and memories of a class betray, ties."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexbench.metrics.detection import auc, auc_null_sd
from gexbench.metrics.gates.class_copula import class_copula_rows
from gexbench.metrics.membership import (
    ATTACKS,
    attack_scores,
    attacks,
    closer_ratio_share,
    ground,
    nearer_share,
    nearest_distances,
    paired_by_class,
    placements,
    true_positive_rate,
)

GENES, MEMBERS = 12, 80


class Population:
    """Two classes of 60 to 40, correlated genes; rows of members, non-members and calibrating patients."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.mixing = np.random.default_rng(99).normal(size=(GENES, GENES)) / 3 + np.eye(GENES)
        self.codes = np.repeat([0, 1], [MEMBERS * 3 // 5, MEMBERS * 2 // 5])
        self.members, self.nonmembers, self.calibrating = self.draw(), self.draw(), self.draw()
        self.ids = (np.array([f"m{i}" for i in range(MEMBERS)]), np.array([f"n{i}" for i in range(MEMBERS)]))

    def draw(self):
        return 2.0 * self.codes[:, None] + self.rng.normal(size=(MEMBERS, GENES)) @ self.mixing

    def ground(self):
        return ground(self.members, self.nonmembers, self.calibrating, (self.codes, self.codes), self.ids)

    def scores(self, synthetic, own=None):
        return attack_scores(self.ground(), synthetic, own)

    def found(self, synthetic, yardstick=None):
        placed = placements(self.scores(synthetic), MEMBERS)
        return attacks(placed, None if yardstick is None else placements(self.scores(yardstick), MEMBERS))


def test_a_generator_that_remembers_nothing_meets_the_null():
    found = []
    for seed in range(40):
        population = Population(seed)
        found.append(population.found(np.concatenate([population.draw(), population.draw()])))
    null = auc_null_sd(MEMBERS, MEMBERS)
    for name in ATTACKS:
        aucs = np.array([each[name].auc for each in found])
        assert abs(aucs.mean() - 0.5) < 3.5 * null / np.sqrt(len(aucs))
        assert abs(aucs - 0.5).max() < 3.7 * null
    assert found[0]["ratio"].null_sd == null


def test_copies_betray_every_member_and_noise_betrays_less():
    population = Population(1)
    made = [population.members + noise * population.rng.normal(size=population.members.shape) for noise in (0, 0.5, 5)]
    exact, noisy, hidden = (population.found(np.concatenate([rows, population.draw()])) for rows in made)
    for name in ATTACKS:
        assert exact[name].auc > 0.9
        assert 0.5 + 4 * noisy[name].null_sd < noisy[name].auc < 1.0
        assert abs(hidden[name].auc - 0.5) < 3.5 * hidden[name].null_sd


def test_means_of_six_lie_above_the_class_copula():
    population = Population(3)
    rng, copula = population.rng, []
    asked = np.tile(population.codes, 5)
    rows = np.empty((len(asked), GENES))
    for code in (0, 1):
        own = population.members[population.codes == code]
        chosen = np.array([rng.choice(len(own), 6, replace=False) for _ in range((asked == code).sum())])
        rows[asked == code] = own.mean(axis=0) + np.sqrt(6) * (own[chosen].mean(axis=1) - own.mean(axis=0))
    copula, other = (class_copula_rows(population.members, population.codes, asked, seed) for seed in (0, 1))
    remembered, honest = population.found(rows, copula), population.found(other, copula)
    assert max((each.auc - each.reference) / each.sd for each in remembered.values()) > 3
    assert max(abs(each.auc - each.reference) / each.sd for each in honest.values()) < 3.5


def test_copies_of_non_members_are_no_membership():
    population = Population(2)
    found = population.found(np.concatenate([population.nonmembers, population.draw()]))
    assert max(each.auc for each in found.values()) <= 0.5


def test_rows_of_ones_own_condition_can_be_left_out():
    population = Population(4)
    made = population.members.copy()
    own = np.concatenate([np.arange(MEMBERS), np.arange(MEMBERS)])
    with_own, without = (attacks(placements(population.scores(made, skipped), MEMBERS)) for skipped in (None, own))
    assert with_own["distance"].auc == 1.0
    assert abs(without["distance"].auc - 0.5) < 3.5 * without["distance"].null_sd


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_genes_changes_nothing(seed):
    population, rng = Population(6), np.random.default_rng(seed)
    synthetic = np.concatenate([population.members[:30] + 0.4, population.draw()])
    expected = population.found(synthetic)
    genes, first, second = rng.permutation(GENES), rng.permutation(MEMBERS), rng.permutation(MEMBERS)
    moved = ground(
        population.members[first][:, genes],
        population.nonmembers[second][:, genes],
        population.calibrating[rng.permutation(MEMBERS)][:, genes],
        (population.codes[first], population.codes[second]),
        (population.ids[0][first], population.ids[1][second]),
    )
    scores = attack_scores(moved, synthetic[rng.permutation(len(synthetic))][:, genes])
    found = attacks(placements(scores, MEMBERS))
    for name in ATTACKS:
        assert found[name].auc == pytest.approx(expected[name].auc, abs=2e-3)


def test_placements_are_aucs_with_ties_at_one_half():
    scores = np.array([[3.0, 1.0, 2.0, 2.0, 0.0]])
    placed = placements(scores, 3)
    assert placed.of_members.tolist() == [[1.0, 0.5, 0.75]]
    assert placed.of_nonmembers == pytest.approx(np.array([[0.5, 1.0]]))
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, size=(3, 50))
    placed = placements(scores, 20)
    for at, row in enumerate(scores):
        assert placed.of_members[at].mean() == pytest.approx(auc(row[:20], row[20:]))
        assert placed.of_nonmembers[at].mean() == pytest.approx(auc(row[:20], row[20:]))


def test_the_sd_of_a_difference_is_that_of_many_draws():
    rng, differences, sds = np.random.default_rng(0), [], []
    for _ in range(400):
        shared = rng.normal(size=(1, 80)) + np.repeat([0.5, 0.0], 40)
        one, two = (
            placements(np.repeat(shared + rng.normal(size=(1, 80)), len(ATTACKS), axis=0), 40) for _ in range(2)
        )
        found = attacks(one, two)["ratio"]
        differences.append(found.auc - found.reference)
        sds.append(found.sd)
    assert np.mean(sds) == pytest.approx(np.std(differences), rel=0.12)


def test_nearest_distances_by_hand():
    assert nearest_distances([[0.0, 0.0], [6.0, 8.0]], [[3.0, 4.0], [6.0, 8.0]]) == pytest.approx([5, 0])


def test_true_positive_rate_by_hand():
    others = np.arange(200.0)
    assert true_positive_rate([198.5, 197.5, 196.5, 0.0], others) == 0.5  # two of 200 lie above 197
    assert true_positive_rate([3.0, 4.0], [3.5, 1.0, 2.0]) == 0.5  # under 100 none may
    assert true_positive_rate([3.0, 4.0], [3.0, 1.0, 2.0]) == pytest.approx(0.5 + 0.5 * 0.03)  # a tie is half a find
    assert true_positive_rate([1.0], [2.0], limit=1.0) == 1.0
    assert true_positive_rate(np.ones(30), np.ones(20)) == pytest.approx(0.01)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=40), st.lists(st.integers(0, 20), min_size=2, max_size=40))
def test_true_positive_rate_is_the_largest_on_the_roc_curve(members, others):
    high, low = np.array(members), np.array(others)
    points = [(0.0, 0.0), *(((low >= cut).mean(), (high >= cut).mean()) for cut in range(20, -1, -1))]
    expected = 0.0
    for (x, y), (right, top) in pairwise(points):
        if right <= 0.1 + 1e-12:
            expected = top
        elif x <= 0.1:
            expected = max(expected, y + (0.1 - x) / (right - x) * (top - y))
    assert true_positive_rate(members, others, limit=0.1) == pytest.approx(expected)


def test_as_many_members_as_non_members_of_every_class():
    train_ids, test_ids = (np.array([f"{part}{i}" for i in range(n)]) for part, n in (("a", 30), ("b", 9)))
    train_labels = np.array(["x", "y", "y"])[np.arange(30) % 3]
    train_labels[:2] = "z"
    test_labels = np.array(list("xxxyyyzzz"))
    found = paired_by_class(train_ids, train_labels, test_ids, test_labels)
    assert sorted(train_labels[found.members]) == sorted(test_labels[found.nonmembers]) == list("xxxyyyzz")
    order = np.random.default_rng(0).permutation(9)
    moved = paired_by_class(train_ids, train_labels, test_ids[order], test_labels[order])
    assert set(test_ids[order][moved.nonmembers]) == set(test_ids[found.nonmembers])
    few = paired_by_class(train_ids, train_labels, test_ids, test_labels, most=4)
    assert sorted(test_labels[few.nonmembers]) == list("xyz")
    with pytest.raises(ValueError, match="no class has both"):
        paired_by_class(test_ids, np.full(9, "w"), test_ids, test_labels)


def test_shares_of_copies_of_either_side():
    population = Population(3)
    train, test = population.members, population.nonmembers
    for share in (nearer_share, closer_ratio_share):
        assert share(train, train, test) == 1.0
        assert share(test, train, test) == 0.0
        assert share(population.calibrating, train, train) == 0.5
        assert 0.3 < share(population.calibrating, train, test) < 0.7
    assert nearer_share(population.calibrating, np.concatenate([train] + [population.draw()] * 2), test) > 0.6

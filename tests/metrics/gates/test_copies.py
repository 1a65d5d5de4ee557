"""Rows that are copies or blends of known rows, against limits that audit rows set."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gexbench.metrics.gates.calibration import threshold_rank
from gexbench.metrics.gates.copies import KINDS, made_of, pool_of


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return rng.normal(size=(400, 60)), rng.normal(size=(300, 60)), rng.normal(size=(300, 60))


def shares(rows, pool):
    counts, _ = made_of(rows, pool)
    return {kind: count.below / count.rows for kind, count in counts.items()}


def test_audit_rows_set_the_limits(sets):
    known, audit, fresh = sets
    pool = pool_of(known, audit)
    counts, exact = made_of(audit, pool)
    assert exact == 0
    assert {kind: count.below for kind, count in counts.items()} == dict.fromkeys(KINDS, threshold_rank(300) - 1)
    assert max(shares(fresh, pool).values()) < 0.06


@pytest.mark.parametrize(("donors", "kind"), [(1, "one"), (2, "two"), (3, "three")])
def test_means_of_known_rows_are_found_by_their_kind_and_by_any(sets, donors, kind):
    known, audit, fresh = sets
    rows = known[: 130 * donors].reshape(donors, 130, -1).mean(axis=0)
    found = shares(np.concatenate([rows, fresh[:130]]), pool_of(known, audit))
    assert found[kind] > 0.15
    assert found["any"] > 0.1


def test_a_mixture_of_all_kinds_adds_up_in_any(sets):
    known, audit, fresh = sets
    rows = fresh.copy()
    rows[:12], rows[12:24] = known[:12], (known[12:24] + known[24:36]) / 2
    found = shares(rows, pool_of(known, audit))
    assert found["any"] >= 0.07
    assert max(found["one"], found["two"]) < found["any"]


@pytest.mark.parametrize("twins", [0, 8, 30])
def test_profiles_listed_twice_hide_no_copier(sets, twins):
    """Audit rows that equal a known row would set the limit to 0."""
    known, audit, fresh = sets
    audit = audit.copy()
    audit[:twins] = known[:twins]
    pool = pool_of(known, audit)
    assert pool.audit_rows == 300 - twins
    assert all(limit > 0 for limit in pool.limits.values())
    counts, exact = made_of(known[100:200], pool)
    assert exact == 100
    assert counts["one"].below == counts["any"].below == 100
    noisy = known[100:200] + 0.03 * np.random.default_rng(1).normal(size=(100, 60))
    assert shares(noisy, pool)["one"] == 1.0
    assert shares(fresh, pool)["any"] < 0.06


def test_equal_rows_count_though_no_audit_row_is_left(sets):
    known = sets[0]
    pool = pool_of(known, known[:50])
    counts, exact = made_of(np.concatenate([known[:10], sets[2][:10]]), pool)
    assert (pool.audit_rows, pool.rank, exact) == (0, 0, 10)
    assert counts["one"].below == 10
    assert counts["two"].below == 0


def test_twins_among_the_known_rows_are_copies_too(sets):
    known, audit, _ = sets
    doubled = np.concatenate([known[:200], known[:200]])
    assert shares(known[:50], pool_of(doubled, audit))["one"] == 1.0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_and_genes_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    known, audit, rows = (rng.normal(size=(size, 20)) for size in (60, 40, 30))
    rows[:5] = known[:5] + 0.1 * rng.normal(size=(5, 20))
    genes = rng.permutation(20)
    moved = pool_of(known[rng.permutation(60)][:, genes], audit[rng.permutation(40)][:, genes])
    assert made_of(rows[rng.permutation(30)][:, genes], moved) == made_of(rows, pool_of(known, audit))


def test_few_known_rows():
    rows = np.random.default_rng(0).normal(size=(9, 5))
    assert list(made_of(rows, pool_of(rows[:4] + 1, rows))[0]) == ["one", "two", "any"]
    with pytest.raises(ValueError, match="3 known rows are too few"):
        pool_of(rows[:3], rows)

"""The null test itself: what it repeats, resumes, counts and calls different."""

from dataclasses import replace

import numpy as np
import pytest

from gexbench.benchmark.studies.false_differences import LIMIT, run_null_test, smallest_p, upper_bound, verdict
from gexbench.benchmark.studies.false_differences_trial import (
    COPIES,
    GENERATOR,
    Design,
    half_of,
    measures_of,
    prepare_trial,
)
from gexbench.leaderboards.comparing.ranking import OVERALL
from gexbench.tasks.errors import InputError

SMALL = Design(patients=200, genes=24)


@pytest.fixture(scope="module")
def trial():
    return prepare_trial(SMALL)


def test_copies_differ_by_their_seeds_alone(trial):
    first, second = (measures_of(trial, repetition) for repetition in (0, 1))
    assert first[OVERALL].shape == (COPIES, 5)
    every = np.concatenate([first["frechet"], second["frechet"]]).ravel()
    assert len(set(every.tolist())) == every.size
    assert {"support", "distribution", "structure", "detection"} < set(first)
    again = measures_of(trial, 0)
    assert all(np.array_equal(first[name], again[name], equal_nan=True) for name in first)
    # Within a fold the copies lie closer together than the references do.
    assert np.ptp(first[OVERALL], axis=0).max() < 0.3
    assert trial.folds[0].fitted.__class__.__name__ == "ClassGaussian"
    assert GENERATOR == "class-gaussian"


def test_halves_belong_to_the_patient_and_not_to_the_fold(trial):
    trains = [fold.device.train for fold in trial.folds]
    halves = [half_of(fold.device, repetition=3, copy=1) for fold in trial.folds]
    for train, half in zip(trains, halves, strict=True):
        whole = dict(zip(*np.unique(train.conditions.finest.numpy(), return_counts=True), strict=True))
        kept = dict(zip(*np.unique(half.conditions.finest.numpy(), return_counts=True), strict=True))
        assert kept == {code: (count + 1) // 2 for code, count in whole.items()}
        assert len(half.expression) == len(half.standardised) == len(half.conditions)
    names = [fold.device.named().train.conditions.ids for fold in trial.folds]
    own = [dict(zip(train.conditions.ids, each, strict=True)) for train, each in zip(trains, names, strict=True)]
    both = set(names[0]) & set(names[1])
    mine = [{own[at][name] for name in halves[at].conditions.ids} & both for at in (0, 1)]
    assert len(mine[0] & mine[1]) > 0.8 * len(mine[0])
    assert set(half_of(trial.folds[0].device, 3, 2).conditions.ids) != set(halves[0].conditions.ids)


def test_a_stopped_run_goes_on_to_the_same_file(trial, tmp_path):
    whole, stopped = tmp_path / "whole.csv", tmp_path / "stopped.csv"
    seen = []
    rates = run_null_test(trial, whole, 2, lambda done, of: seen.append((done, of)))
    assert seen == [(1, 2), (2, 2)]
    run_null_test(trial, stopped, 1)
    assert run_null_test(trial, stopped, 2) == rates
    assert stopped.read_bytes() == whole.read_bytes()
    assert {total for _, total in rates.values()} == {2}
    run_null_test(trial, whole, 2, lambda done, of: pytest.fail("nothing is left to do"))
    other = replace(trial, design=Design(patients=200, genes=25))
    with pytest.raises(InputError, match=r"whole\.csv: holds another design"):
        run_null_test(other, whole, 2)


def test_a_real_difference_is_called_different():
    rng = np.random.default_rng(0)
    equal = 0.7 + 0.01 * rng.normal(size=(COPIES, 5))
    better = equal + np.array([0.0, 0.3, 0.0])[:, None]
    found = smallest_p({OVERALL: equal, "frechet": better}, share=1 / 3)
    assert found["pair:overall"] > 0.05
    assert found["pair:frechet"] < 1e-3
    assert found["table:frechet"] < 3e-3
    # Three tests in the table, one in the pair.
    assert found["table:frechet"] > found["pair:frechet"]


def test_bounds_and_verdict():
    assert upper_bound(0, 400) == pytest.approx(1 - 0.05 ** (1 / 400))
    assert upper_bound(400, 400) == 1.0
    assert upper_bound(20, 400) < 0.075 < upper_bound(22, 400)
    good = {"pair:overall": (20, 400), "table:overall": (4, 400), "pair:ks": (9, 400), "table:ks": (3, 400)}
    lines, passed = verdict(good, "same")
    assert passed
    assert lines[-1].endswith("passed")
    assert "pair 5.00% (upper 95 % bound 7.18%)" in lines[-1]
    assert not verdict(good | {"pair:overall": (21, 400)}, "same")[1]
    assert not verdict(good | {"table:overall": (21, 400)}, "same")[1]
    assert not verdict(dict.fromkeys(good, (0, 10)), "same")[1], "ten repetitions prove nothing"


@pytest.mark.slow
@pytest.mark.parametrize("fits", ["same", "halves"])
def test_copies_are_seldom_called_different(tmp_path, fits):
    """Forty of the 400 repetitions: five or more of them have a chance of 5 % when the true rate is 5 %."""
    rates = run_null_test(prepare_trial(Design(fits=fits)), tmp_path / "null.csv", 40)
    for kind in ("pair", "table"):
        assert rates[f"{kind}:{OVERALL}"][0] < 5
        pooled = [hits for name, (hits, _) in rates.items() if name.startswith(kind)]
        assert sum(pooled) <= LIMIT * 40 * len(pooled)

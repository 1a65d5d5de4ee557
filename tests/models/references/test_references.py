"""References: held-out rows, copies, mixtures, shuffles and class-wise normal distributions."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from gexbench.metrics.shared.hashing import hash_order
from gexbench.models import registry
from gexbench.models.contract import Generator
from gexbench.models.registry import create
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.cohorts.folds import equal_size_rows
from gexbench.tasks.cohorts.split import Split
from gexbench.tasks.errors import InputError

Make = Callable[[str], Generator]
LABEL_REFERENCES = (
    "real-holdout",
    "train-copy",
    "mixup",
    "class-copula",
    "class-gaussian",
    "class-diagonal",
    "class-mean",
)


@pytest.fixture(scope="module")
def fitted(data: DeviceFold) -> Make:
    def make(name: str, train: Split = data.train) -> Generator:
        generator = create(registry()[name], "quick")
        generator.fit(train, data.validation, seed=0)
        return generator

    return make


def keys(rows: NDArray[np.float32]) -> list[bytes]:
    """A hashable name for every row."""
    return [row.tobytes() for row in rows]


def part(split: Split, rows: list[int]) -> Split:
    index = torch.as_tensor(rows)
    return replace(
        split,
        expression=split.expression[index],
        standardised=split.standardised[index],
        conditions=split.conditions.take(index),
    )


def without(data: DeviceFold, name: str, kept: int) -> Split:
    """Training patients, only the first `kept` of one finest class."""
    names = data.train.conditions.names("project")
    rows = np.flatnonzero(names != name).tolist() + np.flatnonzero(names == name)[:kept].tolist()
    return part(data.train, rows)


def test_holdout_gives_validation_rows_of_the_label(data: DeviceFold, fitted: Make) -> None:
    owner = dict(
        zip(keys(data.validation.expression.numpy()), data.validation.conditions.names("project"), strict=True)
    )
    samples = fitted("real-holdout").sample(data.test_conditions, 2, seed=3)
    wanted = np.repeat(data.test_conditions.names("project"), 2)
    assert [owner[key] for key in keys(samples.expression)] == wanted.tolist()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_holdout_repeats_no_row_on_the_equal_size_rows(data: DeviceFold, fitted: Make, seed: int) -> None:
    test = data.test_conditions.names("project")
    rows = equal_size_rows(data.fold, test, data.validation.conditions.names("project"))
    chosen = keys(fitted("real-holdout").sample(data.test_conditions, seed=seed).expression[rows])
    assert len(set(chosen)) == len(rows)


def test_holdout_draws_of_a_patient_differ_while_the_class_lasts(data: DeviceFold, fitted: Make) -> None:
    draws = keys(fitted("real-holdout").sample(data.test_conditions, 3, seed=0).expression)
    sizes = Counter(data.validation.conditions.names("project").tolist())
    for place, name in enumerate(data.test_conditions.names("project")):
        assert len(set(draws[3 * place : 3 * place + 3])) == min(3, sizes[name])


def test_holdout_cycles_evenly_for_the_training_patients(data: DeviceFold, fitted: Make) -> None:
    used = Counter(keys(fitted("real-holdout").sample(data.train.conditions, seed=0).expression))
    wanted, there = (
        Counter(given.names("project").tolist()) for given in (data.train.conditions, data.validation.conditions)
    )
    owner = zip(keys(data.validation.expression.numpy()), data.validation.conditions.names("project"), strict=True)
    for key, name in owner:
        assert used[key] in {wanted[name] // there[name], -(-wanted[name] // there[name])}


def test_copies_of_the_training_patients_are_a_permutation_within_each_label(data: DeviceFold, fitted: Make) -> None:
    copies = fitted("train-copy").sample(data.train.conditions, seed=5).expression
    names = data.train.conditions.names("project")
    for name in np.unique(names):
        original = data.train.expression.numpy()[names == name]
        assert sorted(keys(copies[names == name])) == sorted(keys(original))
    assert (copies != data.train.expression.numpy()).any(axis=1).mean() > 0.5


def test_mixtures_lie_between_two_different_rows_of_the_label(data: DeviceFold, fitted: Make) -> None:
    rows, names = data.train.expression.double().numpy(), data.train.conditions.names("project")
    wanted = data.test_conditions.names("project")[:12]
    mixed = fitted("mixup").sample(data.test_conditions, seed=0).expression[:12]
    for row, name in zip(mixed, wanted, strict=True):
        pool = rows[names == name]
        first, second = np.triu_indices(len(pool), 1)
        line = pool[first] - pool[second]
        weight = ((row - pool[second]) * line).sum(1) / (line**2).sum(1)
        off = np.abs(row - pool[second] - weight[:, None] * line).max(1)
        best = int(off.argmin())
        assert off[best] < 1e-4
        assert 0 <= weight[best] <= 1


def test_shuffle_keeps_every_gene_and_breaks_the_rows(data: DeviceFold, fitted: Make) -> None:
    rows = data.train.expression.numpy()
    shuffled = fitted("gene-shuffle").sample(data.train.conditions, 2, seed=0).expression
    first, second = shuffled[: len(rows)], shuffled[len(rows) :]
    for block in (first, second):
        np.testing.assert_array_equal(np.sort(block, axis=0), np.sort(rows, axis=0))
    assert (first != second).any()
    assert not set(keys(shuffled)) & set(keys(rows))


def many(conditions: Conditions, name: str, generator: Generator, draws: int = 6000) -> NDArray[np.float64]:
    row = int(np.flatnonzero(conditions.names("project") == name)[0])
    return generator.sample(conditions.take([row]), draws, seed=1).expression.astype(np.float64)


def unfloored(data: DeviceFold) -> Split:
    """The training split with a unit without floor, so that moments are not bent by it."""
    return replace(data.train, cohort=replace(data.train.cohort, unit=type(data.train.cohort.unit)("other")))


@pytest.mark.parametrize("kind", ["class-gaussian", "class-diagonal", "class-mean"])
def test_normal_draws_have_the_moments_of_the_class(data: DeviceFold, fitted: Make, kind: str) -> None:
    name = "SIM-LUSC"
    generator = fitted(kind, unfloored(data))
    rows = many(data.test_conditions, name, generator)
    real = data.train.expression.double().numpy()[data.train.conditions.names("project") == name]
    sd = data.train.standardiser.sd.double().numpy()
    drawn, z = (rows - real.mean(0)) / sd, (real - real.mean(0)) / sd
    assert np.abs(drawn.mean(0)).max() < 0.08
    expected = {
        "class-gaussian": LedoitWolf(assume_centered=True).fit(z / z.std(0)).covariance_ * np.outer(z.std(0), z.std(0)),
        "class-diagonal": np.diag(z.var(0, ddof=1)),
        "class-mean": np.zeros((len(sd), len(sd))),
    }[kind]
    assert np.abs(np.cov(drawn.T) - expected).max() < 0.12


def test_rows_stand_on_the_floor_not_below(data: DeviceFold, fitted: Make) -> None:
    assert float(data.train.expression.min()) == 0.0
    for kind in ("class-copula", "class-gaussian", "class-diagonal"):
        rows = fitted(kind).sample(data.test_conditions, 20, seed=0).expression
        assert rows.min() == 0.0


@pytest.mark.parametrize("kind", LABEL_REFERENCES[1:])
def test_a_class_of_one_patient_works(data: DeviceFold, fitted: Make, kind: str) -> None:
    name = "SIM-BLCA"
    train = without(data, name, kept=1)
    rows = many(data.test_conditions, name, fitted(kind, train), 400)
    lone = train.expression[-1].double().numpy()
    assert np.isfinite(rows).all()
    if kind in {"class-copula", "class-gaussian", "class-diagonal"}:
        codes = train.conditions.names("project")
        z = train.standardised.double().numpy()
        centred = np.concatenate([z[codes == each] - z[codes == each].mean(0) for each in np.unique(codes)])
        pooled = (centred**2).sum(0) / (len(z) - len(np.unique(codes)))
        free = lone > 3
        got = rows.std(0) / data.train.standardiser.sd.numpy()
        np.testing.assert_allclose(got[free], np.sqrt(pooled)[free], rtol=0.2)
        np.testing.assert_allclose(rows.mean(0)[free], lone[free], atol=0.4)
    else:
        np.testing.assert_allclose(rows, np.broadcast_to(lone, rows.shape), atol=1e-4)


@pytest.mark.parametrize("kind", LABEL_REFERENCES[1:])
def test_a_class_without_training_patients_is_refused_by_name(data: DeviceFold, fitted: Make, kind: str) -> None:
    generator = fitted(kind, without(data, "SIM-GBM", kept=0))
    with pytest.raises(InputError, match="SIM-GBM"):
        generator.sample(data.test_conditions, seed=0)
    allowed = np.flatnonzero(data.test_conditions.names("project") != "SIM-GBM")
    assert len(generator.sample(data.test_conditions.take(allowed), seed=0).ids) == len(allowed)


def test_the_assignment_follows_the_ids_not_their_order(data: DeviceFold, fitted: Make) -> None:
    order = hash_order(9, data.test_conditions.ids)
    generator = fitted("real-holdout")
    straight = generator.sample(data.test_conditions, seed=0).expression
    moved = generator.sample(data.test_conditions.take(order), seed=0).expression
    np.testing.assert_array_equal(straight[order], moved)

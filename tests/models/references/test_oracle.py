"""The oracle as a generator."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gexbench.models import registry
from gexbench.models.checkpoint import load, save
from gexbench.models.contract import Unavailable
from gexbench.models.registry import create, resolve_settings
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.errors import InputError
from gexbench.tasks.simulated.cohort import simulated_cohort
from gexbench.tasks.simulated.oracle import oracle

ENTRY = registry()["oracle"]


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulated_cohort(200, 30, seed=2, text=False)


@pytest.fixture(scope="module")
def data(cohort: Cohort) -> DeviceFold:
    return put_on_device(cohort, folds(cohort)[1]).named()


def test_draws_equal_the_exact_oracle_of_the_cohort(cohort: Cohort, data: DeviceFold) -> None:
    generator = create(ENTRY, "quick", {"conditions": ["labels", "patches"]})
    generator.fit(data.train, data.validation, seed=0)
    samples = generator.sample(data.test_conditions, 3, seed=4)
    expected = oracle(cohort, ["labels", "patches"]).sample(data.fold.test, 3, seed=4)
    np.testing.assert_array_equal(samples.expression, expected.reshape(-1, 30))
    assert samples.ids.tolist() == np.repeat(data.fold.test, 3).tolist()
    assert samples.genes == cohort.genes


def test_draws_beat_the_mean_of_the_label(cohort: Cohort, data: DeviceFold) -> None:
    generator = create(ENTRY, "quick")
    generator.fit(data.train, data.validation, seed=0)
    order = np.random.default_rng(0).permutation(len(data.test_conditions))
    conditions = data.test_conditions.take(order)
    mean = generator.sample(conditions, 50, seed=1).expression.reshape(len(order), 50, -1).mean(1)
    rows = np.searchsorted(cohort.samples, conditions.ids)
    labels, truth = cohort.labels("project"), cohort.expression
    of_label = np.stack([truth[labels == name].mean(0) for name in labels[rows]])
    assert ((mean - truth[rows]) ** 2).mean() < 0.9 * ((of_label - truth[rows]) ** 2).mean()


def test_saved_oracle_samples_the_same_bits(data: DeviceFold, tmp_path: Path) -> None:
    generator = create(ENTRY, "quick", {"conditions": ["text"], "text": "plain"})
    generator.fit(data.train, data.validation, seed=0)
    save(generator, "oracle", tmp_path)
    restored = load(tmp_path, registry())
    first, second = (model.sample(data.test_conditions, 2, seed=9).expression for model in (generator, restored))
    np.testing.assert_array_equal(first, second)
    assert not (tmp_path / "tensors.safetensors").stat().st_size > 200


def test_unavailable_on_any_other_cohort(data: DeviceFold) -> None:
    generator = create(ENTRY, "quick")
    facts = replace(data.train.cohort, provenance={"kind": "files"})
    with pytest.raises(Unavailable, match="needs the simulated cohort"):
        generator.fit(replace(data.train, cohort=facts), data.validation, seed=0)
    with pytest.raises(Unavailable, match="30 genes in their order; this cohort has 2"):
        generator.fit(replace(data.train, genes=data.train.genes[:2]), data.validation, seed=0)


def test_settings_name_the_conditions_it_uses() -> None:
    settings = resolve_settings(ENTRY, "cpu", {"conditions": ["labels"]})
    assert ENTRY.load().conditions_used(settings) == {"labels"}
    assert ENTRY.load().conditions_used(resolve_settings(ENTRY, "cpu")) == {"labels", "text", "patches"}
    with pytest.raises(InputError, match="conditions"):
        resolve_settings(ENTRY, "cpu", {"conditions": ["image"]})

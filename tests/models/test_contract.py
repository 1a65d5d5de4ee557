"""The contract, checked on every built-in generator: a generator of your own must pass the same."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from gexbench.models import BUILT_IN, registry
from gexbench.models.checkpoint import load, save
from gexbench.models.contract import Budget, Generator
from gexbench.models.registry import Entry, create, resolve_settings
from gexbench.tasks.cohort import Cohort
from gexbench.tasks.conditions import Conditions
from gexbench.tasks.device_fold import DeviceFold, put_on_device
from gexbench.tasks.errors import InputError
from gexbench.tasks.folds import folds

NAMES = [entry.name for entry in BUILT_IN]
TRAINED = [entry.name for entry in BUILT_IN if not entry.is_reference]
WITHOUT_RANDOMNESS = {"class-mean"}
FACTORIES = {
    torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.ones, torch.rand, torch.randint,
    torch.randn, torch.randperm, torch.tensor, torch.zeros,
}  # fmt: skip

Fitted = Callable[[str], Generator]


@pytest.fixture(scope="module", params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def data(request: pytest.FixtureRequest, small_cohort: Cohort) -> DeviceFold:
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return put_on_device(small_cohort, folds(small_cohort)[0], request.param)


@pytest.fixture(scope="module")
def fitted(data: DeviceFold) -> Fitted:
    """Fits each generator once."""
    kept: dict[str, Generator] = {}

    def get(name: str) -> Generator:
        if name not in kept:
            kept[name] = fit(name, data)
        return kept[name]

    return get


def tiny(entry: Entry) -> dict[str, Any]:
    """Overrides that make a fit take a moment."""
    wanted = {"steps": 20, "checkpoints": 2, "warm_start_steps": 5, "head_steps": 10, "patches": 4, "tokens": 8}
    return {name: value for name, value in wanted.items() if name in entry.settings_class().model_fields}


def fit(name: str, data: DeviceFold, seed: int = 0) -> Generator:
    entry = registry()[name]
    assert entry.unavailable is None
    generator = create(entry, "quick", tiny(entry))
    generator.fit(data.train, data.validation, budget=Budget("quick"), seed=seed)
    return generator


def shuffled(conditions: Conditions, with_ids: bool) -> Conditions:
    """The conditions of other patients; the ids stay unless `with_ids`."""
    moved = conditions.take(np.random.default_rng(0).permutation(len(conditions)))
    return moved if with_ids else replace(moved, ids=conditions.ids)


@pytest.mark.parametrize("name", NAMES)
def test_rows_ids_genes_and_range(name: str, data: DeviceFold, fitted: Fitted) -> None:
    floor = data.train.cohort.unit.floor
    assert floor is not None
    for conditions, draws in ((data.test_conditions, 1), (data.train.conditions, 1), (data.test_conditions, 3)):
        samples = fitted(name).sample(conditions, draws, seed=1)
        assert samples.expression.shape == (len(conditions) * draws, len(data.train.genes))
        assert samples.expression.dtype == np.float32
        assert samples.ids.tolist() == [each for each in conditions.ids.tolist() for _ in range(draws)]
        assert samples.genes == data.train.genes
        assert np.isfinite(samples.expression).all()
        assert samples.expression.min() >= floor


@pytest.mark.parametrize("name", NAMES)
def test_draws_of_a_patient_stand_together_and_differ(name: str, data: DeviceFold, fitted: Fitted) -> None:
    rows = fitted(name).sample(data.test_conditions, 3, seed=1).expression.reshape(len(data.test_conditions), 3, -1)
    if name in WITHOUT_RANDOMNESS:
        np.testing.assert_array_equal(rows[:, 0], rows[:, 2])
    else:
        assert (rows[:, 0] != rows[:, 1]).any(axis=1).all()
        assert (rows[:, 1] != rows[:, 2]).any(axis=1).all()


@pytest.mark.parametrize("name", NAMES)
def test_no_conditions_give_no_rows(name: str, data: DeviceFold, fitted: Fitted) -> None:
    assert fitted(name).sample(data.test_conditions.take([]), 2, seed=0).expression.shape == (0, len(data.train.genes))


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_every_bit(name: str, data: DeviceFold, fitted: Fitted) -> None:
    first = fitted(name).sample(data.test_conditions, seed=7).expression
    again = fit(name, data).sample(data.test_conditions, seed=7).expression
    np.testing.assert_array_equal(first, again)
    other = fitted(name).sample(data.test_conditions, seed=8).expression
    assert np.array_equal(first, other) == (name in WITHOUT_RANDOMNESS)


@pytest.mark.parametrize("name", TRAINED)
def test_another_training_seed_gives_another_model(name: str, data: DeviceFold, fitted: Fitted) -> None:
    first = fitted(name).sample(data.test_conditions, seed=7).expression
    assert (first != fit(name, data, seed=1).sample(data.test_conditions, seed=7).expression).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_loaded_generator_samples_the_same_bits(name: str, data: DeviceFold, fitted: Fitted, tmp_path: Path) -> None:
    save(fitted(name), name, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["generator.json", "tensors.safetensors"]
    restored = load(tmp_path, registry(), data.test_conditions.device)
    first, second = (each.sample(data.test_conditions, 2, seed=3) for each in (fitted(name), restored))
    np.testing.assert_array_equal(first.expression, second.expression)
    assert first.genes == second.genes
    assert restored.settings == fitted(name).settings


@pytest.fixture
def inputs(data: DeviceFold) -> Iterator[None]:
    """Fails when the fold's tensors or ids were changed."""
    before = data.checksum(), data.train.conditions.rows.tolist(), data.test_conditions.ids.tolist()
    statistics = data.train.standardiser.mean.tolist(), data.train.standardiser.sd.tolist()
    yield
    assert before == (data.checksum(), data.train.conditions.rows.tolist(), data.test_conditions.ids.tolist())
    assert statistics == (data.train.standardiser.mean.tolist(), data.train.standardiser.sd.tolist())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.usefixtures("inputs")
def test_inputs_and_global_random_state_stay_as_they_are(name: str, data: DeviceFold) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    fit(name, data).sample(data.test_conditions, 2, seed=0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # noqa: NPY002
    assert before[2] == random.getstate()


class DeviceGuard(TorchFunctionMode):
    """Raises when a tensor that is neither empty nor a scalar is made without a device being named."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in FACTORIES and result.dim() and result.numel() and (kwargs or {}).get("device") is None:
            raise AssertionError(f"torch.{func.__name__} without a device")
        return result


def test_the_device_guard_notices() -> None:
    with pytest.raises(AssertionError, match=r"torch.zeros without a device"), DeviceGuard():
        torch.zeros(3)
    with DeviceGuard(), torch.device("cpu"):
        torch.zeros(3)


@pytest.mark.parametrize("name", NAMES)
def test_tensors_are_made_on_the_device_of_the_split(name: str, data: DeviceFold) -> None:
    with DeviceGuard():
        fit(name, data).sample(data.test_conditions, seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_samples_react_to_exactly_the_conditions_that_are_declared(name: str, data: DeviceFold, fitted: Fitted) -> None:
    # The oracle finds the conditions of a patient by id.
    others = shuffled(data.test_conditions, with_ids=name == "oracle")
    first, second = (fitted(name).sample(each, seed=2).expression for each in (data.test_conditions, others))
    assert np.array_equal(first, second) == (not registry()[name].conditions)


@pytest.mark.parametrize("name", NAMES)
def test_declared_conditions_agree(name: str) -> None:
    entry = registry()[name]
    generator = entry.load()
    settings = resolve_settings(entry, "quick")
    assert generator.conditions_used(settings) == set(entry.conditions)
    assert type(settings) is generator.Settings


@pytest.mark.parametrize("name", NAMES)
def test_the_report_can_be_written(name: str, data: DeviceFold, fitted: Fitted) -> None:
    report = fitted(name).report
    json.dumps([report.curves, report.facts, report.warnings], allow_nan=False)
    assert report.facts["parameters"] >= 0
    assert all(curve for curve in report.curves.values())


@pytest.mark.parametrize("name", NAMES)
def test_a_misspelt_setting_is_refused_with_a_suggestion(name: str) -> None:
    entry = registry()[name]
    fields = list(entry.settings_class().model_fields)
    typo = fields[0][:-1] if fields else "steps"
    hint = f"did you mean '{fields[0]}'" if fields else "known: none"
    with pytest.raises(InputError, match=f"unknown setting '{typo}'; {hint}"):
        create(entry, "quick", {typo: 1})


@pytest.mark.parametrize("name", TRAINED)
def test_progress_ends_at_the_last_step(name: str, data: DeviceFold) -> None:
    entry = registry()[name]
    seen: list[tuple[int, int, dict[str, float]]] = []
    generator = create(entry, "quick", tiny(entry))
    generator.fit(
        data.train,
        data.validation,
        budget=Budget("quick"),
        seed=0,
        progress=lambda step, steps, **values: seen.append((step, steps, values)),
    )
    assert seen[-1][0] == seen[-1][1]
    assert all(isinstance(value, float) for _, _, values in seen for value in values.values())

"""Golden numbers: a generator whose numbers change needs a new declared version.

Libraries choose their kernels by the processor, the kernels round differently, and training amplifies the difference:
after 20 steps in single precision up to 2 in the cohort's unit between two processors. Each generator therefore has two
sets of values:

- `bits`: in single precision, as users get them; equal to the last bit on the machine class and the library versions
  that stand beside them, and not compared elsewhere.
- `values`: a few steps in double precision, where kernels differ by 1e-16; within `TOLERANCE` on every machine.
  References are not trained and stay in single precision.

The second holds for arm64 too (torch's `DEFAULT` or `SVE256`, OpenBLAS or Accelerate): it relies on no kernel, only on
double precision and on random numbers that torch and NumPy draw alike everywhere.

After a wanted change raise the generator's version in its settings and write the numbers anew, all of them on one
machine: `GEXBENCH_WRITE_GOLDEN=1 python -m pytest tests/models/test_golden.py`
"""

import json
import os
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from gexbench.benchmark.machine.environment import versions
from gexbench.benchmark.machine.machine_class import machine_class
from gexbench.models import BUILT_IN, registry
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import DeviceFold

STORED = Path(__file__).parent / "golden_values.json"
TOLERANCE = 2e-5
"""Of `values`, absolute, in the cohort's unit (log2), for every generator.

With `ATEN_CPU_CAPABILITY`, `MKL_ENABLE_INSTRUCTIONS`, `ONEDNN_MAX_CPU_ISA`, `OPENBLAS_CORETYPE` and
`NPY_DISABLE_CPU_FEATURES` lowered to SSE at once, the values of an AVX-512 processor change by 2e-6 at most (diffusion,
whose scheduler counts in single precision); every change planted below makes more than 1e-4.
"""

WRITE = bool(os.environ.get("GEXBENCH_WRITE_GOLDEN"))
NAMES = [entry.name for entry in BUILT_IN]
CHANGED = ("wgan-gp-label", "cvae", "scvi-label", "diffusion-label")
TRAINED = [name for name in NAMES if "steps" in registry()[name].settings_class().model_fields]


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread() -> Iterator[None]:
    with threadpool_limits(1):
        yield


@pytest.fixture
def double(data: DeviceFold, monkeypatch: pytest.MonkeyPatch) -> Iterator[DeviceFold]:
    """The fold in double precision, and torch in which single precision is double."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    yield _double(data)
    torch.set_default_dtype(before)


@pytest.mark.parametrize("name", NAMES)
def test_bits_on_the_recorded_machine_class(name: str, data: DeviceFold) -> None:
    if not WRITE and (of := _golden(name)["bits_of"]) != _here():
        pytest.skip(f"bits of {of}; here {_here()}")
    rows = _rows(name, data, {"steps": 20} if name in TRAINED else {})
    assert _golden(name, bits=rows.tolist(), bits_of=_here())["bits"] == rows.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_those_of_the_declared_version(name: str, request: pytest.FixtureRequest) -> None:
    data = request.getfixturevalue("double" if name in TRAINED else "data")
    rows = _rows(name, data, _few_steps(name))
    golden = _golden(name, values=rows.round(6).tolist())
    np.testing.assert_allclose(rows, golden["values"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *((name, {"steps": 5}) for name in CHANGED),
        *((name, {"hidden": 127}) for name in CHANGED),
        ("wgan-gp-label", {"learning_rate": 2.02e-5}),
        ("cvae", {"learning_rate": 3.03e-3}),
        ("scvi-label", {"learning_rate": 6.06e-3}),
        ("diffusion-label", {"learning_rate": 2.02e-3}),
        ("wgan-gp-label", {"penalty": 9.9}),
        ("wgan-gp-label", {"ema": 0.0}),
        ("cvae", {"beta": 0.099}),
        ("scvi-label", {"kl_weight": 0.99}),
        ("diffusion-label", {"weight_decay": 0.0}),
        ("diffusion-label", {"hidden_dropout": 0.0}),
        ("cvae-gemm", {"warm_start_steps": 5}),
        ("cvae-gemm", {"encoder_layers": 1}),
        ("gemm-gan-reference", {"dropout": 0.0}),
    ],
)
def test_the_tolerance_finds_a_changed_model(name: str, change: dict[str, Any], double: DeviceFold) -> None:
    """One step fewer, one unit fewer, a rate or weight 1 % off, a regulariser dropped."""
    rows = _rows(name, double, _few_steps(name) | change)
    assert np.abs(rows - np.asarray(_golden(name)["values"])).max() > 5 * TOLERANCE


def _rows(name: str, data: DeviceFold, settings: dict[str, Any]) -> NDArray[np.float32]:
    generator = create(registry()[name], "quick", settings)
    data = data.named() if registry()[name].reads == "ids" else data
    generator.fit(data.train, data.validation, seed=11)
    rows: NDArray[np.float32] = generator.sample(data.test_conditions.take([0, 7]), 2, seed=12).expression
    return rows[:, ::13]


def _few_steps(name: str) -> dict[str, int]:
    """In which every stage of a training has its part, the warm start and that of the head alone."""
    if name not in TRAINED:
        return {}
    usual = create(registry()[name], "quick", {}).settings.model_dump()
    few = {"steps": 6, "warm_start_steps": 6, "head_steps": 3, "checkpoints": 1}
    return {setting: value for setting, value in few.items() if usual.get(setting)}


def _golden(name: str, **found: Any) -> dict[str, Any]:
    """What is stored of a generator, with what was found when the numbers are written anew."""
    stored = json.loads(STORED.read_text())
    version = registry()[name].settings_class().version
    if found and WRITE:
        stored[name] = {**stored.get(name, {}), **found, "version": version}
        lines = (f"{json.dumps(key)}: {json.dumps(stored[key], sort_keys=True)}" for key in sorted(stored))
        STORED.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    golden: dict[str, Any] = stored[name]
    assert golden["version"] == version, "write the numbers of the new version"
    return golden


def _here() -> str:
    """The machine class with the versions of the libraries that compute."""
    libraries = (f"{name} {versions().get(name)}" for name in ("torch", "numpy", "scipy", "scikit-learn"))
    return f"{machine_class()}; {', '.join(libraries)}"


def _double(given: Any) -> Any:
    """A copy whose tensors of floating-point numbers are double, through data classes and dictionaries."""
    if isinstance(given, torch.Tensor):
        return given.double() if given.is_floating_point() else given
    if isinstance(given, dict):
        return {key: _double(value) for key, value in given.items()}
    if is_dataclass(given) and not isinstance(given, type):
        return replace(given, **{field.name: _double(getattr(given, field.name)) for field in fields(given)})
    return given

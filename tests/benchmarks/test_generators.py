"""Training throughput and sampling time of every trained generator at the sizes of budget `cpu`.

Data have the shape of the published cohort: 680 genes, 1,000 training patients of the simulated cohort. Sampling
draws 10,000 profiles for 1,000 distinct conditions. The ratio to the label WGAN-GP, timed in the same run, stands in
the extra information.
"""

import time
from functools import cache
from typing import Any

import pytest
import torch

from gexbench.metrics import detect, support_measures
from gexbench.models import BUILT_IN, registry
from gexbench.models.contract import Budget, Generator
from gexbench.models.registry import Entry, create
from gexbench.tasks.device_fold import DeviceFold, put_on_device
from gexbench.tasks.folds import folds
from gexbench.tasks.simulated import simulated_cohort

PATIENTS, GENES, CONDITIONS, DRAWS = 1700, 680, 1000, 10
STEPS = 60
YARDSTICK = "wgan-gp-label"
TRAINED = [entry.name for entry in BUILT_IN if not entry.is_reference]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


@cache
def data(device: str) -> DeviceFold:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cohort = simulated_cohort(patients=PATIENTS, genes=GENES)
    return put_on_device(cohort, folds(cohort)[0], device)


def short(entry: Entry) -> dict[str, Any]:
    """Settings of a short training at full sizes."""
    wanted = {"steps": STEPS, "checkpoints": 1, "warm_start_steps": 1, "head_steps": STEPS}
    return {name: value for name, value in wanted.items() if name in entry.settings_class().model_fields}


def available(name: str) -> Entry:
    entry = registry()[name]
    if entry.unavailable:
        pytest.skip(entry.unavailable)
    return entry


@cache
def fitted(name: str, device: str) -> tuple[Generator, float]:
    """The generator after a short training, and its optimiser steps per second."""
    entry = available(name)
    generator = create(entry, "cpu", short(entry))
    start = time.perf_counter()
    generator.fit(data(device).train, data(device).validation, budget=Budget("cpu"), seed=0)
    return generator, STEPS / (time.perf_counter() - start)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", TRAINED)
def test_training(name: str, device: str, benchmark: Any) -> None:
    """Seconds of a training of 60 steps with its start and one checkpoint; encoders of patches stay fixed."""
    fold, entry = data(device), available(name)

    def train() -> None:
        create(entry, "cpu", short(entry)).fit(fold.train, fold.validation, budget=Budget("cpu"), seed=0)

    yardstick = fitted(YARDSTICK, device)[1]
    benchmark.pedantic(train, rounds=3, iterations=1)
    if benchmark.stats is not None:
        speed = STEPS / benchmark.stats.stats.median
        benchmark.extra_info |= {"steps_per_s": round(speed, 1), f"times_{YARDSTICK}": round(speed / yardstick, 2)}
        print(name, device, benchmark.extra_info)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", TRAINED)
def test_sampling(name: str, device: str, benchmark: Any) -> None:
    """Seconds of 10,000 profiles for 1,000 distinct conditions."""
    generator = fitted(name, device)[0]
    conditions = data(device).train.conditions.take(range(CONDITIONS))
    samples = benchmark.pedantic(lambda: generator.sample(conditions, DRAWS, seed=0), rounds=3, iterations=1)
    assert samples.expression.shape == (CONDITIONS * DRAWS, GENES)
    if benchmark.stats is not None:
        seconds = benchmark.stats.stats.median
        benchmark.extra_info["profiles_per_s"] = round(CONDITIONS * DRAWS / seconds)
        print(name, device, round(seconds, 2), "s", benchmark.extra_info)


@cache
def trained_diffusion(device: str) -> Generator:
    """`diffusion-label` after its whole training at budget `cpu`."""
    generator = create(available("diffusion-label"), "cpu", {})
    generator.fit(data(device).train, data(device).validation, budget=Budget("cpu"), seed=0)
    return generator


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("steps", [5, 10, 20, 40])
def test_sampling_steps_of_diffusion(steps: int, device: str, benchmark: Any) -> None:
    """Seconds of 10,000 profiles by the number of sampling steps, with the quality of rows of validation patients."""
    generator = trained_diffusion(device)
    generator.settings = generator.settings.model_copy(update={"sampling_steps": steps})
    conditions = data(device).train.conditions.take(range(CONDITIONS))
    benchmark.pedantic(lambda: generator.sample(conditions, DRAWS, seed=0), rounds=3, iterations=1)
    validation = data(device).validation
    made = torch.from_numpy(generator.sample(validation.conditions, 1, seed=1).expression)
    rows = validation.standardiser.forward(made.to(validation.expression.device)).cpu().numpy()
    real = validation.standardised.cpu().numpy()
    quality = support_measures(real, rows)
    auc = detect(real, rows, validation.conditions.ids, detector="xgb").auc
    found = {"coverage": quality.coverage, "recall": quality.recall, "detection_xgb": auc}
    benchmark.extra_info |= {name: round(value, 3) for name, value in found.items()}
    if benchmark.stats is not None:
        print("diffusion-label", steps, "steps", device, round(benchmark.stats.stats.median, 2), "s", found)

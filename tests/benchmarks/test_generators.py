"""Training throughput and sampling time of every trained generator at the sizes of budget `cpu`.

Data have the shape of the published cohort: 680 genes, 1,000 training patients of the simulated cohort. Training takes
one thread and sampling two. The figures stand in the extra information;
`python -m gexbench.benchmark.studies generators` makes a page of the JSON file of `--benchmark-json`.
"""

import os
import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
import torch

from gexbench.metrics import detect, support_measures
from gexbench.models import BUILT_IN, registry
from gexbench.models.contract import Generator, Samples
from gexbench.models.diffusion.denoiser import Denoiser
from gexbench.models.registry import Entry, create, resolve_settings
from gexbench.models.training import run
from gexbench.models.training.run import TrainingRun
from gexbench.models.vae.networks import VaeNetwork
from gexbench.models.wgan_gp.networks import Critic, ExpressionGenerator
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.simulated.cohort import simulated_cohort

PATIENTS, GENES, CONDITIONS, DRAWS = 1700, 680, 1000, 10
JOINT, ALONE = 12, 20
REFERENCE_STEPS = 8
SAMPLING_LIMIT_S = 10.0
TRAINED = [entry.name for entry in BUILT_IN if not entry.is_reference]
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
HOT = {
    "wgan-gp-label": ((ExpressionGenerator, "forward"), (Critic, "judge"), (Critic, "forward")),
    "cvae": ((VaeNetwork, "encode"), (VaeNetwork, "decode")),
    "diffusion-label": ((Denoiser, "forward"),),
}
"""Where the steps of a family spend their time."""
FITTED: dict[tuple[str, str], Generator] = {}


@cache
def data(device: str) -> DeviceFold:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    cohort = simulated_cohort(patients=PATIENTS, genes=GENES)
    return put_on_device(cohort, folds(cohort)[0], device)


def available(name: str) -> Entry:
    entry = registry()[name]
    if entry.unavailable:
        pytest.skip(entry.unavailable)
    return entry


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def short(name: str) -> Generator:
    """A training at full sizes: `JOINT` steps, and `ALONE` with a fixed encoder where the budget has such steps."""
    entry = available(name)
    usual, fields = resolve_settings(entry, "cpu"), entry.settings_class().model_fields
    steps = REFERENCE_STEPS if getattr(usual, "training", "") == "reference" else JOINT + ALONE
    wanted = {"steps": steps, "checkpoints": 1, "warm_start_steps": 1}
    wanted["head_steps"] = ALONE if getattr(usual, "head_steps", 0) else 0
    return create(entry, "cpu", {field: value for field, value in wanted.items() if field in fields})


def fit(generator: Generator, device: str) -> None:
    fold = data(device)
    generator.fit(fold.train, fold.validation, seed=0)


def fitted(name: str, device: str) -> Generator:
    """After a short training: that of `test_training` where it ran before."""
    if (name, device) not in FITTED:
        FITTED[name, device] = short(name)
        fit(FITTED[name, device], device)
    return FITTED[name, device]


class Clock:
    """Seconds and CPU-seconds at the ends of steps; the first step of a kind is not part of any phase."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, device: str) -> None:
        self.device, self.at = device, {}
        after = TrainingRun.after

        def told(training: TrainingRun, step: int, **values: Any) -> None:
            self.mark(step, training.steps)
            after(training, step, **values)

        monkeypatch.setattr(TrainingRun, "after", told)
        monkeypatch.setattr(run, "_SECONDS_BETWEEN_CALLS", 1e9)
        monkeypatch.setattr(run, "LOGGED_STEPS", 1)  # as rare as in a whole training

    def mark(self, step: int, steps: int) -> None:
        if step in (1, JOINT, JOINT + 1, steps):
            if self.device == "cuda":
                torch.cuda.synchronize()
            self.at[step] = (time.perf_counter(), time.process_time())

    def per_step(self, first: int, last: int) -> tuple[float, float]:
        """Seconds and CPU-seconds of a step after `first`, up to `last`."""
        spent = [(end - start) / (last - first) for start, end in zip(self.at[first], self.at[last], strict=True)]
        return spent[0], spent[1]


def quietest(spent: list[tuple[float, float]]) -> tuple[float, float]:
    """Seconds and CPU-seconds of the round with the fewest CPU-seconds: other work on the machine only adds to them."""
    return min(spent, key=lambda each: each[1])


def mini_batches(settings: Any) -> int:
    """Fresh mini-batches in a step."""
    return settings.critic_steps if getattr(settings, "training", "") == "standard" else 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", TRAINED)
def test_training(
    name: str,
    device: str,
    benchmark: Any,
    threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A training of 32 steps with its start and a checkpoint; the steps alone, by what they train, in the extras."""
    threads(1)
    data(device)
    settings, clock = resolve_settings(available(name), "cpu"), Clock(monkeypatch, device)
    steps, alone = settings.steps, min(settings.steps, getattr(settings, "head_steps", 0))

    def train() -> None:
        generator = short(name)
        fit(generator, device)
        FITTED[name, device] = generator

    benchmark.pedantic(train, rounds=1, iterations=1)
    last = FITTED[name, device].settings.steps
    phases = {"joint": (1, JOINT if alone else last)} | ({"alone": (JOINT + 1, last)} if alone else {})
    found: dict[str, float] = {"load": load(), "batch": settings.batch, "steps": steps, "steps_alone": alone}
    of_training = [0.0, 0.0]
    for phase, (first, end) in phases.items():
        count = alone if phase == "alone" else steps - alone
        spent = clock.per_step(first, end)
        found |= {f"{phase}_ms": 1e3 * spent[0], f"{phase}_cpu_ms": 1e3 * spent[1]}
        of_training = [so_far + count * each for so_far, each in zip(of_training, spent, strict=True)]
    found |= {"training_s": of_training[0], "training_cpu_s": of_training[1]}
    found["steps_per_s"] = steps / of_training[0]
    found["patients_per_s"] = found["steps_per_s"] * settings.batch * mini_batches(settings)
    benchmark.extra_info |= {"kind": "training", "generator": name, "device": device, "figures": found}


def timed(benchmark: Any, work: Callable[[], Samples], device: str) -> tuple[Samples, dict[str, float]]:
    """What `work` samples, its seconds and CPU-seconds, and how busy the machine is."""
    began, cpu = time.perf_counter(), time.process_time()
    samples = benchmark.pedantic(work, rounds=1, iterations=1)
    if device == "cuda":
        torch.cuda.synchronize()
    spent = {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu, "load": load()}
    return samples, spent


def load() -> float:
    """Load average over the last minute, this process included."""
    return os.getloadavg()[0]


def changed(original: Callable[..., Any], how: str) -> Callable[..., Any]:
    """The function compiled, or computed in bfloat16."""
    if how == "compiled":
        compiled: Callable[..., Any] = torch.compile(original)
        return compiled

    def narrow(network: Any, *args: Any, **kwargs: Any) -> Any:
        rows = [each.bfloat16() if torch.is_tensor(each) and each.is_floating_point() else each for each in args]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = original(network, *rows, **kwargs)
        if isinstance(result, torch.Tensor):
            return result.float()
        widened = [each.float() for each in result]
        return type(result)(*widened) if hasattr(result, "_fields") else tuple(widened)

    return narrow


@pytest.mark.parametrize("how", ["as it is", "compiled", "bfloat16"])
@pytest.mark.parametrize("name", list(HOT))
def test_ways_to_compute_a_step(
    name: str,
    how: str,
    benchmark: Any,
    threads: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    """A step as it is, with its networks compiled, or in bfloat16; no published row is computed the latter ways."""
    threads(1)
    data("cpu")
    settings, clock = resolve_settings(available(name), "cpu"), Clock(monkeypatch, "cpu")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    for cls, method in HOT[name] if how != "as it is" else ():
        monkeypatch.setattr(cls, method, changed(getattr(cls, method), how))
    steps: list[tuple[float, float]] = []
    starts: list[float] = []

    def train() -> None:
        clock.at.clear()
        began = sum(os.times()[:4])
        fit(short(name), "cpu")
        later = time.process_time() - clock.at[1][1]
        starts.append(sum(os.times()[:4]) - began - later)  # a compiler's processes included
        steps.append(clock.per_step(JOINT, JOINT + ALONE))

    benchmark.pedantic(train, rounds=2, iterations=1)
    least = quietest(steps)
    found = {"step_ms": 1e3 * least[0], "step_cpu_ms": 1e3 * least[1], "steps": settings.steps, "load": load()}
    found["first_start_cpu_s"], found["later_start_cpu_s"] = starts[0], min(starts[1:])
    benchmark.extra_info |= {"kind": "way", "generator": name, "device": "cpu", "way": how, "figures": found}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", TRAINED)
def test_sampling(
    name: str, device: str, benchmark: Any, threads: Callable[[int], None], encoded_rows: dict[str, int]
) -> None:
    """10,000 profiles for 1,000 distinct conditions, each encoded once."""
    threads(2)
    generator = fitted(name, device)
    conditions = data(device).train.conditions.take(range(CONDITIONS))
    encoded_rows.clear()
    samples, found = timed(benchmark, lambda: generator.sample(conditions, DRAWS, seed=0), device)
    assert samples.expression.shape == (CONDITIONS * DRAWS, GENES)
    assert set(encoded_rows.values()) <= {CONDITIONS}
    found["profiles_per_cpu_s"] = CONDITIONS * DRAWS / found["cpu_s"]
    benchmark.extra_info |= {"kind": "sampling", "generator": name, "device": device, "figures": found}
    # On a busy machine seconds are too long: what takes so few CPU-seconds takes no more seconds on free cores.
    assert min(found["seconds"], found["cpu_s"]) <= SAMPLING_LIMIT_S


@cache
def trained_diffusion(device: str) -> Generator:
    """`diffusion-label` after its whole training at budget `cpu`."""
    generator = create(available("diffusion-label"), "cpu", {})
    fit(generator, device)
    return generator


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("steps", [5, 10, 20, 40])
def test_sampling_steps_of_diffusion(steps: int, device: str, benchmark: Any, threads: Callable[[int], None]) -> None:
    """10,000 profiles by the number of sampling steps, with the quality of rows of validation patients."""
    threads(2)
    generator = trained_diffusion(device)
    generator.settings = generator.settings.model_copy(update={"sampling_steps": steps})
    conditions = data(device).train.conditions.take(range(CONDITIONS))
    _, found = timed(benchmark, lambda: generator.sample(conditions, DRAWS, seed=0), device)
    validation = data(device).validation
    made = torch.from_numpy(generator.sample(validation.conditions, 1, seed=1).expression)
    rows = validation.standardiser.forward(made.to(validation.expression.device)).cpu().numpy()
    real = validation.standardised.cpu().numpy()
    quality = support_measures(real, rows)
    auc = detect(real, rows, validation.conditions.ids, detector="xgb").auc
    found |= {"sampling_steps": steps, "detection_auc_xgb": auc}
    found |= {name: float(getattr(quality, name)) for name in ("precision", "recall", "coverage")}
    labels = {"kind": "sampling steps", "generator": "diffusion-label", "device": device}
    benchmark.extra_info |= {**labels, "figures": found}

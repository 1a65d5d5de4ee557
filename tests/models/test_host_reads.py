"""Between checkpoints a training reads nothing from the device: a GPU never waits for the host."""

import collections
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gexbench.models import BUILT_IN, registry
from gexbench.models.contract import Generator
from gexbench.models.registry import create
from gexbench.models.training import run
from gexbench.models.training.run import TrainingRun
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds

TRAINED = [entry.name for entry in BUILT_IN if not entry.is_reference]
STEPS, HEAD_STEPS = 12, 6
READS = {
    f"aten::{name}"
    for name in ("_local_scalar_dense", "equal", "masked_select", "nonzero", "_unique2", "unique_consecutive")
}
"""What makes a GPU wait: a value or a shape that the host asks for."""


class Reads(TorchDispatchMode):
    """Counts reads from the device, backward passes included, by the number of finished steps."""

    def __init__(self) -> None:
        super().__init__()
        self.finished = 0
        self.found: collections.Counter[int] = collections.Counter()

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if operator._schema.name in READS:
            self.found[self.finished] += 1
        return operator(*args, **(kwargs or {}))


def one_hot(codes: torch.Tensor, num_classes: int = -1) -> torch.Tensor:
    """As torch's, which checks a given number of classes on the CPU alone; without one it asks for the largest code."""
    classes = num_classes if num_classes >= 0 else int(codes.max()) + 1
    return (codes[..., None] == torch.arange(classes, device=codes.device)).long()


@pytest.fixture
def finished(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Steps that `TrainingRun` was told of; a slow machine shows no progress between checkpoints."""
    steps: list[int] = []
    after = TrainingRun.after

    def told(self: TrainingRun, step: int, **values: Any) -> None:
        after(self, step, **values)
        steps.append(step)

    monkeypatch.setattr(TrainingRun, "after", told)
    monkeypatch.setattr(run, "_SECONDS_BETWEEN_CALLS", 1e9)
    return steps


def short(name: str) -> Generator:
    """All kinds of steps, one checkpoint at the end."""
    entry = registry()[name]
    wanted = {"steps": STEPS, "head_steps": HEAD_STEPS, "checkpoints": 1, "warm_start_steps": 2}
    fields = entry.settings_class().model_fields
    return create(entry, "quick", {field: value for field, value in wanted.items() if field in fields})


@pytest.mark.parametrize("name", TRAINED)
def test_no_step_reads_from_the_device(
    name: str, data: DeviceFold, finished: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reads, generator = Reads(), short(name)
    told = TrainingRun.after

    def counted(self: TrainingRun, step: int, **values: Any) -> None:
        told(self, step, **values)
        reads.finished = step

    monkeypatch.setattr(TrainingRun, "after", counted)
    monkeypatch.setattr(torch.nn.functional, "one_hot", one_hot)
    with reads:
        generator.fit(data.train, data.validation, seed=0)
    assert finished == list(range(1, STEPS + 1))
    assert [reads.found[step] for step in range(1, STEPS - 1)] == [0] * (STEPS - 2)
    assert reads.found[STEPS - 1], "the checkpoint reads the losses"


def test_a_read_in_a_loss_or_its_backward_pass_is_counted() -> None:
    with Reads() as reads:
        weight = torch.ones(3, requires_grad=True)
        weight.register_hook(lambda gradient: gradient if bool(gradient.isfinite().all()) else None)
        loss = weight.square().sum()
        loss.detach().item()
        reads.finished = 1
        loss.backward()
    assert reads.found == {0: 1, 1: 1}


@pytest.mark.gpu
@pytest.mark.parametrize("name", TRAINED)
def test_no_step_waits_for_a_gpu(
    name: str, small_cohort: Cohort, finished: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    held, generator = put_on_device(small_cohort, folds(small_cohort)[0], "cuda"), short(name)
    told = TrainingRun.after

    def watched(self: TrainingRun, step: int, **values: Any) -> None:
        if step == STEPS:
            torch.cuda.set_sync_debug_mode("default")
        told(self, step, **values)
        if step == 1:
            torch.cuda.set_sync_debug_mode("error")

    monkeypatch.setattr(TrainingRun, "after", watched)
    try:
        generator.fit(held.train, held.validation, seed=0)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert finished[-1] == STEPS

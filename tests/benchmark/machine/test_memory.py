"""Errors that say that memory is short, of the host and of a device."""

import pytest
import torch

from gexbench.benchmark.cells.jobs import Job
from gexbench.benchmark.cells.trainer import Trainer
from gexbench.benchmark.machine.memory import memory_is_short


def test_errors_of_short_memory_are_told_from_others():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    for error in (
        caught.value,
        MemoryError(),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
    ):
        assert memory_is_short(error), error
    for error in (RuntimeError("no luck"), ValueError("out of memory"), SystemExit("out of memory")):
        assert not memory_is_short(error), error


@pytest.mark.parametrize(
    ("error", "state"),
    [(RuntimeError("CUDA error: out of memory"), "out of memory"), (RuntimeError("no luck"), "failed")],
)
def test_a_cell_that_runs_out_of_device_memory_says_so(workbench, monkeypatch, error, state):
    plan = workbench.runner({"one": {}}).plan
    trainer = Trainer(plan, workbench.results, workbench.results)

    def train(cell, report):
        raise error

    monkeypatch.setattr(trainer, "_train", train)
    outcome = trainer.do(Job("train", plan.cells[-1].fold, plan.cells[-1]), lambda *_: None)
    assert (outcome.state, str(error) in outcome.reason) == (state, True)

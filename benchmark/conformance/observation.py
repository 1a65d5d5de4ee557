"""Observe a piece of work: its use of global randomness, and what it writes, starts and leaves behind."""

import os
import random
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from torch.overrides import TorchFunctionMode

from gexbench.models.contract import Samples
from gexbench.tasks.cohorts.device_fold import DeviceFold

FACTORIES = {
    torch.arange, torch.empty, torch.eye, torch.full, torch.linspace, torch.ones, torch.rand, torch.randint,
    torch.randn, torch.randperm, torch.tensor, torch.zeros,
}  # fmt: skip


class DeviceGuard(TorchFunctionMode):
    """Notes tensors, neither empty nor scalar, that the generator's own lines create without an explicit device.

    Those of libraries are theirs: a module's weights are made on the CPU and then moved by `.to(device)`.

    Args:
        is_own: whether a module of this name is the generator's code.
    """

    def __init__(self, is_own: Callable[[str], bool] = lambda name: True) -> None:
        super().__init__()
        self.is_own = is_own
        self.found: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in FACTORIES and result.dim() and result.numel() and (kwargs or {}).get("device") is None:
            caller = sys._getframe(1)
            if self.is_own(str(caller.f_globals.get("__name__", ""))):
                place = f"{Path(caller.f_code.co_filename).name}, line {caller.f_lineno}"
                self.found.append(f"torch.{func.__name__} ({place})")
        return result


@dataclass(slots=True)
class Observation:
    """What was seen.

    Attributes:
        samples: what the work returned.
        progress: calls of the progress callback: step, steps, values.
        changed: global states that differ from before.
        without_device: factory functions called without a device.
        inputs_changed: whether the fold's tensors or ids were modified.
        files, processes, threads: left behind, by name.
    """

    samples: Samples
    progress: list[tuple[Any, Any, dict[str, Any]]] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    without_device: list[str] = field(default_factory=list)
    inputs_changed: bool = False
    files: list[str] = field(default_factory=list)
    processes: list[str] = field(default_factory=list)
    threads: list[str] = field(default_factory=list)


def observed(
    data: DeviceFold, work: Callable[[Callable[..., None]], Samples], is_own: Callable[[str], bool] = lambda name: True
) -> Observation:
    """Do the work, which gets a progress callback, in an empty folder, and note what it does.

    Global random states are scrambled before, so that work which sets them to the same values as earlier work is seen.
    """
    calls: list[tuple[Any, Any, dict[str, Any]]] = []
    original, inputs = _global_states(), _inputs(data)
    processes, threads = _processes(), {*threading.enumerate()}
    guard = DeviceGuard(is_own)
    with _empty_folder() as folder, _thread_settings() as settings:
        _scramble()
        before = _global_states()
        try:
            with guard:
                samples = work(lambda step, steps, **values: calls.append((step, steps, values)))
            after = _global_states()
        finally:
            _restore(original)
        files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return Observation(
        samples=samples,
        progress=calls,
        changed=[*(name for name in before if not _same(before[name], after[name])), *settings],
        without_device=sorted({*guard.found}),
        inputs_changed=inputs != _inputs(data),
        files=files,
        processes=sorted(name for pid, name in _processes().items() if pid not in processes),
        threads=sorted(thread.name for thread in threading.enumerate() if thread not in threads),
    )


def _inputs(data: DeviceFold) -> tuple[Any, ...]:
    ids = [each.ids.tolist() for each in (data.train.conditions, data.validation.conditions, data.test_conditions)]
    return data.checksum(), ids


def _global_states() -> dict[str, Any]:
    return {
        "torch's random state": torch.get_rng_state(),
        "CUDA's random states": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "NumPy's random state": np.random.get_state(),  # noqa: NPY002
        "Python's random state": random.getstate(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "the working folder": str(Path.cwd()),
        "the environment variables": dict(os.environ),
    }


def _scramble() -> None:
    """Give every global random state a value that no code has set."""
    torch.manual_seed(int.from_bytes(os.urandom(7), "big"))
    np.random.seed(int.from_bytes(os.urandom(4), "big"))  # noqa: NPY002
    random.seed(os.urandom(16))


@contextmanager
def _thread_settings() -> Iterator[list[str]]:
    """Names the number of threads where it is set meanwhile, also to what it was, and not set back to what was read."""
    found: list[str] = []
    read: list[int] = []
    original, current = torch.set_num_threads, torch.get_num_threads

    def setting(nthreads: int) -> None:
        found[:] = [] if nthreads in read else ["torch's number of threads"]
        original(nthreads)

    def reading() -> int:
        read.append(current())
        return read[-1]

    torch.set_num_threads, torch.get_num_threads = setting, reading
    try:
        yield found
    finally:
        torch.set_num_threads, torch.get_num_threads = original, current


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, (tuple, list)):
        return len(first) == len(second) and all(map(_same, first, second))
    return bool(np.array_equal(first, second)) if isinstance(first, np.ndarray) else bool(first == second)


def _restore(states: dict[str, Any]) -> None:
    torch.set_rng_state(states["torch's random state"])
    if states["CUDA's random states"]:
        torch.cuda.set_rng_state_all(states["CUDA's random states"])
    np.random.set_state(states["NumPy's random state"])  # noqa: NPY002
    random.setstate(states["Python's random state"])
    torch.set_default_dtype(states["torch's default dtype"])
    torch.set_grad_enabled(states["torch's gradient mode"])
    os.environ.clear()
    os.environ.update(states["the environment variables"])


def _processes() -> dict[int, str]:
    return {child.pid: child.name() for child in psutil.Process().children(recursive=True)}


@contextmanager
def _empty_folder() -> Iterator[Path]:
    """An empty folder that is the working folder and the place of temporary files."""
    before, temporary = Path.cwd(), tempfile.tempdir
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        os.chdir(folder)
        tempfile.tempdir = str(folder)
        try:
            yield folder
        finally:
            os.chdir(before)
            tempfile.tempdir = temporary

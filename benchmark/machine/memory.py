"""Peak memory of a piece of work, and out-of-memory errors."""

import threading
from types import TracebackType
from typing import Self

import psutil
import torch

INTERVAL_S = 0.1
_SHORT = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "can't allocate memory")
"""Messages of libraries that have no error type for it."""


def memory_is_short(error: BaseException) -> bool:
    """Whether an error means that the host or the device is out of memory."""
    if isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _SHORT)


class PeakMemory:
    """Samples this process's resident memory while it is entered; `bytes` holds the peaks afterwards.

    `host` is the largest resident memory seen (all of the process, sampled every 0.1 s); `device` the largest
    allocation on the CUDA device, 0 on the CPU.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.bytes: dict[str, int] = {"host": 0, "device": 0}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            self.bytes["host"] = max(self.bytes["host"], process.memory_info().rss)
            if self._stop.wait(INTERVAL_S):
                return

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self.device.type == "cuda":
            self.bytes["device"] = torch.cuda.max_memory_allocated(self.device)

"""Growth of this process's resident memory during a piece of work."""

import contextlib
import ctypes
import threading
from pathlib import Path
from typing import Self

import psutil


class Resident:
    """Growth of the resident memory (bytes) while it is entered, sampled every 5 ms; on Linux the kernel's own peak."""

    growth = 0

    def __enter__(self) -> Self:
        self._process, self._stop = psutil.Process(), threading.Event()
        _release_freed()
        self._resets = _reset_peak()
        self._before = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.growth = max(self.growth, self._process.memory_info().rss - self._before)

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._resets:
            self.growth = max(self.growth, _peak() - self._before)


def _release_freed() -> None:
    """Hand freed memory back (glibc), or work that takes it again would seem to need none."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _reset_peak() -> bool:
    """Set the kernel's peak of this process to its present memory; False where the kernel keeps none of this kind."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return _peak() > 0


def _peak() -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)

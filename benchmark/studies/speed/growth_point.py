"""One point of the growth of the metrics: a metric at one size, in this process; see ``growth``.

Run as ``python -m gexbench.benchmark.studies.speed.growth_point METRIC ROWS GENES``; prints two lines of JSON: the
resident memory once the data are in place, and what the metric took.
"""

import contextlib
import ctypes
import importlib.util
import json
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics import distribution, membership, memorisation, structure, support

Rows = NDArray[np.float64]
Work = Callable[[], object]
_SEED = 20


def _support(real: Rows, synthetic: Rows) -> Work:
    radii = support.radii(real)
    return lambda: support.support_measures(real, synthetic, real_radii=radii)


def _mmd(real: Rows, synthetic: Rows) -> Work:
    width = distribution.median_width(real)
    return lambda: distribution.mmd(real, synthetic, width)


def _prdc(real: Rows, synthetic: Rows) -> Work:
    from prdc import compute_prdc

    return lambda: compute_prdc(real, synthetic, nearest_k=5)


METRICS: dict[str, Callable[[Rows, Rows], Work]] = {
    "support": _support,
    "support, nothing kept": lambda real, synthetic: lambda: support.support_measures(real, synthetic),
    "Fréchet": lambda real, synthetic: lambda: distribution.frechet(real, synthetic),
    "MMD": _mmd,
    "energy": lambda real, synthetic: lambda: distribution.energy_distance(real, synthetic),
    "sliced Wasserstein": lambda real, synthetic: lambda: distribution.sliced_wasserstein(real, synthetic),
    "Wasserstein per gene": lambda real, synthetic: lambda: distribution.wasserstein_1d(real, synthetic),
    "KS per gene": lambda real, synthetic: lambda: distribution.ks(real, synthetic),
    "correlations": lambda real, synthetic: lambda: structure.correlation_mse(real, synthetic),
    "copy gate": lambda real, synthetic: lambda: memorisation.donor_ratios(synthetic, real),
    "nearest distance": lambda real, synthetic: lambda: membership.nearest_distances(synthetic, real),
}
if importlib.util.find_spec("prdc") is not None:
    METRICS["prdc (reference)"] = _prdc


def measure(metric: str, rows: int, genes: int, ready: Callable[[int], None] = lambda resident: None) -> dict[str, Any]:
    """Seconds, CPU-seconds and growth of the peak resident memory, in bytes, of a metric on (rows, genes) twice.

    ready: called with the resident bytes once the data are in place, before what the metric keeps of the real side.
    """
    import psutil

    random = np.random.default_rng(_SEED)
    real, synthetic = random.normal(size=(rows, genes)), random.normal(0.1, 0.9, size=(rows, genes))
    small = random.normal(size=(64, 8))
    METRICS[metric](small, small + 0.1)()
    ready(psutil.Process().memory_info().rss)
    work = METRICS[metric](real, synthetic)
    with Resident() as resident:
        start, cpu = time.perf_counter(), time.process_time()
        work()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "memory_bytes": resident.growth}


class Resident:
    """Growth of the resident memory (bytes) while it is entered, sampled every 5 ms; on Linux the kernel's own peak."""

    growth = 0

    def __enter__(self) -> "Resident":
        import psutil

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


if __name__ == "__main__":
    print(
        json.dumps(
            measure(
                sys.argv[1],
                int(sys.argv[2]),
                int(sys.argv[3]),
                lambda resident: print(json.dumps({"resident_bytes": resident}), flush=True),
            )
        )
    )

"""One point of the growth of the metrics: a metric at one size, in this process; see ``array_metrics``.

Run as ``python -m gexbench.benchmark.studies.speed.array_metrics_point METRIC ROWS GENES``; prints two lines of
JSON: the resident memory once the data are in place, and what the metric took.
"""

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from gexbench.benchmark.studies.speed.resident_memory import Resident
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


def main(metric: str, rows: str, genes: str) -> None:
    """Measure and print."""

    def ready(resident: int) -> None:
        print(json.dumps({"reached": "data in place", "resident_bytes": resident}), flush=True)

    print(json.dumps({"figures": measure(metric, int(rows), int(genes), ready)}))


if __name__ == "__main__":
    main(*sys.argv[1:])

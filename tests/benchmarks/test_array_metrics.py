"""Time and memory of the array metrics, with the ratio to prdc, timed in the same run.

The ratios in the extra information are medians over rounds in which both sides take turns, of wall clock and of
CPU-seconds: on a busy machine the latter are the steadier.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from prdc import compute_prdc

from gexbench.metrics import distribution, membership, structure, support
from gexbench.metrics.gates import copies

ROWS, GENES, CLASSES = 4000, 680, 15
ROUNDS = 3


def rows(seed: int, count: int = ROWS, genes: int = GENES) -> np.ndarray:
    """Standardised rows of 15 classes with 30 shared directions, shape (count, genes)."""
    shared, random = np.random.default_rng(0), np.random.default_rng(seed)
    means, loadings = shared.normal(0, 0.8, (CLASSES, genes)), shared.normal(0, 0.5, (30, genes))
    noise = random.normal(0, 0.6, (count, genes)) + random.normal(size=(count, 30)) @ loadings
    values = means[np.arange(count) % CLASSES] + noise
    return (values - values.mean(axis=0)) / values.std(axis=0)


def array_metrics(real: np.ndarray, synthetic: np.ndarray, training: np.ndarray) -> dict[str, Callable[[], object]]:
    """Every metric of arrays alone, the radii and correlations of the real side kept as in a prepared fold."""
    radii, correlations = support.radii(real), structure.correlation_matrix(real)
    pool = copies.pool_of(training, real[:800])
    width, labels = distribution.median_width(training), np.arange(len(real)) % CLASSES
    half = len(real) // 2
    names = tuple(np.array([f"{side}{row}" for row in range(half)]) for side in "ab")
    compared = membership.ground(training[:half], real[:half], real[half:], (labels[:half], labels[:half]), names)
    return {
        "support": lambda: support.support_measures(real, synthetic, real_radii=radii),
        "frechet": lambda: distribution.frechet(real, synthetic),
        "mmd": lambda: distribution.mmd(real, synthetic, width),
        "energy": lambda: distribution.energy_distance(real, synthetic),
        "sliced_wasserstein": lambda: distribution.sliced_wasserstein(real, synthetic),
        "wasserstein": lambda: distribution.wasserstein_1d(real, synthetic),
        "ks": lambda: distribution.ks(real, synthetic),
        "correlations": lambda: structure.compare_correlations(correlations, structure.correlation_matrix(synthetic)),
        "variance_ratio": lambda: structure.variance_ratio(real, synthetic, labels),
        "zero_fraction": lambda: structure.zero_fraction(synthetic, -1.0),
        "copies": lambda: copies.made_of(synthetic, pool),
        "membership": lambda: membership.attack_scores(compared, synthetic),
    }


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds and CPU-seconds."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - cpu


def test_all_array_metrics(benchmark: Any) -> None:
    """4,000 × 4,000 rows, 680 genes: all of them together."""
    metrics = array_metrics(rows(1), rows(2), rows(3))
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in metrics}

    def run() -> None:
        for name, work in metrics.items():
            spent[name].append(timed(work))

    benchmark.pedantic(run, rounds=ROUNDS, warmup_rounds=0)
    by_metric = {name: statistics.median(cpu for _, cpu in found) for name, found in spent.items()}
    benchmark.extra_info["cpu_seconds"] = {name: round(cpu, 2) for name, cpu in by_metric.items()}
    benchmark.extra_info["cpu_seconds_in_all"] = round(sum(by_metric.values()), 2)
    print(benchmark.extra_info)


MEMORY = """
import importlib.util, json, sys
from gexbench.benchmark.studies.speed.resident_memory import Resident
spec = importlib.util.spec_from_file_location("cases", sys.argv[1])
cases = importlib.util.module_from_spec(spec)
spec.loader.exec_module(cases)
metrics = cases.array_metrics(cases.rows(1, 64), cases.rows(2, 64), cases.rows(3, 1000))
for work in metrics.values():
    work()
sides = [cases.rows(seed) for seed in (1, 2, 3)]
with Resident() as resident:
    for work in cases.array_metrics(*sides).values():
        work()
print(json.dumps(resident.growth / 1e6))
"""


def test_memory_of_all_array_metrics(benchmark: Any) -> None:
    """Growth of the peak resident memory, in a process of its own, radii and correlations of the real side included."""

    def run() -> float:
        done = subprocess.run([sys.executable, "-c", MEMORY, __file__], check=True, capture_output=True, text=True)
        return float(json.loads(done.stdout.splitlines()[-1]))

    megabytes = benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["memory_growth_mb"] = round(megabytes)
    print(benchmark.extra_info)
    assert 0 < megabytes < 1000


@pytest.mark.parametrize("kept", [True, False], ids=["real-side-kept", "nothing-kept"])
def test_support_against_prdc(benchmark: Any, kept: bool) -> None:
    """10,000 × 10,000 rows of 50 components."""
    real, synthetic = rows(1, 10000, 50), rows(2, 10000, 50)
    radii = support.radii(real) if kept else None
    ours, theirs = [], []

    def run() -> None:
        theirs.append(timed(lambda: compute_prdc(real, synthetic, nearest_k=5)))
        ours.append(timed(lambda: support.support_measures(real, synthetic, real_radii=radii)))

    for _ in range(ROUNDS - 1):
        run()
    theirs.append(timed(lambda: compute_prdc(real, synthetic, nearest_k=5)))
    benchmark.pedantic(
        lambda: ours.append(timed(lambda: support.support_measures(real, synthetic, real_radii=radii))), rounds=1
    )
    for at, name in enumerate(("wall", "cpu")):
        mine, other = (statistics.median(found[at] for found in side) for side in (ours, theirs))
        benchmark.extra_info |= {f"{name}_s": round(mine, 2), f"prdc_{name}_s": round(other, 2)}
        benchmark.extra_info[f"times_prdc_{name}"] = round(other / mine, 1)
    print(benchmark.extra_info)
    expected = compute_prdc(real, synthetic, nearest_k=5)
    assert support.support_measures(real, synthetic)._asdict() == pytest.approx(expected, abs=1e-3)


def test_frechet_of_a_transcriptome(benchmark: Any) -> None:
    """18,665 genes, 800 × 800 rows."""
    real, synthetic = rows(1, 800, 18665), rows(2, 800, 18665)
    assert benchmark.pedantic(lambda: distribution.frechet(real, synthetic), rounds=ROUNDS) > 0

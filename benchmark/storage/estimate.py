"""How long a sweep will take, from the times of earlier records."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan


@dataclass(frozen=True, slots=True)
class Estimate:
    """Wall-clock seconds of the covered cells, side by side in so many workers.

    Attributes:
        wall_s: of the covered cells alone.
        covered: cells with earlier records of the same generator, cohort, budget, panel, threads, device and share.
        cells: to do, covered or not.
        workers: side by side.
    """

    wall_s: float
    covered: int
    cells: int
    workers: int


def estimated(plan: Plan, missing: Sequence[tuple[Cell, bool]], store: Store, workers: int) -> Estimate:
    """An estimate for cells that are to do.

    Args:
        plan: of the sweep.
        missing: the cells, each with whether its rows are kept, so that it is only scored.
        store: whose records are read.
        workers: cells side by side.
    """
    known = _known_times(store) if missing else {}
    total, covered = 0.0, 0
    for cell, only_score in missing:
        times = known.get(_kind(cell, plan))
        if times is None:
            continue
        covered += 1
        phases = ("score",) if only_score else ("fit", "sample", "score")
        total += sum(statistics.median(times[phase]) for phase in phases)
    return Estimate(total / max(1, min(workers, covered)), covered, len(missing), workers)


def _known_times(store: Store) -> dict[tuple[Any, ...], dict[str, list[float]]]:
    known: dict[tuple[Any, ...], dict[str, list[float]]] = {}
    for record in store.each("records"):
        times = record.get("times_s", {})
        if record["state"] != "ok" or not {"fit", "sample", "score"} <= times.keys():
            continue
        place = (
            record["generator"]["name"],
            record["generator"].get("variant"),
            record.get("train_fraction", 1.0),
            record["cohort"]["fingerprint"],
            *(record[name] for name in ("budget", "panel", "threads", "device")),
        )
        phases = known.setdefault(place, {phase: [] for phase in ("fit", "sample", "score")})
        for phase, found in phases.items():
            found.append(times[phase])
    return known


def _kind(cell: Cell, plan: Plan) -> tuple[Any, ...]:
    sweep = plan.sweep
    return (
        cell.entry.name,
        cell.variant,
        cell.train_fraction,
        plan.fingerprint,
        *(sweep.budget, sweep.panel, sweep.threads, sweep.device),
    )

"""How long a sweep will take, from the times of earlier records."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gexbench.benchmark.storage.kept_records import kept_records
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.leaderboards.records.parts import Times


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
    for record in kept_records(store):
        times = record.times_s.model_dump(exclude_none=True)
        if record.state != "ok" or len(times) < len(Times.model_fields):
            continue
        place = (
            record.generator.name,
            record.generator.variant,
            record.train_fraction,
            record.cohort.fingerprint,
            *(record.budget, record.panel, record.threads, record.device),
        )
        phases = known.setdefault(place, {phase: [] for phase in times})
        for phase, seconds in times.items():
            phases[phase].append(seconds)
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

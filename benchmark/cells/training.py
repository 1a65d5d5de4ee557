"""First stage of a cell: train a generator and keep the rows it samples."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from gexbench.benchmark.cells.training_log import BadLog, jsonable, log_table
from gexbench.benchmark.machine import environment
from gexbench.benchmark.sweeps.cells import Cell
from gexbench.leaderboards.records.model import Reported
from gexbench.leaderboards.records.problems import field_problems
from gexbench.models.contract import Budget, Diverged, FitReport, Generator, Samples, budget_asked
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.seeds import generator_seed

PAIRED_DRAWS = 19
"""The 2nd and 18th order statistics of 19 draws enclose exactly 80 %."""

Report = Callable[[str, int, int, dict[str, float]], None]
"""Called with the phase, a step, the number of steps and floats to show."""


class BadSamples(Exception):
    """A generator's output breaks the contract; the message names the generator and the fix."""


class BadReport(Exception):
    """What a generator reports of its fit breaks the contract; names the fields."""


@dataclass(frozen=True, slots=True)
class TrainedCell:
    """Rows and facts of a trained cell.

    Attributes:
        arrays: `test` (n_test, genes) and `train` (n_train, genes) float32; `paired` (n_test, 19, genes)
            float16 (float32 where float16 overflows); and their ids.
        facts: JSON-able facts for the record.
        generator: the fitted generator.
        log: its training log as parquet, None when it keeps none.
    """

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any]
    generator: Generator
    log: bytes | None


def seeds_of(cell: Cell, fingerprint: str) -> dict[str, int]:
    """Seeds of the cell's purposes, from the cohort, the fold, the generator and the repeat."""
    return {
        purpose: generator_seed(
            cohort=fingerprint,
            fold=f"{cell.fold.track}/{cell.fold.index}",
            generator=cell.entry.name,
            repeat=cell.repeat,
            purpose=purpose,
            **({} if cell.train_fraction == 1.0 else {"train_fraction": f"{cell.train_fraction:g}"}),
        )
        for purpose in ("fit", "test", "train", "paired")
    }


def train_and_sample(
    cell: Cell, fold: DeviceFold, budget: Budget, report: Report, shown: list[dict[str, float]] | None = None
) -> TrainedCell:
    """Fit the cell's generator on its fold and sample the rows that later stages need.

    Args:
        shown: receives the progress of the training, the only log left if it diverges.

    Raises:
        Unavailable: the generator cannot work on this cohort.
        BadSamples, Diverged: its output cannot be scored.
        BadReport: what it reports does not fit into a record.
    """
    fold = fold.named() if cell.entry.reads == "ids" else fold
    cls = cell.entry.load()
    generator = cls(cls.Settings.model_validate(dict(cell.settings), strict=False))
    seeds = seeds_of(cell, fold.train.cohort.fingerprint)
    clock = Clock()

    def progress(step: int, steps: int, **values: float) -> None:
        report("fit", step, steps, values)
        if shown is not None and values:
            shown.append({"step": float(step), **values})

    asked = budget_asked(generator, budget)
    generator.fit(fold.train, fold.validation, seed=seeds["fit"], progress=progress, **asked)
    times = {"fit": clock.lap()}
    arrays: dict[str, NDArray[Any]] = {}
    requests = sample_requests(fold)
    for number, (name, (conditions, draws)) in enumerate(requests.items()):
        report("sample", number, len(requests), {})
        samples = generator.sample(conditions, draws, seed=seeds[name])
        rows = checked_samples(samples, conditions, draws, fold.train.genes, cell.entry.name)
        shaped = compact(rows.reshape(len(conditions), draws, -1)) if draws > 1 else rows
        arrays[name], arrays[f"{name}_ids"] = shaped, fold.names_of(conditions)
    times["sample"] = clock.lap()
    reported = checked_report(generator.report, cell.entry.name)
    fitted = fold.names_of(fold.train.conditions)
    if cell.train_fraction != 1.0:
        arrays["fitted_ids"] = fitted
    facts: dict[str, Any] = {
        "fitted": len(fitted),
        "source_hash": environment.source_hash(cell.entry.target, cell.entry.file),
        "trained_by": environment.suite(),
        "seeds": seeds,
        "times_s": {phase: wall for phase, (wall, _) in times.items()},
        "cpu_times_s": {phase: cpu for phase, (_, cpu) in times.items()},
        "curves": reported.curves,
        "facts": reported.diagnostics,
        "warnings": list(reported.warnings),
    }
    log = None
    try:
        log = log_table(generator.report.log)
    except BadLog as error:
        facts["warnings"].append(f"the training log was not kept: {error}")
    return TrainedCell(arrays, facts, generator, log)


def sample_requests(fold: DeviceFold) -> dict[str, tuple[Conditions, int]]:
    """What every generator samples: name → conditions and draws per condition.

    `train`: all training patients of the fold, even if the generator was fitted on a fraction of them.
    """
    test = fold.test_conditions
    return {"test": (test, 1), "train": (fold.train_conditions, 1), "paired": (test, PAIRED_DRAWS)}


def checked_samples(
    samples: Samples, conditions: Conditions, draws: int, genes: tuple[str, ...], name: str
) -> NDArray[np.float32]:
    """The rows of `samples`, if they meet the contract.

    Raises:
        BadSamples: wrong type, shape, gene order or row order.
        Diverged: non-finite values.
    """
    if not isinstance(samples, Samples):
        raise BadSamples(f"{name}.sample returned {type(samples).__name__}; return gexbench.models.contract.Samples")
    expected = (len(conditions) * draws, len(genes))
    if samples.expression.shape != expected:
        raise BadSamples(f"{name}.sample returned rows of shape {samples.expression.shape}; expected {expected}")
    if tuple(samples.genes) != genes:
        raise BadSamples(
            f"{name}.sample returned different gene names; return the genes of the training split in order"
        )
    if not np.array_equal(np.asarray(samples.ids, dtype=str), np.repeat(conditions.ids, draws)):
        raise BadSamples(f"{name}.sample returned different ids; give each row the id of its condition, in order")
    bad = int((~np.isfinite(samples.expression)).sum())
    if bad:
        raise Diverged(f"{name} returned {bad} non-finite values")
    return samples.expression


def checked_report(report: FitReport, name: str) -> Reported:
    """What a record holds of a fit's report; numbers that are not finite become null.

    Raises:
        BadReport: curves that are no lists of numbers, facts that are no JSON, warnings that are no text.
    """
    content = {"curves": report.curves, "diagnostics": report.facts, "warnings": report.warnings}
    try:
        return Reported.model_validate(jsonable(content))
    except ValidationError as error:
        raise BadReport(f"{name}.report: {'; '.join(field_problems(error))}") from None


def compact(rows: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    """Rows as float16, or unchanged if a value exceeds float16's range (as counts can)."""
    return rows.astype(np.float16) if np.abs(rows).max(initial=0.0) < np.finfo(np.float16).max else rows


class Clock:
    """Wall and CPU seconds of this process between laps."""

    def __init__(self) -> None:
        self._start = (time.perf_counter(), time.process_time())

    def lap(self) -> tuple[float, float]:
        """Seconds (wall, CPU) since the last lap."""
        now = (time.perf_counter(), time.process_time())
        spent = (now[0] - self._start[0], now[1] - self._start[1])
        self._start = now
        return spent

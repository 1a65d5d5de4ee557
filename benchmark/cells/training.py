"""First stage of a cell: train a generator and keep the rows it samples."""

import resource
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
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
from gexbench.tasks.errors import short
from gexbench.tasks.seeds import generator_seed

PAIRED_DRAWS = 19
"""The 2nd and 18th order statistics of 19 draws enclose exactly 80 %."""

Report = Callable[[str, int, int, dict[str, float]], None]
"""Called with the phase, a step, the number of steps and floats to show."""


class BadSamples(Exception):
    """A generator's output breaks the contract; the message names the generator and the fix."""


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
        rows = checked_samples(
            samples, conditions, draws, fold.train.genes, cell.entry.name, floor=fold.train.cohort.unit.floor
        )
        shaped = compact(rows.reshape(len(conditions), draws, -1)) if draws > 1 else rows
        arrays[name], arrays[f"{name}_ids"] = shaped, fold.names_of(conditions)
    times["sample"] = clock.lap()
    reported, left_out = checked_report(generator.report)
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
        "warnings": [*reported.warnings, *left_out],
    }
    log = None
    with suppress(BadLog):  # which `checked_report` has told
        log = log_table(getattr(generator.report, "log", {}))
    return TrainedCell(arrays, facts, generator, log)


def sample_requests(fold: DeviceFold) -> dict[str, tuple[Conditions, int]]:
    """What every generator samples: name → conditions and draws per condition.

    `train`: all training patients of the fold, even if the generator was fitted on a fraction of them.
    """
    test = fold.test_conditions
    return {"test": (test, 1), "train": (fold.train_conditions, 1), "paired": (test, PAIRED_DRAWS)}


def checked_samples(
    samples: Samples,
    conditions: Conditions,
    draws: int,
    genes: tuple[str, ...],
    name: str,
    *,
    floor: float | None = None,
) -> NDArray[np.float32]:
    """The rows of `samples`, if they meet the contract.

    Args:
        conditions, draws: that were asked for.
        genes: the columns; name: of the generator.
        floor: the unit's smallest value, None where it has none.

    Raises:
        BadSamples: wrong type, shape, gene order or row order, values below the unit's floor.
        Diverged: non-finite values.
    """
    if not isinstance(samples, Samples):
        raise BadSamples(f"{name}.sample returned {type(samples).__name__}; return gexbench.models.contract.Samples")
    rows = samples.expression
    if type(rows) not in (np.ndarray, np.memmap) or rows.dtype != np.float32:
        kind = getattr(rows, "dtype", "no array")
        raise BadSamples(f"{name}.sample returned rows of {type(rows).__name__}, {kind}; `Samples.of` makes float32")
    expected = (len(conditions) * draws, len(genes))
    if rows.shape != expected:
        raise BadSamples(f"{name}.sample returned rows of shape {rows.shape}; expected {expected}")
    if tuple(samples.genes) != genes:
        raise BadSamples(
            f"{name}.sample returned different gene names; return the genes of the training split in order"
        )
    if not np.array_equal(np.asarray(samples.ids, dtype=str), np.repeat(conditions.ids, draws)):
        raise BadSamples(f"{name}.sample returned different ids; give each row the id of its condition, in order")
    bad = int((~np.isfinite(rows)).sum())
    if bad:
        raise Diverged(f"{name} returned {bad} non-finite values")
    if floor is not None and rows.min(initial=np.inf) < floor:
        raise BadSamples(
            f"{name}.sample returned {rows.min():.3g}, below {floor:g}, the unit's smallest value; clamp the rows at "
            "`train.cohort.unit.floor` where it is not None"
        )
    return rows


def checked_report(report: FitReport) -> tuple[Reported, list[str]]:
    """What a record holds of a fit's report, and a sentence for each part that it cannot hold.

    NumPy's and torch's numbers and arrays become those of JSON; numbers that are not finite become null.
    """
    kept: dict[str, Any] = {"curves": {}, "diagnostics": {}, "warnings": {}}
    left_out = []
    for name, part in (("curves", "curves"), ("facts", "diagnostics"), ("warnings", "warnings")):
        given = getattr(report, name, None)
        if name == "warnings" and isinstance(given, list | tuple):
            given = dict(enumerate(given))
        if not isinstance(given, Mapping):
            left_out.append(f"report.{name} was left out: it is a {type(given).__name__}")
            continue
        for key, value in given.items():
            made = jsonable(value)
            try:
                Reported.model_validate({**_NOTHING, part: [made] if name == "warnings" else {key: made}})
            except ValidationError as error:
                why = field_problems(error)[0].partition(": ")[2]
                left_out.append(f"report.{name}[{short(key)}] was left out: {why}")
                continue
            kept[part][key] = made
    try:
        log_table(getattr(report, "log", {}))
    except BadLog as error:
        left_out.append(f"report.log was left out: {error}")
    return Reported.model_validate({**kept, "warnings": [*kept["warnings"].values()]}), left_out


_NOTHING: Mapping[str, Any] = {"curves": {}, "diagnostics": {}, "warnings": []}


def compact(rows: NDArray[np.float32]) -> NDArray[np.float16] | NDArray[np.float32]:
    """Rows as float16, or unchanged if a value exceeds float16's range (as counts can)."""
    return rows.astype(np.float16) if np.abs(rows).max(initial=0.0) < np.finfo(np.float16).max else rows


class Clock:
    """Wall and CPU seconds of this process, and of processes that it started and that have ended, between laps."""

    def __init__(self) -> None:
        self._start = self._now()

    def lap(self) -> tuple[float, float]:
        """Seconds (wall, CPU) since the last lap."""
        now = self._now()
        spent = (now[0] - self._start[0], now[1] - self._start[1])
        self._start = now
        return spent

    @staticmethod
    def _now() -> tuple[float, float]:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.perf_counter(), time.process_time() + children.ru_utime + children.ru_stime

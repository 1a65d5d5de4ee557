"""What one worker holds: the cohort, its conditions on the device, and the folds in use; and how it does a job."""

import traceback
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import torch

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.cells.record import record_of
from gexbench.benchmark.cells.scoring import prepare_fold, score
from gexbench.benchmark.cells.trained_on import TRAINED_ON, TrainedOn
from gexbench.benchmark.cells.training import Report, train_and_sample
from gexbench.benchmark.cells.training_log import columns_of, log_table
from gexbench.benchmark.machine.memory import PeakMemory, memory_is_short
from gexbench.benchmark.machine.processes import end_children, own_children
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.benchmark.sweeps.gene_sets import matching
from gexbench.models import checkpoint
from gexbench.models.contract import Budget, Diverged, Generator, Unavailable
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import read_cohort
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.device_fold import DeviceFold, all_conditions, put_on_device
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.files.atomic import DiskFull, write_text
from gexbench.tasks.panel.declarations.rows import Prepared

FOLDS_HELD = 2
_SMALL = 2**20
"""Bytes that every entry of the store but kept rows stays below."""
T = TypeVar("T")


class WroteToInputs(Exception):
    """A generator modified its input tensors, which other cells share; the worker must be replaced."""


class LostRows(Exception):
    """Kept rows to be scored are corrupt, or have been removed meanwhile."""


class Workspace:
    """Data of one worker, put on the device once and shared by its jobs.

    Args:
        plan: of the sweep.
        results: folder of the store.
        keep_models: whether trained generators are kept.
        cohort: folder that the data are read from; None for the cohort of this machine with the plan's name.
    """

    def __init__(self, plan: Plan, results: Path, keep_models: bool = False, cohort: Path | None = None) -> None:
        self.plan = plan
        self.keep_models = keep_models
        self.results = results
        self.store = Store(results / "store")
        self.gene_sets = matching(plan.sweep.gene_sets, plan.gene_sets)
        self.cohort: Cohort = load_cohort(plan.sweep.cohort) if cohort is None else read_cohort(cohort)
        self.device = torch.device(plan.sweep.device)
        torch.set_num_threads(plan.sweep.threads)
        if self.device.type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
        self._writes = _SMALL
        self._folds: dict[str, tuple[DeviceFold, int]] = {}
        self._prepared: dict[str, Prepared] = {}

    @cached_property
    def conditions(self) -> Conditions:
        """Conditions of all patients, put on the device by the first training; a worker that only scores holds none."""
        return all_conditions(self.cohort, self.device, self.plan.sweep.patches)

    def hold(self, job: Job) -> None:
        """Put the data of a training on the device, where they stay for later ones on the same fold."""
        cell = _cell_of(job)
        self._device_fold(cell)

    def do(self, job: Job, report: Report) -> Outcome:
        """Do a job; any failure of the cell is an outcome, never an exception."""
        self._writes = _SMALL
        try:
            if job.kind == "prepare":
                self._prepare(job.fold)
            elif job.kind == "train":
                self._train(_cell_of(job), report)
            else:
                self._score(_cell_of(job), report)
        except Unavailable as error:
            return Outcome("unavailable", str(error))
        except Diverged as error:
            return Outcome("diverged", str(error))
        except DiskFull as error:
            return Outcome("failed", error.strerror, unwritten=self._writes)
        except LostRows as error:
            return Outcome("failed", str(error), lost_rows=True)
        except (Exception, SystemExit) as error:  # a cell's failure of any kind costs this cell alone
            if memory_is_short(error):
                return Outcome("out of memory", str(error) or type(error).__name__, _trace())
            return Outcome("failed", f"{type(error).__name__}: {error}", _trace())
        return Outcome("ok")

    def _prepare(self, fold: Fold) -> Prepared:
        return _held(self._prepared, fold.hash(), lambda: self._prepared_fold(fold))

    def _prepared_fold(self, fold: Fold) -> Prepared:
        key, core = self.plan.fold_key(fold), self.plan.fold_key(fold, "core")
        cached = self.store.read_json("folds", key)
        known = self.store.read_json("folds", core) if cached is None and core != key else cached
        prepared = prepare_fold(self.cohort, fold, self.plan.fingerprint, known, self.plan.sweep.panel, self.gene_sets)
        if cached is None:
            self.store.write_json("folds", key, prepared.cacheable)
        return prepared

    def _device_fold(self, cell: Cell) -> tuple[DeviceFold, int]:
        fold, train_fraction, reads = cell.fold, cell.train_fraction, cell.entry.reads

        def put() -> tuple[DeviceFold, int]:
            made = put_on_device(
                self.cohort,
                fold,
                self.device,
                fingerprint=self.plan.fingerprint,
                conditions=self.conditions,
                train_fraction=train_fraction,
                audit=reads == "audit",
            )
            return made, made.checksum()

        return _held(self._folds, f"{fold.hash()}@{train_fraction:g} {reads}", put)

    def _train(self, cell: Cell, report: Report) -> None:
        fold, checksum = self._device_fold(cell)
        shown: list[dict[str, float]] = []
        before = own_children()
        try:
            with PeakMemory(self.device) as peak:
                trained = train_and_sample(cell, fold, Budget(self.plan.sweep.budget), report, shown)
        except Diverged:
            self.store.write_log(cell.train_key, log_table(columns_of(shown)))
            raise
        except DiskFull as error:  # of a place that the generator writes to; the store may have room
            raise OSError(error.errno, f"{cell.entry.name} cannot write {error.filename}: {error.strerror}") from error
        finally:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()  # for the other cells on the device
            if fold.checksum() != checksum:
                raise WroteToInputs(f"{cell.entry.name} modified its inputs; copy tensors before changing them")
        left = end_children(before)
        warnings = [f"left {left} processes running; they were ended"] if left else []
        facts = {
            **trained.facts,
            "warnings": [*trained.facts["warnings"], *warnings],
            "peak_memory_bytes": peak.bytes,
        }
        self._writes = _SMALL + sum(rows.nbytes for rows in trained.arrays.values())
        if self.keep_models:
            self._keep_model(cell, trained.generator)
        self.store.write_log(cell.train_key, trained.log)
        self.store.write_rows(cell.train_key, trained.arrays, facts)

    def _keep_model(self, cell: Cell, generator: Generator) -> None:
        def save(folder: Path) -> None:
            checkpoint.save(generator, cell.entry.name, folder)
            write_text(folder / TRAINED_ON, TrainedOn.of(self.cohort, self.plan.fingerprint).model_dump_json())

        self.store.write_model(cell.train_key, save)

    def _score(self, cell: Cell, report: Report) -> None:
        key = cell.train_key
        kept = self.store.read_rows(key) or self.store.read_rows(key)  # another process may be putting its own there
        if kept is None:
            raise LostRows(f"the kept rows of {cell.slot} are missing or corrupt; `gexbench run` trains it again")
        arrays, facts = kept
        prepared = self._prepare(cell.fold)
        result, times = score(prepared, arrays, self.plan.sweep.panel, bool(cell.entry.conditions), report)
        record = record_of(
            cell,
            self.plan,
            self.cohort,
            state="ok",
            trained=facts,
            result=result,
            score_times=times,
            peak_memory_bytes=facts["peak_memory_bytes"],
        )
        self.store.write_json("records", cell.score_key, record.content())


def _cell_of(job: Job) -> Cell:
    if job.cell is None:
        raise ValueError(f"a {job.kind} job needs a cell")
    return job.cell


def _trace() -> str:
    return traceback.format_exc(limit=-12)


def _held(cache: dict[str, T], key: str, make: Callable[[], T]) -> T:
    """The cached value, made if missing; the oldest is dropped when more than `FOLDS_HELD` are held."""
    if key not in cache:
        while len(cache) >= FOLDS_HELD:
            cache.pop(next(iter(cache)))
        cache[key] = make()
    return cache[key]

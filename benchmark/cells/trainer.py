"""What a training process holds: conditions of everyone on the device, and one fold's development patients."""

from functools import cached_property
from pathlib import Path

import torch
import torch._dynamo  # optimisers import it at their first step, a second in every copy of this process

from gexbench.benchmark.cells.development import Development, expression_given
from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.cells.outcomes import SMALL, WroteToInputs, outcome_of
from gexbench.benchmark.cells.trained_on import TRAINED_ON, TrainedOn
from gexbench.benchmark.cells.training import Report, train_and_sample
from gexbench.benchmark.cells.training_log import columns_of, log_table
from gexbench.benchmark.machine.memory import PeakMemory
from gexbench.benchmark.machine.processes import end_children, own_children
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.models import checkpoint
from gexbench.models.built_in import is_built_in
from gexbench.models.contract import Budget, Diverged, Generator
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.device_fold import DeviceFold, all_conditions, checksum_of, put_on_device
from gexbench.tasks.files.atomic import DiskFull, write_text


class Trainer:
    """Trains cells in a process that never holds the expression of test or audit patients.

    What was told of everyone stays on the device for all cells, one
    fold's expression until a cell of another one comes: patients that train on one fold are tested on the next.

    Args:
        plan: of the sweep.
        results: folder of the store.
        development: folder of the data that generators are given.
        keep_models: whether trained generators are kept.
    """

    def __init__(self, plan: Plan, results: Path, development: Path, keep_models: bool = False) -> None:
        self.plan = plan
        self.keep_models = keep_models
        self.store = Store(results / "store")
        self.development = Development(development)
        self.device = torch.device(plan.sweep.device)
        torch.set_num_threads(plan.sweep.threads)
        if self.device.type == "cuda":
            torch.use_deterministic_algorithms(True, warn_only=True)
        self._writes = SMALL
        self._held: tuple[str, DeviceFold, int] | None = None

    @cached_property
    def everyone(self) -> Cohort:
        """All patients, without expression."""
        return self.development.everyone()

    @cached_property
    def conditions(self) -> Conditions:
        """Conditions of all patients, on the device."""
        return all_conditions(self.everyone, self.device, self.plan.sweep.patches)

    @cached_property
    def _shared(self) -> int:
        return checksum_of(self.conditions)

    def ready(self, job: Job) -> None:
        """Make what trainings share, before a copy of this process does one: data, and code of built-in generators."""
        _ = self._shared
        if job.cell is not None and is_built_in(job.cell.entry):
            job.cell.entry.load()

    def do(self, job: Job, report: Report) -> Outcome:
        """Train and sample a cell; any failure of it is an outcome, never an exception."""
        cell = job.cell
        if cell is None:
            raise ValueError(f"a {job.kind} job needs a cell")
        self._writes = SMALL
        return outcome_of(lambda: self._train(cell, report), lambda: self._writes)

    def _fold_of(self, cell: Cell) -> tuple[DeviceFold, int]:
        ids = expression_given(cell)
        key = f"{self.development.path(ids).name}@{cell.train_fraction:g}"
        if self._held is None or self._held[0] != key:
            self._held = None  # let go of the last one before the next is put there
            made = put_on_device(
                self.development.seen(ids, self.everyone.without_conditions()),
                cell.fold,
                self.device,
                fingerprint=self.plan.fingerprint,
                conditions=self.conditions,
                train_fraction=cell.train_fraction,
                audit=cell.entry.reads == "audit",
            )
            self._held = key, made, made.checksum(self._shared)
        return self._held[1:]

    def _train(self, cell: Cell, report: Report) -> None:
        fold, checksum = self._fold_of(cell)
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
        self._writes = SMALL + sum(rows.nbytes for rows in trained.arrays.values())
        if self.keep_models and trained.generator.can_be_saved:
            self._keep_model(cell, trained.generator, fold.train.genes)
        elif self.keep_models:
            warnings.append("its model cannot be saved, and was not kept")
        facts = {
            **trained.facts,
            "warnings": [*trained.facts["warnings"], *warnings],
            "peak_memory_bytes": peak.bytes,
        }
        self.store.write_log(cell.train_key, trained.log)
        self.store.write_rows(cell.train_key, trained.arrays, facts)

    def _keep_model(self, cell: Cell, generator: Generator, genes: tuple[str, ...]) -> None:
        known = TrainedOn.of(self.everyone, self.plan.fingerprint).model_copy(update={"genes": genes})

        def save(folder: Path) -> None:
            checkpoint.save(generator, cell.entry.name, folder)
            write_text(folder / TRAINED_ON, known.model_dump_json())

        self.store.write_model(cell.train_key, save)

"""What a scoring process holds: the cohort, and the folds in use; it never runs a generator's code."""

from pathlib import Path

import torch

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.cells.outcomes import LostRows, outcome_of
from gexbench.benchmark.cells.record import record_of
from gexbench.benchmark.cells.scoring import prepare_fold, score
from gexbench.benchmark.cells.training import Report
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.benchmark.sweeps.gene_sets import matching
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import read_cohort
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.panel.declarations.rows import Prepared

FOLDS_HELD = 2


class Scorer:
    """Prepares the real side of folds and scores kept rows against it.

    Args:
        plan: of the sweep.
        results: folder of the store.
        cohort: folder that the data are read from; None for the cohort of this machine with the plan's name.
    """

    def __init__(self, plan: Plan, results: Path, cohort: Path | None = None) -> None:
        self.plan = plan
        self.store = Store(results / "store")
        self.gene_sets = matching(plan.sweep.gene_sets, plan.gene_sets)
        self.cohort: Cohort = (
            load_cohort(plan.sweep.cohort, verify=False, conditions=False)
            if cohort is None
            else read_cohort(cohort, verify=False, conditions=False)
        )
        torch.set_num_threads(plan.sweep.threads)
        self._prepared: dict[str, Prepared] = {}

    def do(self, job: Job, report: Report) -> Outcome:
        """Do a job; any failure of the cell is an outcome, never an exception."""
        cell = job.cell
        return outcome_of(lambda: self._prepare(job.fold) if cell is None else self._score(cell, report))

    def _prepare(self, fold: Fold) -> Prepared:
        key = fold.hash()
        if key not in self._prepared:
            while len(self._prepared) >= FOLDS_HELD:
                self._prepared.pop(next(iter(self._prepared)))
            self._prepared[key] = self._prepared_fold(fold)
        return self._prepared[key]

    def _prepared_fold(self, fold: Fold) -> Prepared:
        key, core = self.plan.fold_key(fold), self.plan.fold_key(fold, "core")
        cached = self.store.read_json("folds", key)
        known = self.store.read_json("folds", core) if cached is None and core != key else cached
        prepared = prepare_fold(self.cohort, fold, self.plan.fingerprint, known, self.plan.sweep.panel, self.gene_sets)
        if cached is None:
            self.store.write_json("folds", key, prepared.cacheable)
        return prepared

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

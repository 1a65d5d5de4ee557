"""Measures cheats and references on the folds of a cohort; what was measured is kept and not measured again."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from numpy.typing import NDArray

from gexbench.benchmark.cells.scoring import prepare_fold, score
from gexbench.benchmark.cells.training import train_and_sample
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.studies.cheats.rows import CHEATS, HONEST, REFERENCES, Cheat, cheat_arrays
from gexbench.benchmark.studies.progress import Report
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.benchmark.sweeps.gene_sets import file_of
from gexbench.benchmark.sweeps.keys import content_key
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.leaderboards.comparing.gates import COPY_METRICS
from gexbench.models import registry
from gexbench.models.contract import Budget
from gexbench.models.settings import BudgetName
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import put_on_device
from gexbench.tasks.cohorts.folds import Fold
from gexbench.tasks.panel.catalogue import panel_specifications, split_key
from gexbench.tasks.panel.declarations.metric import Panel
from gexbench.tasks.panel.declarations.rows import Prepared
from gexbench.tasks.panel.gene_sets import GeneSets
from gexbench.tasks.simulated.oracle import why_not_simulated

BUDGET: BudgetName = "quick"
"""Of the references: it has no effect on them."""
SCHEMA = 2
SKILL, MEMBERSHIP = "conditional_skill", "membership_auc"
BESIDE = (*COPY_METRICS, SKILL, MEMBERSHIP)
"""Metrics that the page shows beside the scored ones."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One cheat or reference on one fold.

    Attributes:
        row: name of the cheat or reference.
        fold: index of the fold.
        panel: `core` or `extended`.
        share: n_test / n_train of the fold.
        values: metric key → value, None where it failed or does not apply.
        trtr, majority: ceilings and floors of the utility metrics by key.
        gates: figures of the gates; none for a row read from a table.
    """

    row: str
    fold: int
    panel: Panel
    share: float
    values: Mapping[str, float | None]
    trtr: Mapping[str, float]
    majority: Mapping[str, float]
    gates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def rows_for(cohort: Cohort) -> tuple[Cheat, ...]:
    """References and cheats that this cohort can have."""
    exact = why_not_simulated(cohort.provenance) is None
    return (*(row for row in REFERENCES if row.name != "oracle" or exact), *CHEATS)


class Bench:
    """Measures rows of one cohort.

    Args:
        cohort: the cohort.
        folds: indices of the folds.
        store: where measured cells and fold preparations are kept.
        gene_sets: for the pathway metrics of the panel extended.

    Raises:
        InputError: folds that do not exist.
    """

    def __init__(self, cohort: Cohort, folds: tuple[int, ...], store: Store, gene_sets: GeneSets | None = None) -> None:
        self.cohort, self.store, self.gene_sets = cohort, store, gene_sets
        self.rows = rows_for(cohort)
        sources = tuple(dict.fromkeys(row.source for row in self.rows))
        known = registry()
        sweep = sweep_of(known, cohort=cohort.name, folds=folds, repeats=2, generators=sources, budget=BUDGET)
        self.plan: Plan = plan(sweep, known, cohort, cohort.fingerprint())
        self._cells = {(cell.fold.index, cell.entry.name, cell.repeat): cell for cell in self.plan.cells}
        self._held: tuple[int, Panel, Prepared] | None = None
        self._sampled: dict[tuple[int, str, int], dict[str, NDArray[Any]]] = {}

    def measure(self, panels: Mapping[int, Panel], report: Report) -> list[Measured]:
        """Every row on every fold, fold by fold; cells that are kept are read.

        Args:
            panels: fold → panel.
            report: progress.
        """
        wanted = [(fold, row) for fold in self.plan.folds for row in self.rows]
        found = []
        for done, (fold, row) in enumerate(wanted):
            report(f"fold {fold.index}: {row.name}", done, len(wanted))
            found.append(self._measured(fold, row, panels[fold.index]))
        report("measured", len(wanted), len(wanted))
        return found

    def _measured(self, fold: Fold, row: Cheat, panel: Panel) -> Measured:
        key = self._key(fold, row, panel)
        kept = self.store.read_json("records", key)
        if kept is None:
            kept = asdict(self._evaluate(fold, row, panel))
            self.store.write_json("records", key, kept)
        return Measured(**kept)

    def _key(self, fold: Fold, row: Cheat, panel: Panel) -> str:
        sets = self.gene_sets if panel == "extended" else None
        return content_key(
            {
                "kind": "cheat",
                "schema": SCHEMA,
                "cohort": self.plan.fingerprint,
                "fold": fold.hash(),
                "source": row.source,
                "source_version": self._cells[fold.index, row.source, row.repeat].version,
                "repeat": row.repeat,
                "row": row.name,
                "version": row.version,
                "panel": panel,
                "metrics": shown_metrics(panel),
                "gene_sets": None if sets is None else file_of(sets).sha256,
            }
        )

    def _evaluate(self, fold: Fold, row: Cheat, panel: Panel) -> Measured:
        prepared = self._fold(fold, panel)
        cell = self._cells[fold.index, row.source, row.repeat]
        arrays = cheat_arrays(
            row, self._source(cell), prepared.rows, self.plan.fingerprint, f"{fold.track}/{fold.index}"
        )
        shown = shown_metrics(panel)
        result, _ = score(prepared, arrays, panel, bool(cell.entry.conditions), lambda *_: None)
        return Measured(
            row=row.name,
            fold=fold.index,
            panel=panel,
            share=len(fold.test) / len(fold.train),
            values={key: found.value for key, found in result.values.items() if split_key(key)[0] in shown},
            trtr=_part(result.reference_values["trtr"], shown),
            majority=_part(result.reference_values["majority"], shown),
            gates=result.gates,
        )

    def _fold(self, fold: Fold, panel: Panel) -> Prepared:
        """The prepared fold; one is held at a time."""
        if self._held is None or self._held[:2] != (fold.index, panel):
            self._held = None
            self._sampled.clear()
            key = self.plan.fold_key(fold, panel)
            sets = self.gene_sets if panel == "extended" else None
            cached = self.store.read_json("folds", key)
            prepared = prepare_fold(self.cohort, fold, self.plan.fingerprint, cached, panel, sets)
            if cached != prepared.cacheable:
                self.store.write_json("folds", key, prepared.cacheable)
            self._held = (fold.index, panel, prepared)
        return self._held[2]

    def _source(self, cell: Cell) -> dict[str, NDArray[Any]]:
        """Rows of a reference; those that several cheats change are held."""
        place = (cell.fold.index, cell.entry.name, cell.repeat)
        if place in self._sampled:
            return self._sampled[place]
        audit = cell.entry.reads == "audit"
        device_fold = put_on_device(self.cohort, cell.fold, fingerprint=self.plan.fingerprint, audit=audit)
        arrays = train_and_sample(cell, device_fold, Budget(BUDGET), lambda *_: None).arrays
        if cell.entry.name in {HONEST, "train-copy"}:
            self._sampled[place] = arrays
        return arrays


def shown_metrics(panel: Panel) -> dict[str, int]:
    """Name → version of the metrics of a panel that the page shows."""
    return {spec.name: spec.version for spec in panel_specifications(panel) if spec.in_overall or spec.name in BESIDE}


def _part(values: Mapping[str, float], names: Collection[str]) -> dict[str, float]:
    return {key: value for key, value in values.items() if split_key(key)[0] in names}

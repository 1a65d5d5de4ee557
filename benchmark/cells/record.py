"""Records: what a cell leaves behind, one complete, self-describing JSON object."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.machine import environment
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.tasks.cohorts.cohort import Cohort

if TYPE_CHECKING:  # its module imports the classifiers, which a failed cell's record does not need
    from gexbench.tasks.panel.evaluation import PanelResult

SCHEMA = 1


def record_of(
    cell: Cell,
    plan: Plan,
    cohort: Cohort,
    *,
    state: str,
    reason: str | None = None,
    trained: Mapping[str, Any] | None = None,
    result: "PanelResult | None" = None,
    score_times: Mapping[str, float] | None = None,
    peak_memory_bytes: Mapping[str, int] | None = None,
    traceback: str | None = None,
) -> dict[str, Any]:
    """The record of a cell in any state; everything absent is empty, nothing holds a path, user or host."""
    trained = trained or {}
    times, cpu_times = dict(trained.get("times_s", {})), dict(trained.get("cpu_times_s", {}))
    if score_times:
        times["score"], cpu_times["score"] = score_times["wall"], score_times["cpu"]
    content = {
        "schema": SCHEMA,
        "state": state,
        "reason": environment.scrubbed(reason, cell.entry.file) if reason else None,
        "traceback": environment.scrubbed(traceback, cell.entry.file) if traceback else None,
        "keys": {"rows": cell.train_key, "record": cell.score_key},
        "suite": environment.suite(),
        "generator": _generator(cell, trained),
        "trained_by": trained.get("trained_by"),
        "cohort": _cohort(cohort, plan.fingerprint),
        "fold": {
            "track": cell.fold.track,
            "index": cell.fold.index,
            "hash": cell.fold.hash(),
            "train": len(cell.fold.train),
            "validation": len(cell.fold.validation),
            "test": len(cell.fold.test),
            "left_out": list(cell.fold.left_out),
        },
        "repeat": cell.repeat,
        **_share(cell, trained),
        "seeds": trained.get("seeds", {}),
        "budget": plan.sweep.budget,
        "threads": plan.sweep.threads,
        "device": plan.sweep.device,
        "panel": plan.sweep.panel,
        **({} if plan.sweep.gene_sets is None else {"gene_sets": plan.sweep.gene_sets.model_dump(mode="json")}),
        "curves": trained.get("curves", {}),
        "diagnostics": trained.get("facts", {}),
        "warnings": [
            *(environment.scrubbed(warning, cell.entry.file) for warning in trained.get("warnings", [])),
            *(() if result is None else result.notes),
        ],
        "times_s": times,
        "cpu_times_s": cpu_times,
        "peak_memory_bytes": dict(peak_memory_bytes or {}),
        "hardware": environment.hardware(),
        "versions": environment.versions(),
        **_scores(result),
        **_by_cluster(result, cohort),
    }
    return content


def failure_record(cell: Cell, plan: Plan, cohort: Cohort, outcome: Outcome) -> dict[str, Any]:
    """The record of a cell that did not end well, with the last lines that it printed."""
    record = record_of(cell, plan, cohort, state=outcome.state, reason=outcome.reason, traceback=outcome.traceback)
    return {**record, "output": [environment.scrubbed(line) for line in outcome.output]}


def _generator(cell: Cell, trained: Mapping[str, Any]) -> dict[str, Any]:
    tuning = {} if cell.tuned is None else {"tuning": cell.tuned.model_dump(mode="json")}
    return {
        "name": cell.entry.name,
        "variant": cell.variant,
        **tuning,
        "version": cell.version,
        "family": cell.entry.family,
        "reference": cell.entry.is_reference,
        "conditions": list(cell.entry.conditions),
        "settings": dict(cell.settings),
        "source_hash": trained.get("source_hash") or environment.source_hash(cell.entry.target, cell.entry.file),
        "local": cell.entry.local,
        **_file(cell),
        "returns_real_rows": cell.entry.returns_real_rows,
    }


def _file(cell: Cell) -> dict[str, Any]:
    """Of a local generator: its file without the folder, its class, and the content's hash, which is in the key."""
    file = cell.entry.file
    if file is None:
        return {}
    return {"file": {"name": file.name, "class": cell.entry.target.partition(":")[2], "sha256": file.sha256}}


def _share(cell: Cell, trained: Mapping[str, Any]) -> dict[str, Any]:
    """Of a generator fitted on a share of the training patients: the share and, once fitted, the number of them."""
    if cell.train_fraction == 1.0:
        return {}
    fitted = {"fitted": trained["fitted"]} if "fitted" in trained else {}
    return {"train_fraction": cell.train_fraction, **fitted}


def _cohort(cohort: Cohort, fingerprint: str) -> dict[str, Any]:
    return {
        "name": cohort.name,
        "fingerprint": fingerprint,
        "unit": cohort.unit.name,
        "samples": len(cohort),
        "genes": len(cohort.genes),
        "label_columns": list(cohort.label_columns),
    }


def _by_cluster(result: "PanelResult | None", cohort: Cohort) -> dict[str, Any]:
    """Sums by cluster for the bootstrap, and what the clusters are: see `scoring.real_fold`."""
    if result is None or not result.per_cluster:
        return {}
    return {
        "clusters": "patient" if cohort.site_column is None else "site",
        "per_cluster": {
            key: {name: list(sums) for name, sums in clusters.items()} for key, clusters in result.per_cluster.items()
        },
    }


def _scores(result: "PanelResult | None") -> dict[str, Any]:
    if result is None:
        return {"metrics": {}, "per_class": {}, "reference_values": {}, "extra": {}, "score_cpu_times_s": {}}
    return {
        "metrics": {
            key: {"value": metric.value, "reason": metric.reason, "version": metric.version}
            for key, metric in result.values.items()
        },
        "per_class": result.per_class,
        "reference_values": result.reference_values,
        "extra": result.extra,
        "score_cpu_times_s": result.seconds,
    }

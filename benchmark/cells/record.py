"""Making the record of a cell, in whatever state it ended."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.machine import environment
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.leaderboards.records.model import Record
from gexbench.leaderboards.records.parts import (
    Hardware,
    Keys,
    Measured,
    PeakMemory,
    RecordedCohort,
    RecordedFold,
    RecordedGenerator,
    Seeds,
    SourceFile,
    State,
    Suite,
    Times,
)
from gexbench.leaderboards.records.values import LONGEST_TEXT
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.panel.protocols import CURRENT

if TYPE_CHECKING:  # its module imports the classifiers, which a failed cell's record does not need
    from gexbench.tasks.panel.evaluation import PanelResult


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
    output: Sequence[str] = (),
) -> Record:
    """The record of a cell in any state; what there is not is empty or None.

    Args:
        trained: what `training` left beside the kept rows.
        result: what the panel gave; score_times: wall and CPU seconds that it took.
        output: the last lines that a cell printed which did not end well.
    """
    facts, sweep = trained or {}, plan.sweep
    wall, cpu = (None, None) if score_times is None else (score_times["wall"], score_times["cpu"])
    return Record(
        protocol=CURRENT.number,
        state=cast(State, state),  # which the model checks
        reason=_said(reason, cell) if reason else None,
        traceback=_said(traceback, cell) if traceback else None,
        output=tuple(_said(line, cell) for line in output),
        keys=Keys(rows=cell.train_key, record=cell.score_key),
        suite=Suite.model_validate(environment.suite()),
        trained_by=None if facts.get("trained_by") is None else Suite.model_validate(facts["trained_by"]),
        generator=_generator(cell, facts.get("source_hash")),
        cohort=_cohort(cohort, plan.fingerprint),
        fold=_fold(cell),
        repeat=cell.repeat,
        train_fraction=cell.train_fraction,
        fitted=facts.get("fitted"),
        seeds=Seeds.model_validate(facts.get("seeds", {})),
        budget=sweep.budget,
        threads=sweep.threads,
        device=sweep.device,
        panel=sweep.panel,
        gene_sets=sweep.gene_sets,
        curves=facts.get("curves", {}),
        diagnostics=facts.get("facts", {}),
        warnings=(
            *(_said(warning, cell) for warning in facts.get("warnings", [])),
            *(() if result is None else result.notes),
        ),
        times_s=Times(**facts.get("times_s", {}), score=wall),
        cpu_times_s=Times(**facts.get("cpu_times_s", {}), score=cpu),
        peak_memory_bytes=PeakMemory.model_validate(peak_memory_bytes or {}),
        hardware=Hardware.model_validate(environment.hardware()),
        versions=environment.versions(),
        **_scores(result, cohort),
    )


def failure_record(cell: Cell, plan: Plan, cohort: Cohort, outcome: Outcome) -> Record:
    """The record of a cell that did not end well, with the last lines that it printed."""
    return record_of(
        cell,
        plan,
        cohort,
        state=outcome.state,
        reason=outcome.reason,
        traceback=outcome.traceback,
        output=outcome.output,
    )


def _said(text: str, cell: Cell) -> str:
    """What foreign code says, without places, in Unicode, and not without end."""
    scrubbed = environment.scrubbed(text[-LONGEST_TEXT:], cell.entry.file)
    return scrubbed.encode(errors="backslashreplace").decode()[-LONGEST_TEXT:]


def _generator(cell: Cell, source_hash: str | None) -> RecordedGenerator:
    entry = cell.entry
    return RecordedGenerator(
        name=entry.name,
        variant=cell.variant,
        tuning=cell.tuned,
        version=cell.version,
        family=entry.family,
        reference=entry.is_reference,
        conditions=tuple(entry.conditions),
        settings=dict(cell.settings),
        source_hash=source_hash or environment.source_hash(entry.target, entry.file),
        local=entry.local,
        file=_file(cell),
        returns_real_rows=entry.returns_real_rows,
    )


def _file(cell: Cell) -> SourceFile | None:
    """Of a local generator: its file, whose hash is in the key."""
    file = cell.entry.file
    if file is None:
        return None
    return SourceFile.model_validate({"name": file.name, "class": cell.entry.class_name, "sha256": file.sha256})


def _fold(cell: Cell) -> RecordedFold:
    fold = cell.fold
    return RecordedFold(
        track=fold.track,
        index=fold.index,
        hash=fold.hash(),
        train=len(fold.train),
        validation=len(fold.validation),
        test=len(fold.test),
        left_out=tuple(fold.left_out),
    )


def _cohort(cohort: Cohort, fingerprint: str) -> RecordedCohort:
    return RecordedCohort(
        name=cohort.name,
        fingerprint=fingerprint,
        unit=cohort.unit.name,
        samples=len(cohort),
        genes=len(cohort.genes),
        label_columns=tuple(cohort.label_columns),
    )


def _scores(result: "PanelResult | None", cohort: Cohort) -> dict[str, Any]:
    """What the panel gave; the sums by cluster are for the bootstrap, see `scoring.real_fold`."""
    empty = ("metrics", "gates", "per_class", "reference_values", "extra", "score_cpu_times_s", "per_cluster")
    if result is None:
        return {**{name: {} for name in empty}, "clusters": None}
    cluster = "patient" if cohort.site_column is None else "site"
    return {
        "metrics": {
            key: Measured(value=metric.value, reason=metric.reason, version=metric.version)
            for key, metric in result.values.items()
        },
        "gates": result.gates,
        "per_class": result.per_class,
        "reference_values": result.reference_values,
        "extra": result.extra,
        "score_cpu_times_s": result.seconds,
        "clusters": cluster if result.per_cluster else None,
        "per_cluster": result.per_cluster,
    }

"""All metrics of a cell, with the work that every generator of a fold shares done once.

``prepare`` once per fold, ``evaluate`` once per generator. Only metrics whose specification needs ``training`` get
training rows: the others see the prepared fold without them.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast, get_args

import numpy as np

from gexbench.metrics.shared.clusters import ClusterSums, by_cluster
from gexbench.tasks.panel.catalogue import panel_specifications, tasks
from gexbench.tasks.panel.declarations.comparison import Comparison, NotApplicable
from gexbench.tasks.panel.declarations.metric import Metric, Panel
from gexbench.tasks.panel.declarations.rows import Prepared, RealRows, SyntheticRows
from gexbench.tasks.panel.declarations.task import Step
from gexbench.tasks.panel.foreign import computed, steps_of

T = TypeVar("T")
UNCONDITIONAL = "not applicable: the generator is unconditional, so its rows have no labels"
NO_DRAWS = "not applicable: no paired draws were kept"
NO_GENE_SETS = "not applicable: no gene sets were given"
NOT_EXCHANGEABLE = "not applicable: training and test patients were not dealt at random, so membership has no null"
FEWER_MEMBERS = "not applicable: the generator was fitted on fewer patients than there are non-members to compare with"
NO_TRAINING = "not applicable: training rows are withheld"


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A value, or the reason why there is none. version: of the metric that made it."""

    value: float | None
    reason: str | None
    version: int


@dataclass(frozen=True, slots=True, eq=False)
class PanelResult:
    """values: by key ``name`` or ``name[label]``, in the catalogue's order.

    per_class: ``tstr_lr_recall[project]`` → class → recall, and the like. reference_values: ``trtr``,
    ``majority`` and ``shuffled_labels`` → key → value: ceilings and floors of the utility metrics. extra:
    figures beside a metric (``detection_null_sd``, ``copy_threshold``, ``rank_share_0`` …). seconds: CPU time of this
    process by step. per_cluster: ``crps`` and TSTR accuracy by logistic regression on the finest label → cluster of
    test rows → (rows, sum of the value), see ``RealRows.clusters``. notes: what was computed on a sample of the rows.
    gates: figure of a gate (``copies/one/test``) → its numbers, which `gates.verdicts` judges over folds.
    """

    values: dict[str, MetricValue]
    per_class: dict[str, dict[str, float]]
    reference_values: dict[str, dict[str, float]]
    extra: dict[str, float]
    seconds: dict[str, float]
    per_cluster: dict[str, ClusterSums] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    gates: dict[str, dict[str, float]] = field(default_factory=dict)


def evaluate(
    prepared: Prepared,
    synthetic: SyntheticRows,
    *,
    panel: str = "core",
    conditional: bool = True,
    progress: Callable[[int, int], object] | None = None,
    plug_ins: bool = True,
) -> PanelResult:
    """Every metric of a panel on one generator's rows.

    conditional: False for a generator whose rows do not depend on labels: TSTR is then not applicable.
    progress: called with (steps done, steps) after every step. plug_ins: whether also metrics of other packages.
    A metric that cannot be computed gets the reason in place of a value. Raises ValueError for an unknown panel,
    a fold prepared for ``core`` where ``extended`` is asked for, rows of the wrong shape or with non-finite values.
    """
    if panel not in get_args(Panel):
        raise ValueError(f"panel {panel!r} is none of {', '.join(get_args(Panel))}")
    _check_rows(prepared.rows, synthetic)
    wanted = panel_specifications(cast(Panel, panel), scarce=synthetic.fitted_ids is not None, plug_ins=plug_ins)
    steps = _steps(wanted, prepared.rows)
    metrics = _by_key(wanted, steps)
    reasons = {
        key: reason
        for key, metric in metrics.items()
        if (reason := _inapplicable(metric, prepared, synthetic, conditional)) is not None
    }
    chosen = [step for step in steps if any(key in metrics and key not in reasons for key in step.keys)]
    given = Comparison(prepared, synthetic, prepared.space.standardise(synthetic.test, "synthetic test"))
    result = PanelResult({}, {}, _reference_values(prepared, panel), {}, {}, notes=prepared.notes)
    found: dict[str, float] = {}
    for done, step in enumerate(chosen, start=1):
        reasons |= _take(step, given, found, result)
        if progress is not None:
            progress(done, len(chosen))
    for key, metric in metrics.items():
        result.values[key] = _value(metric, found.get(key), reasons.get(key))
    return result


def _steps(wanted: Iterable[Metric], rows: RealRows) -> list[Step]:
    """Those of the panels that these metrics belong to."""
    groups = {metric.panel for metric in wanted}
    return [step for task in tasks() for step in steps_of(task, rows) if step.group in groups]


def _by_key(wanted: Sequence[Metric], steps: Iterable[Step]) -> dict[str, Metric]:
    """Key → metric of all values of these steps, in the order of the metrics."""
    labels: dict[str, list[str | None]] = {}
    for step in steps:
        for metric in step.metrics:
            labels.setdefault(metric.name, []).append(step.label)
    return {metric.key(label): metric for metric in wanted for label in labels.get(metric.name, ())}


def _take(step: Step, given: Comparison, found: dict[str, float], result: PanelResult) -> dict[str, str]:
    """Run a step, without training rows unless its metrics need them; the reasons of a failure by key."""
    start = time.process_time()
    if not any("training" in metric.needs for metric in step.metrics):
        given = replace(given, prepared=replace(given.prepared, training=None))
    try:
        findings = computed(step, given) if step.metrics[0].package else step.compute(given)
    except NotApplicable as reason:
        return dict.fromkeys(step.keys, f"not applicable: {reason}")
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return dict.fromkeys(step.keys, f"failed: {error}")
    finally:
        result.seconds[step.name] = time.process_time() - start

    def keyed(values: Mapping[Metric, T]) -> dict[str, T]:
        return {metric.key(step.label): value for metric, value in values.items()}

    found.update(keyed(findings.values))
    behind = "" if step.label is None else f"[{step.label}]"
    result.per_class.update({f"{name}{behind}": dict(values) for name, values in findings.per_class.items()})
    result.extra.update(findings.extra)
    result.gates.update({name: dict(numbers) for name, numbers in findings.gates.items()})
    result.per_cluster.update(by_cluster(keyed(findings.per_row), given.rows.clusters))
    return {}


def _check_rows(real: RealRows, synthetic: SyntheticRows) -> None:
    for name in ("test", "train"):
        shape, needed = getattr(synthetic, name).shape, getattr(real, name).shape
        if shape != needed:
            raise ValueError(f"synthetic {name} rows have shape {shape}; the fold needs {needed}")
    if synthetic.paired is not None:
        shape = synthetic.paired.shape
        if len(shape) != 3 or (shape[0], shape[2]) != real.test.shape:
            raise ValueError(f"paired draws have shape {shape}; the fold needs patients × draws × genes")


def _reference_values(prepared: Prepared, panel: str) -> dict[str, dict[str, float]]:
    """Those of the panel: the floors and ceilings of another panel's keys would be owed by every generator."""
    if panel == "core":
        return prepared.reference_values
    if prepared.extended is None:
        raise ValueError("the fold is prepared for the panel 'core'; prepare it with panel='extended'")
    return {name: {**values, **prepared.extended.values[name]} for name, values in prepared.reference_values.items()}


def _inapplicable(metric: Metric, prepared: Prepared, synthetic: SyntheticRows, conditional: bool) -> str | None:
    if metric.family == "utility" and not conditional:
        return UNCONDITIONAL
    if metric.family == "paired" and synthetic.paired is None:
        return NO_DRAWS
    if "gene sets" in metric.needs and prepared.biology.membership is None:
        return NO_GENE_SETS
    if "members" in metric.needs and prepared.rows.exchangeable is False:
        return NOT_EXCHANGEABLE
    if "members" in metric.needs and synthetic.fitted_ids is not None:
        return FEWER_MEMBERS
    if "training" in metric.needs and prepared.training is None:
        return NO_TRAINING
    return None


def _value(metric: Metric, value: float | None, reason: str | None) -> MetricValue:
    if value is not None and np.isfinite(value):
        return MetricValue(float(value), None, metric.version)
    return MetricValue(None, reason or f"failed: the value is {value}", metric.version)

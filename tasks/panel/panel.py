"""All metrics of a cell, with the work that every generator of a fold shares done once.

``prepare`` once per fold, ``evaluate`` once per generator. Only metrics whose specification needs ``training`` get
training rows: the others see the prepared fold without them.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast, get_args

import numpy as np

from gexbench.metrics.catalogue.built_in import lookup, panel_specifications, split_key
from gexbench.metrics.catalogue.specification import MetricSpecification, Panel
from gexbench.metrics.shared.clusters import ClusterSums, by_cluster
from gexbench.tasks.panel.biology_steps import biology_steps
from gexbench.tasks.panel.extended_steps import extended_steps, scarce_step
from gexbench.tasks.panel.fold import PreparedFold, RealFold, SyntheticFold, prepare
from gexbench.tasks.panel.steps import Comparison, NotApplicable, Step, steps

__all__ = ["MetricValue", "PanelResult", "PreparedFold", "RealFold", "SyntheticFold", "evaluate", "prepare"]

UNCONDITIONAL = "not applicable: the generator is unconditional, so its rows have no labels"
NO_DRAWS = "not applicable: no paired draws were kept"
NO_FLOOR = "not applicable: the cohort's unit has no floor"
NO_GENE_SETS = "not applicable: no gene sets were given"
NO_PRIVACY_ROWS = "not applicable: no rows of members and non-members were kept"
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
    test rows → (rows, sum of the value), see ``RealFold.clusters``. notes: what was computed on a sample of the rows.
    """

    values: dict[str, MetricValue]
    per_class: dict[str, dict[str, float]]
    reference_values: dict[str, dict[str, float]]
    extra: dict[str, float]
    seconds: dict[str, float]
    per_cluster: dict[str, ClusterSums] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def evaluate(
    prepared: PreparedFold,
    synthetic: SyntheticFold,
    *,
    panel: str = "core",
    conditional: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> PanelResult:
    """Every metric of a panel on one generator's rows.

    conditional: False for a generator whose rows do not depend on labels: TSTR is then not applicable.
    progress: called with (steps done, steps) after every step.
    A metric that cannot be computed gets the reason in place of a value. Raises ValueError for an unknown panel,
    a fold prepared for ``core`` where ``extended`` is asked for, rows of the wrong shape or with non-finite values.
    """
    if panel not in get_args(Panel):
        raise ValueError(f"panel {panel!r} is none of {', '.join(get_args(Panel))}")
    _check_rows(prepared.fold, synthetic)
    available = (*steps(prepared), *biology_steps(prepared))
    if synthetic.fitted_ids is not None:
        available = (*available, scarce_step())
    if panel == "extended":
        available = (*available, *extended_steps(prepared))
    specifications = panel_specifications(cast(Panel, panel), scarce=synthetic.fitted_ids is not None)
    keys = _ordered_keys(specifications, available)
    reasons = {
        key: reason
        for key in keys
        if (reason := _inapplicable(lookup(key), prepared, synthetic, conditional)) is not None
    }
    chosen = [step for step in available if any(key in keys and key not in reasons for key in step.keys)]
    given = Comparison(prepared, synthetic, prepared.space.standardise(synthetic.test, "synthetic test"))
    result = PanelResult({}, {}, _reference_values(prepared, panel), {}, {}, notes=prepared.notes)
    found: dict[str, float] = {}
    for done, step in enumerate(chosen, start=1):
        reasons |= _take(step, given, found, result)
        if progress is not None:
            progress(done, len(chosen))
    result.values.update({key: _value(key, found.get(key), reasons.get(key)) for key in keys})
    return result


def _take(step: Step, given: Comparison, found: dict[str, float], result: PanelResult) -> dict[str, str]:
    """Run a step, without training rows unless its metrics need them; the reasons of a failure by key."""
    start = time.process_time()
    if not any("training" in lookup(key).needs for key in step.keys):
        given = replace(given, fold=replace(given.fold, training=None))
    try:
        findings = step.compute(given)
    except NotApplicable as reason:
        return dict.fromkeys(step.keys, f"not applicable: {reason}")
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return dict.fromkeys(step.keys, f"failed: {error}")
    finally:
        result.seconds[step.name] = time.process_time() - start
    found.update(findings.values)
    result.per_class.update({key: dict(values) for key, values in findings.per_class.items()})
    result.extra.update(findings.extra)
    result.per_cluster.update(by_cluster(findings.per_row, given.fold.fold.clusters))
    return {}


def _check_rows(fold: RealFold, synthetic: SyntheticFold) -> None:
    for name, rows, real in (("test", synthetic.test, fold.test), ("train", synthetic.train, fold.train)):
        if rows.shape != real.shape:
            raise ValueError(f"synthetic {name} rows have shape {rows.shape}; the fold needs {real.shape}")
    if synthetic.paired is not None:
        shape = synthetic.paired.shape
        if len(shape) != 3 or (shape[0], shape[2]) != fold.test.shape:
            raise ValueError(f"paired draws have shape {shape}; the fold needs patients × draws × genes")
    if synthetic.privacy is not None:
        wanted = (len(synthetic.privacy_ids if synthetic.privacy_ids is not None else ()), len(fold.genes))
        if synthetic.privacy.shape != wanted:
            raise ValueError(f"synthetic privacy rows have shape {synthetic.privacy.shape}; their ids ask for {wanted}")


def _reference_values(prepared: PreparedFold, panel: str) -> dict[str, dict[str, float]]:
    """Those of the panel: the floors and ceilings of another panel's keys would be owed by every generator."""
    if panel == "core":
        return prepared.reference_values
    if prepared.extended is None:
        raise ValueError("the fold is prepared for the panel 'core'; prepare it with panel='extended'")
    return {name: {**values, **prepared.extended.values[name]} for name, values in prepared.reference_values.items()}


def _ordered_keys(specifications: Sequence[MetricSpecification], available: tuple[Step, ...]) -> list[str]:
    """Keys of the specifications that some step computes, in their order."""
    by_name: dict[str, list[str]] = {}
    for step in available:
        for key in step.keys:
            by_name.setdefault(split_key(key)[0], []).append(key)
    return [key for spec in specifications for key in by_name.get(spec.name, ())]


def _inapplicable(
    spec: MetricSpecification, prepared: PreparedFold, synthetic: SyntheticFold, conditional: bool
) -> str | None:
    if spec.family == "utility" and not conditional:
        return UNCONDITIONAL
    if spec.family == "paired" and synthetic.paired is None:
        return NO_DRAWS
    if spec.name == "zero_fraction" and prepared.fold.floor is None:
        return NO_FLOOR
    if "gene sets" in spec.needs and prepared.biology.membership is None:
        return NO_GENE_SETS
    if "members" in spec.needs and prepared.fold.exchangeable is False:
        return NOT_EXCHANGEABLE
    if "members" in spec.needs and synthetic.fitted_ids is not None:
        return FEWER_MEMBERS
    if "members" in spec.needs and synthetic.privacy is None:
        return NO_PRIVACY_ROWS
    if "training" in spec.needs and prepared.training is None:
        return NO_TRAINING
    return None


def _value(key: str, value: float | None, reason: str | None) -> MetricValue:
    version = lookup(key).version
    if value is not None and np.isfinite(value):
        return MetricValue(float(value), None, version)
    return MetricValue(None, reason or f"failed: the value is {value}", version)

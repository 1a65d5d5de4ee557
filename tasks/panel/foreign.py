"""Computations of other packages, run so that a fault of theirs costs their own metrics alone."""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import numpy as np

from gexbench.metrics.biology import RealBiology
from gexbench.tasks.panel.declarations.comparison import Comparison, NotApplicable
from gexbench.tasks.panel.declarations.metric import Findings
from gexbench.tasks.panel.declarations.rows import Prepared, RealRows, SyntheticRows, TrainingRows
from gexbench.tasks.panel.declarations.task import Step, Task

_SHARED = (Comparison, Prepared, RealRows, SyntheticRows, TrainingRows, RealBiology)


def steps_of(task: Task, rows: RealRows) -> list[Step]:
    """The steps of a task; of a foreign one that cannot give them, one step that says why."""
    package = task.metrics[0].package
    if not package:
        return list(task.steps(rows))
    try:
        return [replace(step, name=f"{package}.{step.name.removeprefix(f'{package}.')}") for step in task.steps(rows)]
    except (Exception, SystemExit) as error:  # another package's code may raise anything
        reason = _said(error)

        def fail(given: Comparison) -> Findings:
            raise ValueError(reason)

        return [Step(f"{package}.{task.name.removeprefix(f'{package}.')}", task.metrics, fail)]


def computed(step: Step, given: Comparison) -> Findings:
    """What a foreign step finds in rows that it cannot write to.

    Raises:
        NotApplicable: as the step says.
        ValueError: whatever else it raised, values of metrics and figures that are not its own or no numbers.
    """
    try:
        return _checked(step, step.compute(_read_only(replace(given, made={}))))
    except NotApplicable:
        raise
    except (Exception, SystemExit) as error:  # another package's code may raise anything
        raise ValueError(_said(error)) from error


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _checked(step: Step, found: Any) -> Findings:
    if not isinstance(found, Findings):
        raise TypeError(f"{step.name} returned {type(found).__name__}; a step returns Findings")
    names = {metric.name for metric in step.metrics}
    odd = [metric.name for metric in (*found.values, *found.per_row) if metric.name not in names]
    prefix = f"{step.metrics[0].package}."
    odd += [name for name in (*found.per_class, *found.extra) if not name.startswith(prefix)]
    if odd:
        raise ValueError(f"{step.name} returned {', '.join(odd)}: its own names are {', '.join(names)} and {prefix}…")
    return Findings(
        {metric: float(value) for metric, value in found.values.items()},
        {name: {str(of): _number(value) for of, value in each.items()} for name, each in found.per_class.items()},
        {name: _number(value) for name, value in found.extra.items()},
        {metric: np.asarray(values, dtype=np.float64) for metric, values in found.per_row.items()},
    )


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"a figure beside the metric is {number}; leave it out")
    return number


def _read_only(value: Any) -> Any:
    """The same with read-only views of all arrays, which other metrics and cells read too."""
    if isinstance(value, np.ndarray):
        view = value.view()
        view.flags.writeable = False
        return view
    if isinstance(value, _SHARED):
        return replace(value, **{each.name: _read_only(getattr(value, each.name)) for each in fields(value)})
    if isinstance(value, Mapping):
        return {key: _read_only(each) for key, each in value.items()}
    return tuple(map(_read_only, value)) if type(value) is tuple else value

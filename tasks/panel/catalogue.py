"""All metrics and tasks at hand: the suite's, then those of other installed packages."""

import math
from collections.abc import Sequence
from functools import cache

from gexbench.tasks.panel.built_in import BUILT_IN, CATALOGUE
from gexbench.tasks.panel.declarations.metric import Metric, Panel, Table, in_words
from gexbench.tasks.panel.declarations.task import Task
from gexbench.tasks.panel.plug_ins import installed


def tasks() -> tuple[Task, ...]:
    """Tasks in the order of the tables; a lone metric of another package is a task of its own."""
    return (*BUILT_IN, *(plug_in.task for plug_in in installed() if plug_in.task is not None))


def catalogue() -> tuple[Metric, ...]:
    """Metrics in the order of the tables."""
    return tuple(metric for task in tasks() for metric in task.metrics)


def split_key(key: str) -> tuple[str, str | None]:
    """``name[label]`` → (name, label); ``name`` → (name, None). Raises ValueError on another form."""
    name, bracket, rest = key.partition("[")
    if not bracket:
        return key, None
    if not rest.endswith("]") or len(rest) < 2:
        raise ValueError(f"metric key {key!r} must be 'name' or 'name[label]'")
    return name, rest[:-1]


@cache
def lookup(key: str) -> Metric:
    """The metric of a name or value key; see `found`."""
    return found(key, catalogue())


def found(key: str, metrics: Sequence[Metric]) -> Metric:
    """The metric of a name or value key among these.

    A metric of a package that is not installed here (records of others hold such) is a bare diagnostic that says so.
    Raises KeyError with the nearest names.
    """
    name, label = split_key(key)
    for metric in metrics:
        if metric.name == name:
            if label is not None and not metric.per_label:
                raise KeyError(f"metric {name!r} has one value per fold; drop [{label}]")
            return metric
    if "." in name:
        return _absent(name, per_label=label is not None)
    from difflib import get_close_matches

    near = get_close_matches(name, [metric.name for metric in metrics], n=3)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; 'gexbench ls metrics' lists all"
    raise KeyError(f"no metric is named {name!r}{hint}")


def _absent(name: str, per_label: bool) -> Metric:
    package, _, _ = name.rpartition(".")
    return Metric(
        name=name,
        title=f"of the package {package}, which is not installed here: what it measures and its direction are unknown",
        family="other",
        goal="diagnostic",
        range=(-math.inf, math.inf),
        cost="unknown",
        reference=f"package {package}",
        needs=("labels",) if per_label else (),
        per_label=per_label,
    )


def place(name: str, metrics: Sequence[Metric] | None = None) -> tuple[int, str]:
    """Sorts metric names in the order of the tables; those that are not installed here come last, by name."""
    names = [metric.name for metric in (catalogue() if metrics is None else metrics)]
    return (names.index(name), "") if name in names else (len(names), name)


def words(name: str, metrics: Sequence[Metric] | None = None) -> tuple[str, str]:
    """Heading and detail of a metric, or of a figure by class that stands beside one."""
    for task in tasks():
        if name in task.per_class:
            return task.per_class[name], ""
    try:
        metric = lookup(name) if metrics is None else found(name, metrics)
    except KeyError:
        return in_words(name), ""
    return metric.short, metric.detail


def shown_in(table: Table, metrics: Sequence[Metric] | None = None) -> tuple[Metric, ...]:
    """The metrics that a table shows beside its scores: utility first, then in the order of the catalogue."""
    chosen = [metric for metric in (catalogue() if metrics is None else metrics) if table in metric.tables]
    return tuple(sorted(chosen, key=lambda metric: metric.family != "utility"))


def panel_specifications(panel: Panel, *, scarce: bool = False, plug_ins: bool = True) -> tuple[Metric, ...]:
    """The metrics of a panel, in order; ``extended`` holds ``core``, and both those of scarce fits on request."""
    groups = {"core", *(["extended"] if panel == "extended" else []), *(["scarce"] if scarce else [])}
    return tuple(metric for metric in (catalogue() if plug_ins else CATALOGUE) if metric.panel in groups)

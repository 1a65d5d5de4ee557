"""Metrics and tasks of other installed packages: shown in tables, never part of the overall score."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.plug_ins import PlugIn, plug_ins
from gexbench.tasks.names import checked_name
from gexbench.tasks.panel.built_in import BUILT_IN
from gexbench.tasks.panel.declarations.metric import Metric
from gexbench.tasks.panel.declarations.task import Task

METRIC_GROUP, TASK_GROUP = "gexbench.metrics", "gexbench.tasks"


@dataclass(frozen=True, slots=True)
class Installed:
    """A plug-in: its task, without a question where it is a lone metric; or None and why it is broken."""

    name: str
    kind: str
    distribution: str
    task: Task | None
    broken: str = ""


@cache
def installed() -> tuple[Installed, ...]:
    """Plug-ins of the groups `gexbench.tasks` and `gexbench.metrics`, in this order.

    An entry point gives a `Task` or a `Metric` of its own name, or a function that returns one. What cannot be
    imported, declares anything wrong or takes a name that is taken is `broken`, and costs nothing else.
    """
    return tuple(_with_free_names(_installed(plug_in, kind) for kind, plug_in in _points()))


def _points() -> Iterator[tuple[str, PlugIn]]:
    for kind, group in (("task", TASK_GROUP), ("metric", METRIC_GROUP)):
        for plug_in in plug_ins(group, kind):
            yield kind, plug_in


def _installed(plug_in: PlugIn, kind: str) -> Installed:
    broken = plug_in.broken or _problem(plug_in, kind)
    task: Task | None = None
    if not broken:
        given = plug_in.loaded
        task = given if isinstance(given, Task) else Task(given.name, "", (given,))
    return Installed(plug_in.name, kind, plug_in.distribution, task, broken)


def _problem(plug_in: PlugIn, kind: str) -> str:
    """What is wrong with the declaration, and the fix; empty when it can be used."""
    given, wanted = plug_in.loaded, Task if kind == "task" else Metric
    about = f"{kind} {plug_in.name} of the package {plug_in.distribution} ({plug_in.target})"
    if not isinstance(given, Task | Metric) or not isinstance(given, wanted) or given.name != plug_in.name:
        return f"{about}: must give a {wanted.__name__} named {plug_in.name!r}"
    if isinstance(given, Metric):
        problems = ["has no compute"] if given.compute is None else []
    else:
        problems = _task_problems(given)
    for metric in given.metrics if isinstance(given, Task) else (given,):
        if metric.package != plug_in.prefix:
            problems.append(f"name metric {metric.name!r} {plug_in.prefix}.{metric.name.rpartition('.')[2]}")
        if metric.in_overall:
            problems.append(f"metric {metric.name!r} cannot enter the overall score; set in_overall to False")
        if metric.panel == "scarce":
            problems.append(f"metric {metric.name!r}: panel is 'core' or 'extended'")
    return f"{about}: {'; '.join(problems)}" if problems else ""


def _task_problems(task: Task) -> list[str]:
    try:
        checked_name(task.name, "task")
    except InputError as error:
        return [str(error)]
    return [] if task.metrics else ["declares no metric"]


def _with_free_names(found: Iterable[Installed]) -> Iterator[Installed]:
    """The plug-ins, broken where a task or metric has the name of an earlier one or of the suite's."""
    tasks = {task.name: "gexbench" for task in BUILT_IN}
    metrics: dict[str, str] = {}
    for plug_in in found:
        named = [(metric.name, metrics, "metric") for metric in plug_in.task.metrics] if plug_in.task else []
        named += [(plug_in.name, tasks, "task")] if plug_in.task and plug_in.kind == "task" else []
        taken = [f"{kind} {name!r} is declared by {owners[name]}" for name, owners, kind in named if name in owners]
        if taken:
            said = f"{'; '.join(taken)} and by {plug_in.distribution}; rename one of them"
            yield Installed(plug_in.name, plug_in.kind, plug_in.distribution, None, said)
            continue
        for name, owners, _ in named:
            owners[name] = plug_in.distribution
        yield plug_in

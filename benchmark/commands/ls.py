"""`gexbench ls`: generators, metrics, tasks and cohorts, without importing torch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.terminal.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

EPILOG = """[bold]Examples[/bold]\n
gexbench ls generators\n
gexbench ls metrics\n
gexbench ls metrics --markdown > docs/metrics/index.md\n
gexbench ls generators --markdown
"""
PARAMETERS_HEAD = "parameters"
PARAMETERS_NOTE = (
    "parameters: trainable parameters at budget cpu for a cohort of TCGA's shape (680 genes); for a WGAN-GP, "
    "those of the generator without the critic"
)
IMPORTANT = {
    "generators": (["generator"], ["what it is"], ["conditions"], ["family"], [PARAMETERS_HEAD]),
    "tasks": (["task"], ["question"]),
    "metrics": (["metric"], ["goal"], ["range"], ["what it is"], ["family"], ["panel"]),
}


def ls(
    what: Annotated[str, typer.Argument(help="What to list: generators, metrics, tasks or cohorts.")],
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the documentation page of the metrics or generators.")
    ] = False,
) -> None:
    """List generators, metrics, tasks or cohorts."""
    if markdown:
        _print_page(what)
        return
    from gexbench.tasks.names import unknown

    listings = {"generators": _generators, "metrics": _metrics, "tasks": _tasks, "cohorts": _cohorts}
    if what not in listings:
        raise unknown(what, listings, "listing")
    rows = listings[what]()
    console = options.console()
    print_table(console, next(rows), rows, groups=IMPORTANT.get(what, ()))
    if what == "generators":
        _print_unavailable(console)
        console.print(f"\n{PARAMETERS_NOTE}", markup=False, highlight=False)


def _print_unavailable(console: "Console") -> None:
    """A line for every generator that cannot be used here, with the reason, which no column may be dropped with."""
    from gexbench.models import registry

    for name, entry in registry().items():
        if entry.unavailable:
            console.print(f"unavailable: {name}: {entry.unavailable}", markup=False, highlight=False)


def _print_page(what: str) -> None:
    from gexbench.tasks.errors import InputError

    if what == "metrics":
        from gexbench.tasks.panel.page import metrics_page

        print(metrics_page(), end="")
    elif what == "generators":
        from gexbench.models import registry
        from gexbench.models.cards.page import generators_page

        print(generators_page(registry().values()), end="")
    else:
        raise InputError(f"--markdown prints the page of metrics or generators; {what!r} has no page")


def _generators() -> Iterator[tuple[str, ...]]:
    from gexbench.models import registry
    from gexbench.models.cards.parameter_counts import PARAMETERS

    yield "generator", "family", "conditions", PARAMETERS_HEAD, "available", "what it is"
    for name, entry in registry().items():
        conditions = ", ".join(entry.conditions) or "–"
        count = f"{PARAMETERS[name]:,}" if name in PARAMETERS else "–"
        yield name, entry.family, conditions, count, "no" if entry.unavailable else "yes", entry.summary


def _metrics() -> Iterator[tuple[str, ...]]:
    from gexbench.tasks.panel.catalogue import catalogue

    yield "metric", "family", "panel", "goal", "range", "version", "what it is"
    for metric in catalogue():
        low, high = metric.range
        limits = f"{low:g} … {high:g}"
        yield metric.name, metric.family, metric.panel, metric.goal, limits, str(metric.version), metric.title
    yield from ((name, *["–"] * 5, broken) for name, broken in _broken("metric"))


def _tasks() -> Iterator[tuple[str, ...]]:
    from gexbench.tasks.panel.catalogue import tasks

    yield "task", "families of metrics", "question"
    for task in tasks():
        if task.question:
            yield task.name, ", ".join(dict.fromkeys(metric.family for metric in task.metrics)), task.question
    yield from ((name, "–", broken) for name, broken in _broken("task"))


def _broken(kind: str) -> Iterator[tuple[str, str]]:
    """Name of every plug-in of a kind that cannot be used, and why."""
    from gexbench.tasks.panel.plug_ins import installed

    yield from ((each.name, each.broken) for each in installed() if each.kind == kind and each.broken)


def _cohorts() -> Iterator[tuple[str, ...]]:
    from gexbench.tasks.data_directory import list_cohorts

    yield "cohort", "where"
    yield from list_cohorts()

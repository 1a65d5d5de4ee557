"""`gexbench check`: test a generator against the contract."""

from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.terminal.tables import print_table
from gexbench.benchmark.sweeps.option import read_settings

if TYPE_CHECKING:
    from rich.console import Console

    from gexbench.benchmark.conformance import Finding, Subject

EPILOG = """[bold]Examples[/bold]\n
gexbench check my_model.py:MyModel\n
gexbench check cvae                          a registered generator\n
gexbench check my_model.py --settings my-model.width=16 --device cuda
"""
_MARKS = {"passed": "✓", "broken": "✗", "skipped": "–"}


def check(
    generator: Annotated[
        str, typer.Argument(help="A generator from `gexbench ls generators`, or your own file as FILE.py:Class.")
    ],
    settings: Annotated[
        list[str] | None, typer.Option(help="GENERATOR.SETTING=VALUE; repeat the option for more.")
    ] = None,
    device: Annotated[str, options.option("resources.device")] = "cpu",
) -> None:
    """Check a generator against the contract on a small simulated cohort.

    The cohort has 240 patients and 40 genes; the budget is quick. The generator is fitted about six times, with few
    steps if its settings include `steps`. Exit code: 0 if it keeps the contract, 1 otherwise.
    """
    from gexbench.benchmark.authoring.local_generators import with_local
    from gexbench.benchmark.authoring.local_process import planned_settings
    from gexbench.models import registry
    from gexbench.tasks.errors import InputError

    entries, names = with_local(registry(), (generator,))
    given = read_settings(settings or [])
    problems = [f"--settings {name}.…: the generator to check is {names[0]!r}" for name in given if name != names[0]]
    if len(names) != 1:
        problems.append(f"{generator!r}: give one generator")
    if device not in ("cpu", "cuda", "auto"):
        problems.append(f"--device {device!r}: use cpu, cuda or auto")
    if problems:
        raise InputError(problems)
    entry = entries[names[0]]
    if entry.unavailable:
        raise InputError(f"{entry.name} {entry.unavailable}")
    planned_settings(entry, "quick", given.get(entry.name))

    from gexbench.benchmark.conformance import Subject, check_fold

    console = options.console()
    findings = _findings(console, Subject(entry, check_fold(_device(device)), given.get(entry.name)))
    _show(console, entry.name, findings)
    if any(finding.state == "broken" for finding in findings):
        raise typer.Exit(1)


def _device(wanted: str) -> str:
    import torch

    from gexbench.tasks.errors import InputError

    torch.set_num_threads(1)
    chosen = options.device(wanted)
    if chosen == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: no CUDA device found; use cpu")
    return chosen


def _findings(console: "Console", subject: "Subject") -> list["Finding"]:
    from rich.progress import Progress

    from gexbench.benchmark.conformance import CHECKS, checked

    found = []
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("check", total=len(CHECKS))
        for each in CHECKS:
            bar.update(task, description=each.name)
            found.append(checked(each, subject))
            bar.advance(task)
    return found


def _show(console: "Console", name: str, findings: list["Finding"]) -> None:
    rows = [
        (each.check.name, _MARKS[each.state], each.check.rule, "see below" if each.state == "broken" else each.what)
        for each in findings
    ]
    print_table(console, ("check", "", "what holds", "found"), rows)
    counts = {state: sum(finding.state == state for finding in findings) for state in _MARKS}
    for finding in findings:
        if finding.state == "broken":
            console.print(f"\n✗ {finding.lesson}", markup=False, highlight=False)
    verdict = f"{name}: {counts['passed']} checks passed, {counts['skipped']} skipped, {counts['broken']} broken"
    console.print(f"\n{verdict}", markup=False, highlight=False)

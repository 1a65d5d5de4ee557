"""`gexbench check`: does a generator keep the contract?"""

from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
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
    generator: Annotated[str, typer.Argument(help="A name of `gexbench ls generators`, or a file: FILE.py:Class.")],
    settings: Annotated[
        list[str] | None, typer.Option(help="GENERATOR.SETTING=VALUE, may be given several times.")
    ] = None,
    device: Annotated[str, options.option("resources.device")] = "cpu",
) -> None:
    """Check a generator against the contract on a small simulated cohort: 240 patients, 40 genes, budget quick.

    Fits it about six times, with few steps where its settings have `steps`. Exit code 0 when it keeps the contract, 1
    when it does not.
    """
    from gexbench.benchmark.authoring.local_generators import with_local
    from gexbench.models import registry
    from gexbench.models.registry import resolve_settings
    from gexbench.tasks.errors import InputError

    entries, names = with_local(registry(), (generator,))
    given = read_settings(settings or [])
    problems = [f"settings of {name!r}: the generator is {names[0]!r}" for name in given if name != names[0]]
    if len(names) != 1:
        problems.append(f"{generator!r}: give one generator")
    if device not in ("cpu", "cuda", "auto"):
        problems.append(f"--device {device!r}: cpu, cuda or auto")
    if problems:
        raise InputError(problems)
    entry = entries[names[0]]
    if entry.unavailable:
        raise InputError(f"{entry.name} {entry.unavailable}")
    resolve_settings(entry, "quick", given.get(entry.name))

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
        raise InputError("--device cuda: there is no CUDA device here; use cpu")
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
    from rich.table import Table
    from rich.text import Text

    table = Table("check", "", "what holds", "found", box=None, pad_edge=False)
    for finding in findings:
        check, found = finding.check, "see below" if finding.state == "broken" else finding.what
        table.add_row(*(Text(text) for text in (check.name, _MARKS[finding.state], check.rule, found)))
    console.print(table)
    counts = {state: sum(finding.state == state for finding in findings) for state in _MARKS}
    for finding in findings:
        if finding.state == "broken":
            console.print(f"\n✗ {finding.lesson}", markup=False, highlight=False, soft_wrap=True)
    verdict = f"{name}: {counts['passed']} checks passed, {counts['skipped']} skipped, {counts['broken']} broken"
    console.print(f"\n{verdict}", markup=False, highlight=False)

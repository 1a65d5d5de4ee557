"""The way into the studies: `python -m gexbench.benchmark.studies STUDY`; without a study it lists all of them."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import typer

from gexbench.benchmark.machine.exits import clear_exits
from gexbench.tasks.names import unknown

COMMAND = "python -m gexbench.benchmark.studies"


@dataclass(frozen=True, slots=True)
class Study:
    """A study.

    Attributes:
        module: has `main`, whose parameters are the options, and `EXAMPLES`.
        measures: what it measures, for the list.
        writes: what it writes.
    """

    module: str
    measures: str
    writes: str


STUDIES: Mapping[str, Study] = {
    "array-metrics": Study(
        "speed.array_metrics", "time and memory of the array metrics", "docs/metrics/speed/metric-speed.md"
    ),
    "cheats": Study(
        "cheats.command", "what each metric sees of rows that cheat", "docs/metrics/what-each-metric-sees/"
    ),
    "false-differences": Study(
        "false_differences", "how often copies of one generator are called different", "a CSV file"
    ),
    "gates": Study("gates.command", "errors and power of the gates", "docs/metrics/gates/gates.md"),
    "generators": Study(
        "speed.generators", "training and sampling speed of the generators", "docs/reference/generator-speed/"
    ),
    "large-cohorts": Study(
        "speed.large_cohorts", "training and scoring of large cohorts", "docs/metrics/scale/scale.md"
    ),
    "parameters": Study("parameters", "parameters of the built-in generators", "models/cards/parameter_counts.py"),
    "sensitivity": Study(
        "sensitivity",
        "ranks without one metric; metrics that tell models apart",
        "docs/leaderboards/what-ranks-hang-on.md",
    ),
    "sweeps": Study("speed.sweeps", "what a sweep costs beside its cells", "docs/clusters/sweep-speed.md"),
}


def overview() -> str:
    """The studies, what each measures, and what it writes."""
    width = max(map(len, STUDIES))
    lines = [f"usage: {COMMAND} STUDY [OPTIONS]", ""]
    for name, study in STUDIES.items():
        lines += [f"  {name:<{width}}  {study.measures}", f"  {'':<{width}}  writes {study.writes}"]
    return "\n".join([*lines, "", f"Options and examples: {COMMAND} STUDY --help"])


def main(given: Sequence[str] | None = None) -> None:
    """Run a study; bad input ends with one clear message and exit code 2, without a traceback."""
    with clear_exits():
        name, *options = (sys.argv[1:] if given is None else given) or ["--help"]
        if name in {"-h", "--help"}:
            print(overview())
            return
        if name not in STUDIES:
            raise unknown(name, STUDIES, "study")
        study = import_module(f"gexbench.benchmark.studies.{STUDIES[name].module}")
        app = typer.Typer(
            add_completion=False,
            pretty_exceptions_enable=False,
            context_settings={"help_option_names": ["-h", "--help"]},
            rich_markup_mode="rich",
        )
        examples = "\n".join(f"{COMMAND} {name} {line}".rstrip() for line in study.EXAMPLES)
        app.command(epilog=f"[bold]Examples[/bold]\n\n{examples}")(study.main)
        app(options, prog_name=f"{COMMAND} {name}", standalone_mode=True)


if __name__ == "__main__":
    main()

"""The command line `gexbench`: one module per verb in `gexbench.benchmark.commands`."""

import gc
from typing import Annotated

import typer

from gexbench.benchmark.commands import (
    check,
    compare,
    figures,
    ls,
    new,
    publish,
    report,
    reproduce,
    run,
    sample,
    score,
    status,
    tune,
)
from gexbench.benchmark.commands.cohort import build as cohort
from gexbench.benchmark.commands.terminal.help import add
from gexbench.benchmark.machine.exits import clear_exits

app = typer.Typer(
    name="gexbench",
    help="Benchmark suite for generative models of tumour gene expression.",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
for _verb, _epilog in (
    (run.run, run.EPILOG),
    (new.new, new.EPILOG),
    (check.check, check.EPILOG),
    (tune.tune, tune.EPILOG),
    (score.score, score.EPILOG),
    (sample.sample, sample.EPILOG),
    (report.report, report.EPILOG),
    (figures.figures, figures.EPILOG),
    (compare.compare, compare.EPILOG),
    (reproduce.reproduce, reproduce.EPILOG),
    (publish.publish, publish.PUBLISH_EPILOG),
    (publish.verify, publish.VERIFY_EPILOG),
    (status.status, status.EPILOG),
    (ls.ls, ls.EPILOG),
):
    add(app, _verb, _epilog)
app.add_typer(cohort.app, name="cohort")


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version and exit.", show_default=False)
    ] = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        print(f"gexbench {installed('gexbench')}")
        raise typer.Exit


def main() -> None:
    """Run the command line; bad input ends with one clear message and exit code 2, without a traceback."""
    gc.set_threshold(100_000)  # thousands of records are read, which hold no cycles
    with clear_exits():
        app()


if __name__ == "__main__":
    main()

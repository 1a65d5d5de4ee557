"""The command line `gexbench`: one module per verb in `gexbench.benchmark.commands`."""

import gc

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
from gexbench.benchmark.commands.help import add
from gexbench.benchmark.machine.exits import clear_exits

app = typer.Typer(
    name="gexbench",
    help="Benchmark suite for generative models of tumour gene expression.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
add(app, "run", run.run, run.EPILOG)
add(app, "new", new.new, new.EPILOG)
add(app, "check", check.check, check.EPILOG)
add(app, "tune", tune.tune, tune.EPILOG)
add(app, "score", score.score, score.EPILOG)
add(app, "sample", sample.sample, sample.EPILOG)
add(app, "report", report.report, report.EPILOG)
add(app, "figures", figures.figures, figures.EPILOG)
add(app, "compare", compare.compare, compare.EPILOG)
add(app, "reproduce", reproduce.reproduce, reproduce.EPILOG)
add(app, "publish", publish.publish, publish.PUBLISH_EPILOG)
add(app, "verify", publish.verify, publish.VERIFY_EPILOG)
add(app, "status", status.status, status.EPILOG)
add(app, "ls", ls.ls, ls.EPILOG)
app.add_typer(cohort.app, name="cohort")


def main() -> None:
    """Run the command line; bad input ends with one clear message and exit code 2, without a traceback."""
    gc.set_threshold(100_000)  # thousands of records are read, which hold no cycles
    with clear_exits():
        app()


if __name__ == "__main__":
    main()

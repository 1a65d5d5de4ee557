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
from gexbench.benchmark.machine.exits import clear_exits

app = typer.Typer(
    name="gexbench",
    help="Benchmark suite for generative models of tumour gene expression.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
app.command("run", epilog=run.EPILOG)(run.run)
app.command("new", epilog=new.EPILOG)(new.new)
app.command("check", epilog=check.EPILOG)(check.check)
app.command("tune", epilog=tune.EPILOG)(tune.tune)
app.command("score", epilog=score.EPILOG)(score.score)
app.command("sample", epilog=sample.EPILOG)(sample.sample)
app.command("report", epilog=report.EPILOG)(report.report)
app.command("figures", epilog=figures.EPILOG)(figures.figures)
app.command("compare", epilog=compare.EPILOG)(compare.compare)
app.command("reproduce", epilog=reproduce.EPILOG)(reproduce.reproduce)
app.command("publish", epilog=publish.PUBLISH_EPILOG)(publish.publish)
app.command("verify", epilog=publish.VERIFY_EPILOG)(publish.verify)
app.command("status", epilog=status.EPILOG)(status.status)
app.command("ls", epilog=ls.EPILOG)(ls.ls)
app.add_typer(cohort.app, name="cohort")


def main() -> None:
    """Run the command line; bad input ends with one clear message and exit code 2, without a traceback."""
    gc.set_threshold(100_000)  # thousands of records are read, which hold no cycles
    with clear_exits():
        app()


if __name__ == "__main__":
    main()

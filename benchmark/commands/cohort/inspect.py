"""`gexbench cohort inspect`: what a file or folder is, and the command that builds a cohort from it."""

from pathlib import Path
from typing import Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.terminal.tables import print_table

EPILOG = """[bold]Examples[/bold]\n
gexbench cohort inspect expression.tsv.gz\n
gexbench cohort inspect mine.h5ad\n
gexbench cohort inspect downloads
"""


def inspect(
    path: Annotated[Path, typer.Argument(help="File or folder: expression, clinical table, slides, study.")],
) -> None:
    """Say what a file or folder is and print the command that builds a cohort from it.

    Only heads and samples are read: layout, orientation, ids, unit by its values, sample types, labels that would
    serve, and what a build would leave out. The exit code is 2 if no cohort can be built from it as it is.
    """
    from gexbench.tasks.files.input_paths import is_folder
    from gexbench.tasks.public.inspecting.folders import inspect_folder
    from gexbench.tasks.public.inspecting.own_tables import inspect_file

    found = inspect_folder(path) if is_folder(path) and path.suffix != ".zarr" else inspect_file(path)
    console = options.console()
    print_table(console, ("", ""), list(found.facts), title=found.name)
    for line in found.lost:
        console.print(f"note: {line}", markup=False, highlight=False, soft_wrap=True)
    if found.command:
        console.print("\nTo build a cohort:", highlight=False)
        console.print(found.command_line, markup=False, highlight=False, soft_wrap=True)
    else:
        raise typer.Exit(2)

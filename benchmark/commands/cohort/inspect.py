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
    serve, and what a build would leave out.
    """
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.files.delimited import text_type
    from gexbench.tasks.files.input_paths import is_folder
    from gexbench.tasks.files.reading import check_table_file
    from gexbench.tasks.public.inspecting.annotated import inspect_h5ad
    from gexbench.tasks.public.inspecting.folders import inspect_folder
    from gexbench.tasks.public.inspecting.text_tables import inspect_table

    if is_folder(path) and path.suffix != ".zarr":
        found = inspect_folder(path)
    else:
        check_table_file(path)
        if path.suffix == ".h5ad":
            found = inspect_h5ad(path)
        elif text_type(path) or path.suffix == ".parquet":
            found = inspect_table(path)
        else:
            raise InputError(f"{path.name}: {path.suffix} files are not inspected; build a cohort from it directly")
    console = options.console()
    print_table(console, ("", ""), list(found.facts), title=found.name)
    for line in found.lost:
        console.print(f"note: {line}", markup=False, highlight=False, soft_wrap=True)
    if found.command:
        console.print("\nTo build a cohort:", highlight=False)
        console.print(found.command_line, markup=False, highlight=False, soft_wrap=True)

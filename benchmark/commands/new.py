"""`gexbench new`: a generator of one's own to start from."""

from pathlib import Path
from typing import Annotated

import typer

from gexbench.benchmark.commands import options

EPILOG = """[bold]Examples[/bold]\n
gexbench new my-model                        writes my_model.py and test_my_model.py here\n
gexbench check my_model.py:MyModel           does it keep the contract?\n
gexbench run --generators my_model.py:MyModel,class-gaussian     its row in the table
"""


def new(
    name: Annotated[str, typer.Argument(help="Its name in the table: words joined by hyphens.")],
    folder: Annotated[Path, typer.Option(help="Where the files go; made if absent.", file_okay=False)] = Path(),
) -> None:
    """Write a small conditional generator that works, with its test, to be changed into your own."""
    from gexbench.benchmark.authoring.new_generator import write_generator
    from gexbench.models import registry

    console = options.console()
    file, test = write_generator(name, folder, registry())
    place = f"{file}:{''.join(part.capitalize() for part in name.split('-'))}"
    for line in (
        f"check it:   gexbench check {place}",
        f"run it:     gexbench run --generators {place},class-gaussian",
        f"test it:    python -m pytest {test}",
        f"written: {file} and {test}",
    ):
        console.print(line, markup=False, highlight=False, soft_wrap=True)

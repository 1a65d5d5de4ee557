"""`gexbench new`: a template for your own generator."""

from pathlib import Path
from typing import Annotated

import typer

from gexbench.benchmark.commands import options

EPILOG = """[bold]Examples[/bold]\n
gexbench new my-model                        writes my_model.py and test_my_model.py here\n
gexbench check my_model.py:MyModel           check it against the contract\n
gexbench run --generators my_model.py:MyModel,class-gaussian     its row in the leaderboard
"""


def new(
    name: Annotated[str, typer.Argument(help="Name of the generator: words joined by hyphens.")],
    folder: Annotated[Path, typer.Option(help="Output folder; created if missing.", file_okay=False)] = Path(),
) -> None:
    """Write a small working conditional generator and its test, as a starting point."""
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

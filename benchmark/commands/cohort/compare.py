"""`gexbench cohort compare` and `gexbench cohort card`: compare cohorts, and write cards to compare with."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.cohort.stages import stages
from gexbench.benchmark.commands.terminal.tables import print_table

if TYPE_CHECKING:
    from rich.console import Console

    from gexbench.tasks.cards.comparison import Comparison
    from gexbench.tasks.cards.published_card import Side

COMPARE_EPILOG = """[bold]Examples[/bold]\n
gexbench cohort compare published:tcga rebuilt\n
gexbench cohort compare tcga rebuilt\n
gexbench cohort compare tcga.card.json rebuilt --without text\n
gexbench cohort compare tcga rebuilt --json\n
"""
CARD_EPILOG = """[bold]Examples[/bold]\n
gexbench cohort card tcga --out tcga.card.json
"""
GENES_SHOWN = 10
SHOWN_FROM = 5e-5
"""Smaller differences would print as 0.0000."""


def compare(
    a: Annotated[str, typer.Argument(help="Name of a cohort, .json file of a card, or published:tcga.")],
    b: Annotated[str, typer.Argument(help="The other cohort, likewise.")],
    without: Annotated[
        str | None,
        typer.Option(help="Parts to leave out of the verdict, comma-separated: patches, text, labels, folds, …"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON with every gene instead of tables.")] = False,
) -> None:
    """Compare two cohorts: patients, genes, unit, values, classes, folds, slides and texts.

    The verdict is `same`, `within 0.01 log2 per gene` (no value, or for cards no mean or sd, differs by more) or
    `different`, followed by what differs. Exit code: 1 if different, otherwise 0.
    """
    from gexbench.tasks.cards import comparison

    left_out = tuple(part.strip() for part in (without or "").split(",") if part.strip())
    if as_json:
        found = comparison.compare(_side(a), _side(b), left_out)
        typer.echo(json.dumps(found.as_json(), indent=1, allow_nan=False))
    else:
        console = options.console()
        with stages(console) as report:
            report("read and summarise", 0, 2)
            sides = []
            for done, name in enumerate((a, b), start=1):
                sides.append(_side(name))
                report("read and summarise", done, 2)
            found = comparison.compare(sides[0], sides[1], left_out)
        show(console, found)
        console.print(f"\nverdict: {verdict_line(found)}", markup=False, highlight=False)
    if found.verdict == comparison.DIFFERENT:
        raise typer.Exit(1)


def card(
    name: Annotated[str, typer.Argument(help="Name of a cohort; `gexbench ls cohorts` lists them.")],
    out: Annotated[Path, typer.Option(help="Output file (.json).")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a card of a cohort that can be published.

    It holds patient ids, genes, folds, input files with SHA-256, and the mean and sd of every gene, but no values of
    single patients. `gexbench cohort compare CARD COHORT` checks a rebuilt cohort against it.
    """
    from gexbench.tasks.cards.published_card import card_text, side_of
    from gexbench.tasks.data_directory import load_cohort
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.files.atomic import FULL, write_text

    if out.suffix != ".json" or not out.parent.is_dir():
        raise InputError(f"--out {out}: give a .json file in an existing folder")
    if out.is_dir():
        raise InputError(f"--out {out}: is a folder; give a file")
    if out.exists() and not force:
        raise InputError(f"--out {out}: already exists; use --force to replace it")
    console = options.console()
    with stages(console) as report:
        report("read and summarise", 0, 1)
        cohort = load_cohort(name)
        side = side_of(cohort)
        report("read and summarise", 1, 1)
    try:
        write_text(out, card_text(side, cohort.provenance))
    except OSError as error:
        if error.errno in FULL:
            raise
        raise InputError(f"--out {out}: cannot be written ({error.strerror}); choose another file") from None
    console.print(f"{len(cohort):,} samples, {len(cohort.genes):,} genes, fingerprint {side.fingerprint}")
    console.print(f"card of [bold]{name}[/bold]: {out}", highlight=False, soft_wrap=True)


def show(console: "Console", found: "Comparison") -> None:
    """Print the parts, and the genes that differ most."""
    rows = [
        (part.name, part.state + (" (not judged)" if part.name in found.without else ""), part.says)
        for part in found.parts
    ]
    print_table(console, ("part", "state", "details"), rows, title=f"A {found.names[0]}, B {found.names[1]}")
    worst = [gene for gene in found.genes[:GENES_SHOWN] if gene.size > SHOWN_FROM]
    if worst:
        title = f"genes that differ most (of {len(found.genes):,}): absolute differences of values, means, sds"
        differences = [
            (gene.gene, "–" if gene.largest is None else f"{gene.largest:.4f}", f"{gene.mean:.4f}", f"{gene.sd:.4f}")
            for gene in worst
        ]
        console.print()
        print_table(console, ("gene", "largest", "mean", "sd"), differences, title=title)


def verdict_line(found: "Comparison") -> str:
    """The verdict with what differs, in one line."""
    judged = f" (without {', '.join(found.without)})" if found.without else ""
    differing = "; ".join(found.differing)
    return f"{found.verdict}{judged}" + (f": {differing}" if differing else "")


def _side(name: str) -> "Side":
    from gexbench.tasks.cards.published_card import PUBLISHED, read_card, read_published, side_of
    from gexbench.tasks.data_directory import load_cohort

    if name.startswith(PUBLISHED):
        return replace(read_published(name.removeprefix(PUBLISHED)), name=name)
    if name.endswith(".json"):
        return replace(read_card(Path(name)), name=Path(name).name)
    return replace(side_of(load_cohort(name)), name=name)

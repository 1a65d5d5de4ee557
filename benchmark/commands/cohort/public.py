"""`gexbench cohort build --from-public`: its options, and the cohort they ask for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gexbench.tasks.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from gexbench.tasks.cohorts.cohort import Cohort
    from gexbench.tasks.importing.building import Report, Sources
    from gexbench.tasks.public.selection import Selection


class SampleRule(StrEnum):
    """How many samples of a patient are kept."""

    one = "one"
    all = "all"


class Source(StrEnum):
    """What --download fetches."""

    xena = "xena"
    gdc = "gdc"


class SlideRule(StrEnum):
    """Which slides of a patient are kept."""

    all = "all"
    first = "first"


PANEL = "Public files (with --from-public)"
FromPublic = Annotated[
    Path | None,
    typer.Option(
        help="A folder with files of the GDC or UCSC Xena (expression, clinical) and slide features. What lies there "
        "is found out; --expression, --clinical and --patches then choose among several.",
        rich_help_panel=PANEL,
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="Rules and lists of a known cohort: `tcga` (the published leaderboards) or a .json file; options that are "
        "typed count before it.",
        rich_help_panel=PANEL,
    ),
]
Projects = Annotated[
    str | None, typer.Option(help="Projects, comma-separated, such as LUAD,BRCA.", rich_help_panel=PANEL)
]
SampleTypes = Annotated[
    str | None,
    typer.Option(
        help="Codes of TCGA sample types, the preferred first: 01 primary tumour (default), 06 metastasis, 11 normal "
        "tissue, …",
        rich_help_panel=PANEL,
    ),
]
Samples = Annotated[
    SampleRule | None,
    typer.Option(
        help="One sample per patient (default: the preferred type, then the lowest vial, portion, plate) or all, "
        "grouped by patient.",
        rich_help_panel=PANEL,
    ),
]
Genes = Annotated[
    str | None,
    typer.Option(
        help="A file (a gene per line, other names of it after tabs), protein-coding, top:N (highest variance over "
        "the training rows of fold 0), or protein-coding,top:N. Default: all.",
        rich_help_panel=PANEL,
    ),
]
Slides = Annotated[
    SlideRule | None,
    typer.Option(help="All diagnostic slides of a patient (default), or the first by name.", rich_help_panel=PANEL),
]
MostRegions = Annotated[
    int | None,
    typer.Option(min=1, help="Largest number of regions per patient, drawn at random.", rich_help_panel=PANEL),
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", help="Name of the slides' encoder, where the files do not say.", rich_help_panel=PANEL),
]
EncoderVersion = Annotated[str | None, typer.Option(help="Version of the slides' encoder.", rich_help_panel=PANEL)]
Download = Annotated[
    bool,
    typer.Option(
        "--download",
        help="Fetch expression and clinical tables of the projects into the folder first; goes on where it stopped. "
        "Slides are fetched by other means, see docs/cohorts/rebuilding-tcga.md.",
        rich_help_panel=PANEL,
    ),
]
SourceName = Annotated[
    Source | None,
    typer.Option(help="Where --download fetches from. Default: the recipe's, else gdc.", rich_help_panel=PANEL),
]
ONLY_PUBLIC = frozenset(
    (
        "download",
        "source",
        "recipe",
        "projects",
        "sample_types",
        "samples",
        "genes",
        "slides",
        "most_regions",
        "encoder",
        "encoder_version",
    )
)
"""Parameters of `build` that mean nothing without --from-public."""


@dataclass(frozen=True, slots=True)
class Given:
    """The options as typed, None where they were not."""

    folder: Path | None
    recipe: str | None
    projects: str | None
    sample_types: str | None
    samples: SampleRule | None
    genes: str | None
    slides: SlideRule | None
    most_regions: int | None
    encoder: str | None
    encoder_version: str | None
    download: bool = False
    source: Source | None = None


def selection_of(given: Given, sources: "Sources") -> "Selection":
    """The recipe's rules, those that were typed in their place.

    Raises:
        InputError: an unknown recipe, a gene rule that is none, an unknown sample type, a list of nothing.
    """
    from gexbench.tasks.importing.barcodes import checked_types
    from gexbench.tasks.public.selection import Selection, gene_rule, read_recipe

    types = listed(given.sample_types, "--sample-types")
    checked_types(types or (), "--sample-types")
    base = Selection() if given.recipe is None else read_recipe(given.recipe)
    typed: Mapping[str, Any] = {
        "projects": listed(given.projects, "--projects", "TCGA-"),
        "sample_types": types,
        "samples": given.samples and given.samples.value,
        "genes": None if given.genes is None else gene_rule(given.genes),
        "slides": given.slides and given.slides.value,
        "most_regions": given.most_regions,
        "labels": sources.labels,
        "unit": sources.unit,
        "source": given.source and given.source.value,
        "recipe": None if given.recipe is None else Path(given.recipe).name.removesuffix(".json"),
    }
    return replace(base, **{name: value for name, value in typed.items() if value is not None})


def built(given: Given, sources: "Sources", console: "Console", report: "Report") -> "Cohort":
    """The cohort of the folder; what was found in it is said."""
    from gexbench.tasks.public.build import PublicSources, build_public
    from gexbench.tasks.public.slides import Encoder

    encoder = Encoder(given.encoder, given.encoder_version)
    selection = selection_of(given, sources)
    folder = given.folder or Path()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    if given.download:
        from gexbench.tasks.public.sources import fetch_public

        fetched = fetch_public(folder, selection, report)
        say(f"fetched {fetched} files into {folder}")
    return build_public(PublicSources(folder, sources, selection, encoder), report, say)


def listed(text: str | None, option: str, prefix: str = "") -> tuple[str, ...] | None:
    """The names of a comma-separated list, None where it was not typed.

    Raises:
        InputError: a list of nothing.
    """
    if text is None:
        return None
    found = tuple(part.strip().removeprefix(prefix) for part in text.split(",") if part.strip())
    if not found:
        raise InputError(f"{option} {text!r}: names nothing; leave the option out for the default")
    return found

"""`gexbench cohort build --from-public`: its options, and the cohort they describe."""

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
        help="Folder with files from the GDC or UCSC Xena (expression, clinical) and slide features. File types are "
        "detected automatically; --expression, --clinical and --patches choose among several.",
        rich_help_panel=PANEL,
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="Rules of a known cohort: `tcga` (the published leaderboards) or a .json file. Options override it.",
        rich_help_panel=PANEL,
    ),
]
Projects = Annotated[
    str | None, typer.Option(help="Projects, comma-separated, for example LUAD,BRCA.", rich_help_panel=PANEL)
]
SampleTypes = Annotated[
    str | None,
    typer.Option(
        help="TCGA sample-type codes in order of preference: 01 primary tumour (default), 06 metastasis, 11 normal "
        "tissue, …",
        rich_help_panel=PANEL,
    ),
]
Samples = Annotated[
    SampleRule | None,
    typer.Option(
        help="One sample per patient (default; preferred type, then lowest vial, portion and plate) or all, "
        "grouped by patient.",
        rich_help_panel=PANEL,
    ),
]
Genes = Annotated[
    str | None,
    typer.Option(
        help="A file (one gene per line, synonyms after tabs), protein-coding, top:N (highest variance in the "
        "training samples of fold 0), or protein-coding,top:N. (default: all)",
        rich_help_panel=PANEL,
    ),
]
Slides = Annotated[
    SlideRule | None,
    typer.Option(
        help="All diagnostic slides of a patient (default), or only the first by name.", rich_help_panel=PANEL
    ),
]
MostRegions = Annotated[
    int | None,
    typer.Option(min=1, help="Maximum number of regions per patient, drawn at random.", rich_help_panel=PANEL),
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", help="Name of the slide encoder, if the files do not state it.", rich_help_panel=PANEL),
]
EncoderVersion = Annotated[str | None, typer.Option(help="Version of the slide encoder.", rich_help_panel=PANEL)]
Download = Annotated[
    bool,
    typer.Option(
        "--download",
        help="First download the projects' expression and clinical tables into the folder; resumes after an "
        "interruption. For slides, see the page on rebuilding TCGA.",
        rich_help_panel=PANEL,
    ),
]
SourceName = Annotated[
    Source | None,
    typer.Option(help="Source of --download. (default: the recipe's, or gdc)", rich_help_panel=PANEL),
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
"""Parameters of `build` that require --from-public."""


@dataclass(frozen=True, slots=True)
class Given:
    """The options as given, None where they were not."""

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
    """The recipe's rules, overridden by the options given.

    Raises:
        InputError: an unknown recipe, an invalid gene rule, an unknown sample type, an empty list.
    """
    from gexbench.tasks.importing.barcodes import checked_types
    from gexbench.tasks.importing.slide_rules import KINDS
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
        "slide_kinds": sources.slide_kinds if sources.slide_kinds != KINDS else None,
        "source": given.source and given.source.value,
        "recipe": None if given.recipe is None else Path(given.recipe).name.removesuffix(".json"),
    }
    return replace(base, **{name: value for name, value in typed.items() if value is not None})


def built(given: Given, sources: "Sources", console: "Console", report: "Report") -> "Cohort":
    """The cohort of the folder; reports what was found there."""
    from gexbench.tasks.public.build import PublicSources, build_public
    from gexbench.tasks.public.slides import Encoder

    encoder = Encoder(given.encoder, given.encoder_version)
    selection = selection_of(given, sources)
    folder = given.folder or Path()

    def say(line: str) -> None:
        console.print(line, markup=False, highlight=False)

    if given.download:
        from gexbench.tasks.public.sources import fetch_public

        fetched = fetch_public(folder, selection, report)
        say(f"downloaded {fetched} files to {folder}")
    return build_public(PublicSources(folder, sources, selection, encoder), report, say)


def listed(text: str | None, option: str, prefix: str = "") -> tuple[str, ...] | None:
    """The names of a comma-separated list, None if not given.

    Raises:
        InputError: an empty list.
    """
    if text is None:
        return None
    found = tuple(part.strip().removeprefix(prefix) for part in text.split(",") if part.strip())
    if not found:
        raise InputError(f"{option} {text!r}: is empty; leave the option out for the default")
    return found

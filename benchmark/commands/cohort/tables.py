"""Options of `gexbench cohort build` on how files are read, and what is done with copies, normal tissue and slides."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Scale(StrEnum):
    """Scale of the file's values."""

    linear = "linear"
    ln = "ln"
    log2 = "log2"
    log10 = "log10"


class Twins(StrEnum):
    """What to do with profiles that stand under several ids."""

    error = "error"
    drop = "drop"
    keep = "keep"


class Normals(StrEnum):
    """What to do with normal tissue among the tumours of a class."""

    drop = "drop"
    label = "label"
    keep = "keep"


TABLE = "How the table is read"
SAMPLES = "Samples and slides"
IdColumn = Annotated[
    str | None,
    typer.Option(help="Column with the sample ids. (default: the first that can be)", rich_help_panel=TABLE),
]
GeneColumn = Annotated[
    str | None,
    typer.Option(help="Column of var (or of a GCT file) with the gene symbols, such as feature_name.",
                 rich_help_panel=TABLE),
]  # fmt: skip
Ignore = Annotated[
    str | None,
    typer.Option(help="Columns that are neither genes nor clinical, comma-separated.", rich_help_panel=TABLE),
]
Transpose = Annotated[
    bool, typer.Option("--transpose", help="Rows are genes, columns are samples.", rich_help_panel=TABLE)
]
Layer = Annotated[str | None, typer.Option(help="AnnData layer to read instead of X.", rich_help_panel=TABLE)]
Raw = Annotated[bool, typer.Option("--raw", help="Read AnnData's raw instead of X.", rich_help_panel=TABLE)]
NaValues = Annotated[
    str | None,
    typer.Option(help="Clinical values that count as missing, comma-separated, such as None.", rich_help_panel=TABLE),
]
ScaleOption = Annotated[
    Scale | None,
    typer.Option("--scale", help="Scale of the file's values; they are converted to --unit.", rich_help_panel=TABLE),
]
Clip = Annotated[
    bool,
    typer.Option("--clip", help="Raise values below the unit's floor to it, and count them.", rich_help_panel=TABLE),
]
TwinsOption = Annotated[
    Twins,
    typer.Option("--twins", help="Equal profiles under different ids: stop, drop the copies, or keep them as one "
                 "patient.", rich_help_panel=SAMPLES),
]  # fmt: skip
NormalsOption = Annotated[
    Normals | None,
    typer.Option("--normals", help="Normal tissue that bears a tumour's label: drop it, label it apart, or keep the "
                 "labels. (default: stop)", rich_help_panel=SAMPLES),
]  # fmt: skip
SlideKinds = Annotated[
    str | None,
    typer.Option(help="Kinds of TCGA slides that count: DX diagnostic (default), TS and BS frozen, or all.",
                 rich_help_panel=SAMPLES),
]  # fmt: skip
SlidesTable = Annotated[
    Path | None,
    typer.Option(help="Table of slide and patient, for slides whose names do not state the patient.",
                 rich_help_panel=SAMPLES),
]  # fmt: skip

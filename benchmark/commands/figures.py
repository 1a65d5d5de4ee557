"""`gexbench figures`: figures of a leaderboard, and of kept rows beside real samples."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder
from gexbench.benchmark.sweeps.option import listed

if TYPE_CHECKING:
    from gexbench.leaderboards.comparing.table import Leaderboard
    from gexbench.leaderboards.figures.catalogue import Drawing
    from gexbench.leaderboards.records import Record

EPILOG = """[bold]Examples[/bold]\n
gexbench figures simulated-quick\n
gexbench figures leaderboards/published/tcga/v3 --out paper --formats pdf,png\n
gexbench figures simulated-quick --only overall,scores\n
gexbench figures simulated-quick --rows cvae,gemm-gan --fold 0     PCA and gene-gene correlations of kept rows
"""


def figures(
    name: Annotated[
        str, typer.Argument(help="Name of a leaderboard in the results folder, or a folder with records/.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder. (default: figures/ in the leaderboard's folder)", file_okay=False),
    ] = None,
    formats: Annotated[str, typer.Option(help="Comma-separated: svg, png, pdf.")] = "svg,png",
    only: Annotated[
        str, typer.Option(help="Figures to draw, comma-separated; `training` draws training curves. (default: all)")
    ] = "",
    rows: Annotated[
        str, typer.Option(help="Rows of the leaderboard whose samples are also drawn, comma-separated.")
    ] = "",
    fold: Annotated[int | None, typer.Option(help="Fold for --rows. (default: the leaderboard's first)", min=0)] = None,
    cohort: Annotated[str | None, typer.Option(help="Cohort for --rows. (default: the cohort of the records)")] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Draw all figures that the records support, each with a caption file, and list those left out.

    Figures of --rows show samples of real patients: check the cohort's terms of use before sharing them.
    """
    from gexbench.leaderboards.comparing.table import leaderboard
    from gexbench.leaderboards.figures.catalogue import FIGURES, drawings
    from gexbench.leaderboards.figures.writing import FORMATS
    from gexbench.leaderboards.publishing.folders import SUMS
    from gexbench.leaderboards.records import RecordError, read_records
    from gexbench.tasks.errors import InputError

    console, folder = options.console(), leaderboard_folder(results, name)
    kinds = options.chosen(formats, FORMATS, "format") or ("svg",)
    names = options.chosen(only, [*(kind.name for kind in FIGURES), "training"], "figure")
    if (folder if out is None else out).joinpath(SUMS).is_file():
        problem = f"{folder if out is None else out} is published and never changes; name another folder"
        raise typer.BadParameter(problem, param_hint="--out")
    try:
        records = read_records(folder / "records")
        board = leaderboard(records)
    except RecordError as error:
        raise InputError(error.problems) from None
    drawn, left_out = drawings(board, records, names)
    if not names or "training" in names:
        try:
            more, lacking = _of_trainings(board, folder, records)
        except RecordError as error:
            raise InputError(error.problems) from None
        drawn, left_out = drawn + more, left_out + lacking
    if rows:
        drawn += _of_rows(board, records, listed(rows), fold, cohort, results)
    target = folder / "figures" if out is None else out
    written = _write(console, drawn, target, kinds)
    for text in left_out:
        console.print(f"left out: {text}", markup=False)
    shown = f"{written} figures ({', '.join(kinds)}), each with its caption (.txt): {target}"
    console.print(shown if written else f"no figures: the records in {folder} support none", soft_wrap=True)


def _of_trainings(board: "Leaderboard", folder: Path, records: "Sequence[Record]") -> "tuple[list[Drawing], list[str]]":
    from functools import partial

    from gexbench.leaderboards.figures.catalogue import TRAINING_CAPTION, Drawing, caption_of
    from gexbench.leaderboards.figures.curves import training_figure
    from gexbench.leaderboards.records.logs import read_logs

    drawn = [
        Drawing(f"training/{_file_name(row)}", partial(training_figure, log, row), caption_of(text, board.header))
        for row, log in read_logs(folder, records).items()
        for text in [TRAINING_CAPTION.format(generator=row)]
    ]
    return drawn, [] if drawn else ["training: no training logs found; `gexbench run` writes them"]


def _of_rows(
    board: "Leaderboard",
    records: "Sequence[Record]",
    names: Sequence[str],
    fold: int | None,
    cohort: str | None,
    results: Path,
) -> "list[Drawing]":
    from functools import partial

    from gexbench.benchmark.cells.kept_rows import matched_rows, record_with_rows
    from gexbench.benchmark.storage.store import Store
    from gexbench.leaderboards.figures.catalogue import CORRELATION_CAPTION, PCA_CAPTION, Drawing, caption_of
    from gexbench.leaderboards.figures.rows import gene_correlations, principal_components
    from gexbench.tasks.data_directory import load_cohort

    at = board.header.folds[0] if fold is None else fold
    chosen = [record_with_rows(records, name, at) for name in names]
    loaded, store = load_cohort(cohort or board.header.cohort), Store(results / "store")
    drawn: list[Drawing] = []
    for name, record in zip(names, chosen, strict=True):
        found, file = matched_rows(record, store, loaded), f"{_file_name(name)}-fold-{at}"
        pca = partial(principal_components, found.real, found.synthetic, found.labels, name)
        correlations = partial(gene_correlations, found.real, found.synthetic, name)
        for kind, draw, text in (("pca", pca, PCA_CAPTION), ("correlations", correlations, CORRELATION_CAPTION)):
            drawn.append(Drawing(f"{kind}-{file}", draw, caption_of(text.format(generator=name), board.header, at)))
    return drawn


def _write(console: Any, drawn: "Sequence[Drawing]", target: Path, formats: Sequence[str]) -> int:
    from rich.progress import track

    from gexbench.leaderboards.figures.writing import write_figure, write_file

    for drawing in track(drawn, "drawing", console=console, transient=True):
        write_figure(drawing.draw(), target, drawing.name, formats)
        write_file(target / f"{drawing.name}.txt", f"{drawing.caption}\n".encode())
    return len(drawn)


def _file_name(row: str) -> str:
    return re.sub(r"[^a-z0-9._@-]", "_", row)

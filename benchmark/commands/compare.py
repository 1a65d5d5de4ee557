"""`gexbench compare`: two leaderboards, or two rows of one, fold by fold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.commands.options import DEFAULT_RESULTS, Results, leaderboard_folder
from gexbench.benchmark.commands.terminal.tables import print_table
from gexbench.benchmark.sweeps.option import listed

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from gexbench.leaderboards.comparing.comparison import Comparison
    from gexbench.tasks.panel.protocols import Protocol

EPILOG = """[bold]Examples[/bold]\n
gexbench compare simulated-quick --generators my-model,class-gaussian     two rows of one leaderboard, every metric\n
gexbench compare leaderboards/published/tcga/v2 leaderboards/published/tcga/v3     what changed\n
gexbench compare v2 v3 --generators cvae --csv differences.csv
"""


def compare(
    first: Annotated[str, typer.Argument(help="Name of a leaderboard in the results folder, or its folder.")],
    second: Annotated[str | None, typer.Argument(help="Second leaderboard, of the same cohort and folds.")] = None,
    generators: Annotated[
        str,
        typer.Option(help="With one leaderboard: the two rows to compare. With two: rows to show metric by metric."),
    ] = "",
    csv: Annotated[Path | None, typer.Option(help="Write all differences to this file.", dir_okay=False)] = None,
    results: Results = DEFAULT_RESULTS,
) -> None:
    """Compare two leaderboards, or two rows of one, by paired differences over folds with 95 % intervals.

    Differences are FIRST - SECOND, in the overall score, the families and the metrics; p-values are Holm-corrected over
    the rows of a measure. Cells that only one side has are listed and left out.
    """
    from gexbench.leaderboards.comparing.comparison import compare_generators, compare_leaderboards
    from gexbench.leaderboards.formatting import csv_text
    from gexbench.leaderboards.records import RecordError, read_records
    from gexbench.tasks.errors import InputError
    from gexbench.tasks.files.atomic import write_text

    rows, console = listed(generators), options.console()
    folders = [leaderboard_folder(results, name) for name in (first, second) if name is not None]
    if second is None and len(rows) != 2:
        raise InputError("give two leaderboards, or one with --generators A,B")
    if csv is not None and not csv.parent.is_dir():
        raise InputError(f"--csv {csv}: its folder does not exist; create it first")
    try:
        sides = [read_records(folder / "records") for folder in folders]
        if second is None:
            found, names = compare_generators(sides[0], rows[0], rows[1]), rows
        else:
            found, names = compare_leaderboards(sides[0], sides[1], rows), _names(first, second)
    except RecordError as error:
        raise InputError(error.problems) from None
    _show(console, found, names, overview=second is not None and not rows)
    if csv is not None:
        texts = {name: found.rows[name].map(csv_text) for name in ("generator", "against")}
        write_text(csv, found.rows.assign(**texts).to_csv(index=False))
        console.print(f"all differences: {csv}", markup=False, soft_wrap=True)
    else:
        console.print("nothing written; --csv FILE saves all differences", markup=False)


def _names(first: str, second: str) -> tuple[str, str]:
    """The shortest differing ends of two paths."""
    one, other = (Path(name).parts for name in (first, second))
    for length in range(1, max(len(one), len(other))):
        if one[-length:] != other[-length:]:
            return "/".join(one[-length:]), "/".join(other[-length:])
    return first, second


def _show(console: "Console", found: "Comparison", names: tuple[str, ...], overview: bool) -> None:
    first, second = names
    if overview:
        equal = _equal(found.rows)
        changed = found.rows[~found.rows["generator"].isin(equal)]
        if not changed.empty:
            _show_overview(console, changed, names)
        if equal:
            said = f"\nequal in every score and metric ({len(equal)} rows): {', '.join(equal)}"
            console.print(said, markup=False)
    else:
        for (generator, against), rows in found.rows.groupby(["generator", "against"], sort=False):
            title = f"{generator}: {first} and {second}" if generator == against else f"{generator} and {against}"
            lines = [
                (_measure(found.protocol, row.measure, row.kind), *_numbers(row), str(row.folds))
                for row in rows.itertuples()
            ]
            heads = ("measure", first, second, "difference (95 %)", "p", "folds")
            print_table(console, heads, lines, title=title, groups=(["measure"], ["difference (95 %)"], ["p"]))
    folds = ", ".join(map(str, found.folds)) or "none"
    console.print(f"\nfolds: {folds}; differences: {first} - {second}, paired by fold", markup=False)
    for side, places in ((first, found.first_only), (second, found.second_only)):
        if places:
            more = f" and {len(places) - 6} more" if len(places) > 6 else ""
            console.print(f"only in {side} ({len(places)} cells): {'; '.join(places[:6])}{more}", markup=False)
    for remark in found.remarks:
        console.print(f"note: {remark}", markup=False)


def _show_overview(console: "Console", rows: "pd.DataFrame", names: tuple[str, ...]) -> None:
    """For every row, both overall scores, their difference, and the differences of the families."""
    from gexbench.leaderboards.formatting import with_interval

    scores = rows[rows["kind"] != "metric"]
    families = [name for name in scores["measure"].unique() if name != "overall"]
    lines = []
    for generator, of_row in scores.groupby("generator", sort=False):
        by_measure = {row.measure: row for row in of_row.itertuples()}
        overall = by_measure.get("overall")
        cells = _numbers(overall) if overall is not None else ["–"] * 4
        shown = [by_measure.get(name) for name in families]
        more = ["–" if row is None else with_interval(row.difference, row.half_width, 3) for row in shown]
        lines.append((str(generator), *cells, *more))
    heads = ("generator", *names, "overall (95 %)", "p", *families)
    print_table(console, heads, lines, groups=(["generator"], ["overall (95 %)"], ["p"], names))


def _equal(rows: "pd.DataFrame") -> list[str]:
    """Rows whose measures all have the same value in every fold on both sides."""
    here = rows["first"].notna() | rows["second"].notna()
    differs = here & ~((rows["difference"] == 0) & ~(rows["half_width"] > 0))
    changed = set(rows.loc[differs, "generator"])
    return [str(name) for name in dict.fromkeys(rows["generator"]) if name not in changed]


def _measure(protocol: "Protocol", name: str, kind: str) -> str:
    from gexbench.leaderboards.formatting import arrow

    return f"{name} {arrow(protocol.lookup(name))}" if kind == "metric" else f"{name} ↑"


def _numbers(row: Any) -> list[str]:
    """First, second, difference with its interval, p: as text."""
    from gexbench.leaderboards.formatting import decimals, number, p_text, with_interval

    first, second, difference, half, p = (
        float(getattr(row, name)) for name in ("first", "second", "difference", "half_width", "p_holm")
    )
    places = decimals((first, second))
    return [number(first, places), number(second, places), with_interval(difference, half, places), p_text(p)]

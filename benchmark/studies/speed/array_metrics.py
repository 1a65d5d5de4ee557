"""How time and memory of the array metrics grow with rows and genes.

Where a metric is over a limit, larger sizes of it on the same axis are marked so without a run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from gexbench.benchmark.commands import options
from gexbench.benchmark.studies.speed.array_metrics_page import NAME, write_page
from gexbench.benchmark.studies.speed.array_metrics_point import METRICS
from gexbench.benchmark.studies.speed.points import Limits, Measured, checked, measure_points, run_point, sizes_of
from gexbench.tasks.errors import InputError
from gexbench.tasks.names import unknown

Axis = Literal["rows", "genes"]
ROWS, GENES = "1000,3000,10000,30000,100000", "500,1000,2000,5000,10000,20000"
FIXED_GENES, FIXED_ROWS = 50, 800
MODULE = "gexbench.benchmark.studies.speed.array_metrics_point"
EXAMPLES = (
    "--out docs/metrics/speed",
    "--rows 1000,10000 --genes 500,5000 --limit 60",
    "--genes '' --metric MMD --metric energy",
)


@dataclass(frozen=True, slots=True)
class Point:
    """A metric at a size: rows × genes of the real and of the synthetic side; axis: which of them grows."""

    metric: str
    axis: Axis
    rows: int
    genes: int

    def __str__(self) -> str:
        return f"{self.metric}, {self.rows:,} rows, {self.genes:,} genes"


def plan(rows: Sequence[int], genes: Sequence[int], metrics: Iterable[str]) -> list[Point]:
    """All points, by size, so that a stopped run leaves the small ones of every metric."""
    points = [Point(name, "rows", size, FIXED_GENES) for name in metrics for size in rows]
    points += [Point(name, "genes", FIXED_ROWS, size) for name in metrics for size in genes]
    return sorted(points, key=lambda point: point.rows * max(point.rows, point.genes))


def measure(limits: Limits, point: Point, known: Sequence[Measured[Point]]) -> Measured[Point]:
    """The result of a point, without a run where a smaller size of its metric and axis was over a limit."""
    for result in known:
        at = result.point
        smaller = (at.metric, at.axis) == (point.metric, point.axis) and at.rows * at.genes < point.rows * point.genes
        if smaller and result.state.startswith("over"):
            return replace(result, point=point, memory_bytes=None, limit_s=limits.seconds, limit_bytes=limits.bytes)
    return run_point(point, MODULE, (point.metric, point.rows, point.genes), limits)


def main(
    rows: Annotated[str, typer.Option(help=f"Numbers of rows, each at {FIXED_GENES} genes or components.")] = ROWS,
    genes: Annotated[str, typer.Option(help=f"Numbers of genes, each at {FIXED_ROWS} rows.")] = GENES,
    metric: Annotated[list[str] | None, typer.Option(help=f"Of: {'; '.join(METRICS)}. (default: all)")] = None,
    limit: Annotated[float, typer.Option(help="CPU-seconds per point, start included.")] = 120.0,
    memory: Annotated[float, typer.Option(help="GB of resident memory per point.")] = 8.0,
    out: Annotated[Path, typer.Option(help="Folder of the table, the page and its figure.", file_okay=False)] = (
        Path(NAME)
    ),
) -> None:
    """Measure how time and memory of the array metrics grow with rows and genes.

    Each point runs in a process of its own. Points in the table are skipped, so the same command resumes; a point over
    a limit is measured again only under a larger one.
    """
    limits, of_rows, of_genes, names = checked(
        lambda: Limits.of(limit, memory, "cpu"),
        lambda: sizes_of("--rows", rows, 10),
        lambda: sizes_of("--genes", genes, 2),
        lambda: _known(metric or list(METRICS)),
    )
    out.mkdir(parents=True, exist_ok=True)
    points, table = plan(of_rows, of_genes, names), out / f"{NAME}.csv"
    rows_of_table = measure_points(points, table, limits, partial(measure, limits), options.console())
    print(f"result: {write_page(out, rows_of_table)}")


def _known(names: list[str]) -> list[str]:
    problems = [str(unknown(name, METRICS, "metric")) for name in names if name not in METRICS]
    if problems:
        raise InputError(problems)
    return names

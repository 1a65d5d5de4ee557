"""Table and figure of the growth of the metrics; see ``array_metrics``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from gexbench.benchmark.studies.speed.page import digits, machine_text, write_svg
from gexbench.leaderboards.figures.style import COLOURS, INK, drawn
from gexbench.leaderboards.formatting import markdown_table
from gexbench.metrics.shared.row_samples import MOST_ROWS
from gexbench.tasks.files.atomic import write_text

_COLOURS, _MARKERS = COLOURS[:-1], "os^Dv<>pPh*"

NAME = "metric-speed"
INTRODUCTION = f"""# Speed and memory of the array metrics

For users who call metrics on their own arrays, and for developers: time and memory against samples and genes.
`python -m gexbench.benchmark.studies array-metrics --out docs/metrics/speed` measures them and writes this page.

Seconds are wall-clock time, with CPU-seconds in brackets. Memory is the growth of peak resident memory beyond the
loaded data. Each point is one run in its own process on normally distributed data, with as many real as synthetic
samples. The tables over samples use 50 genes (the number of components of the support metrics), because correlations
and Fréchet are quadratic or cubic in the genes. The tables over genes use 800 samples, the test set of the published
cohort. `support` keeps the radii of the real side, as the panel does; `prdc` computes both sides and holds all
distances at once. Wall-clock time includes waiting for other work on the machine; CPU-seconds do not.

The functions use all samples they are given. A panel compares at most {MOST_ROWS:,} samples of either side (a seeded
subsample of more, stated in the record), so larger sizes concern only direct calls of the functions.

"""


def write_page(folder: Path, results: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``metric-speed.md`` and ``metric-speed.svg`` from rows of ``points.Measured``; the page."""
    table = pd.DataFrame(results)
    write_svg(growth_figure(table), folder, NAME)
    write_text(folder / f"{NAME}.md", markdown(table))
    return folder / f"{NAME}.md"


def markdown(table: pd.DataFrame) -> str:
    """The page: hardware, limits, the figure, a table per axis."""
    parts = [
        f"Measured on {machine_text()}.\n"
        "A point that exceeds its limit of CPU-seconds or of resident memory (start-up and data included) is stopped\n"
        "and shown with the limit and the memory used by then; larger points of that metric are not started.",
        f"![Seconds and memory against rows and genes]({NAME}.svg)",
    ]
    for axis, fixed in (("rows", "50 genes"), ("genes", "800 rows")):
        part = table[table.axis == axis]
        if not part.empty:
            parts += [f"## {axis.capitalize()}, at {fixed}", _growth_table(part, axis)]
    return INTRODUCTION + "\n\n".join(parts) + "\n"


def _growth_table(part: pd.DataFrame, axis: str) -> str:
    sizes = sorted(part[axis].unique())
    lines = []
    for metric in part.metric.unique():
        cells = part[part.metric == metric].set_index(axis)
        lines.append([metric, *(_cell(cells.loc[size]) if size in cells.index else "not measured" for size in sizes)])
    return markdown_table(["metric", *(f"{size:,}" for size in sizes)], lines, 1)


def _cell(point: "pd.Series[Any]") -> str:
    if point.state == "failed":
        return "failed"
    if point.state != "done":
        reached = f"{point.limit_s:.0f} CPU-s" if point.state == "over time" else f"{point.limit_bytes / 1e9:.0f} GB"
        memory = "" if pd.isna(point.memory_bytes) else f", {point.memory_bytes / 1e6:.0f} MB"
        return f"over the limit of {reached}{memory}"
    return f"{digits(point.seconds, 2)} s ({digits(point.cpu_seconds, 2)}), {point.memory_bytes / 1e6:.0f} MB"


def growth_figure(table: pd.DataFrame) -> Figure:
    """CPU-seconds (above) and memory in MB (below) against rows (left) and genes (right), both axes logarithmic."""
    done = table[table.state == "done"].assign(memory=lambda rows: (rows.memory_bytes / 1e6).clip(lower=1.0))
    looks = {name: _look(at, name) for at, name in enumerate(table.metric.unique())}
    with drawn(2, 2, width=10, height=6.5, grid="both", sharex="col", sharey="row") as (figure, axes):
        for column, axis in enumerate(("rows", "genes")):
            for row, (value, label) in enumerate((("cpu_seconds", "CPU-seconds"), ("memory", "memory growth, MB"))):
                plot = axes[2 * row + column]
                for name, look in looks.items():
                    mine = done[(done.axis == axis) & (done.metric == name)].sort_values(axis)
                    plot.plot(mine[axis], mine[value], label=name, markersize=4.5, linewidth=1.2, **look)
                plot.set(xscale="log", yscale="log", xlabel=f"{axis}" if row else "", ylabel="" if column else label)
        axes[0].set_title("50 genes", loc="left")
        axes[1].set_title("800 rows", loc="left")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right center", frameon=False)
    return figure


def _look(at: int, name: str) -> dict[str, Any]:
    """Colour, marker and line of the metric at a place: colours repeat with another marker and a broken line."""
    if name.startswith("prdc"):
        return {"color": INK, "marker": "X", "linestyle": ":"}
    lap, place = divmod(at, len(_COLOURS))
    return {"color": _COLOURS[place], "marker": _MARKERS[at % len(_MARKERS)], "linestyle": ("-", "--", "-.")[lap % 3]}

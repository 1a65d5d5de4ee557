"""Table and figure of the growth of the metrics; see ``growth``."""

import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import psutil
from matplotlib.figure import Figure

from gexbench.benchmark.machine.environment import hardware
from gexbench.leaderboards.figures.style import COLOURS, INK, drawn
from gexbench.metrics.shared.row_samples import MOST_ROWS
from gexbench.tasks.files.atomic import write_bytes, write_text

_COLOURS, _MARKERS = COLOURS[:-1], "os^Dv<>pPh*"

INTRODUCTION = f"""# Speed and memory of the array metrics

For users who call metrics on their own arrays, and for developers: time and memory against samples and genes.

Seconds are wall-clock time, with CPU-seconds in brackets. Memory is the growth of peak resident memory beyond the
loaded data. Each point is one run in its own process on normally distributed data, with as many real as synthetic
samples. The tables over samples use 50 genes (the number of components of the support metrics), because correlations
and Fréchet are quadratic or cubic in the genes. The tables over genes use 800 samples, the test set of the published
cohort. `support` keeps the radii of the real side, as the panel does; `prdc` computes both sides and holds all
distances at once. Wall-clock time includes waiting for other work on the machine; CPU-seconds do not.

The functions use all samples they are given. A panel compares at most {MOST_ROWS:,} samples of either side (a seeded
subsample of more, stated in the record), so larger sizes concern only direct calls of the functions.

"""


def write_report(folder: Path, results: Sequence[Mapping[str, Any]]) -> None:
    """Write ``metric-speed.md`` and ``metric-speed.svg`` from rows of ``growth.Result``'s fields."""
    table = pd.DataFrame(results)
    # A fixed salt and no date: the same results give the same file.
    with mpl.rc_context({"svg.hashsalt": "metric-speed", "svg.fonttype": "none"}):
        drawing = io.BytesIO()
        growth_figure(table).savefig(drawing, format="svg", metadata={"Date": None})
    write_bytes(folder / "metric-speed.svg", drawing.getvalue())
    write_text(folder / "metric-speed.md", markdown(table))
    for name in ("metric-speed.svg", "metric-speed.md", "metric-speed.csv"):
        if (folder / name).exists():
            (folder / name).chmod(0o644)


def markdown(table: pd.DataFrame) -> str:
    """The page: hardware, limits, the figure, a table per axis."""
    machine = hardware()
    threads = os.environ.get("OMP_NUM_THREADS", "the library's default")
    memory = machine["memory_bytes"] / 2**30
    lines = [
        f"Measured on {machine['processor']}, {machine['cores']} cores{_pinned(machine['cores'])}, {memory:.0f} GiB; "
        f"OMP_NUM_THREADS: {threads}.",
        "A point that exceeds its limit of CPU-seconds or of resident memory (start-up and data included) is stopped\n"
        "and shown with the limit and the memory used by then; larger points of that metric are not started.",
        "",
        "![Seconds and memory against rows and genes](metric-speed.svg)",
    ]
    for axis, fixed in (("rows", "50 genes"), ("genes", "800 rows")):
        part = table[table.axis == axis]
        if part.empty:
            continue
        sizes = sorted(part[axis].unique())
        lines += ["", f"## {axis.capitalize()}, at {fixed}", ""]
        lines.append("| metric | " + " | ".join(f"{size:,}" for size in sizes) + " |")
        lines.append("|---|" + "---:|" * len(sizes))
        for metric in part.metric.unique():
            cells = part[part.metric == metric].set_index(axis)
            shown = [_cell(cells.loc[size]) if size in cells.index else "not measured" for size in sizes]
            lines.append(f"| {metric} | " + " | ".join(shown) + " |")
    return INTRODUCTION + "\n".join(lines) + "\n"


def _pinned(cores: int) -> str:
    """Words for a process that may use fewer cores than there are; none where the system does not tell."""
    process = psutil.Process()
    allowed = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else cores
    return f" (pinned to {allowed})" if allowed < cores else ""


def _cell(point: "pd.Series[Any]") -> str:
    if point.state == "failed":
        return "failed"
    if point.state != "done":
        reached = f"{point.limit_s:.0f} CPU-s" if point.state == "over time" else f"{point.limit_bytes / 1e9:.0f} GB"
        memory = "" if pd.isna(point.memory_bytes) else f", {point.memory_bytes / 1e6:.0f} MB"
        return f"over the limit of {reached}{memory}"
    return f"{_two_digits(point.seconds)} s ({_two_digits(point.cpu_seconds)}), {point.memory_bytes / 1e6:.0f} MB"


def _two_digits(value: float) -> str:
    return f"{value:.{max(0, 1 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


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

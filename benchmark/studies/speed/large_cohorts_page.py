"""Page and figure of the measurements at scale; see ``large_cohorts``."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from gexbench.benchmark.studies.speed.page import machine_text, write_svg
from gexbench.leaderboards.formatting import markdown_table
from gexbench.tasks.files.atomic import write_text

NAME = "scale"
AXES = ("patients", "genes", "patches")
GOAL = (10_000, 20_000, 256)
LINES = {
    "training": (("step_cpu_s", "step of GeMM-GAN"), ("epoch_warm_cpu_s", "data path of an epoch, warm"),
                 ("epoch_cold_cpu_s", "data path of an epoch, cold")),
    "panel": (("prepare_cpu_s", "shared work of a fold"), ("panel_cpu_s", "core panel of a generator")),
}  # fmt: skip
INTRODUCTION = """# Training and scoring at scale

For users with large cohorts: time and memory of a training step, of data loading and of scoring.

Measured on generated cohorts by `python -m gexbench.benchmark.studies large-cohorts`. Patches are float16 of width
1,024 and stay in the cohort's file; each batch is read when it is needed. A step is one of GeMM-GAN's at budget
`full`: critic updates, each on a fresh mini-batch, and one generator update. The data path of an epoch reads every
training patient's patches and tokens once, in mini-batches, without computing anything: from disk (cold) and from the
system's cache (warm). The share is the time to read a step's mini-batches relative to the time of the step:
wall-clock time if cold, which includes waiting for the disk and for other work, and CPU-seconds if warm. Memory is
the growth of peak resident memory of the process, or the largest resident memory of a part that was stopped. Seconds
are CPU-seconds over all threads, with wall-clock seconds in brackets.

Large inputs are subsampled with seed 0: set metrics and the copy gate use at most 10,000 samples, detection at most
2 · 10⁷ values of each side, classifiers are fitted on about 4 · 10⁷ values (2,000 samples of 20,000 genes) and boosted
trees on about 3 · 10⁸ values × classes (470 samples of 20,000 genes and 32 classes). No cohort of the published
leaderboards reaches these sizes. Any subsampling is stated in the record and in a note under the table. Correlations of
more than 5,000 genes are computed in blocks.

"""


def write_page(folder: Path, results: Sequence[Mapping[str, Any]]) -> Path:
    """Write ``scale.md`` and ``scale.svg`` from rows of ``points.Measured``; the page."""
    if _grown(results):
        write_svg(scale_figure(results), folder, NAME)
    write_text(folder / f"{NAME}.md", markdown(results))
    return folder / f"{NAME}.md"


def _grown(results: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a size on one of the axes was measured, so that there is something to draw."""
    return any(row["state"] == "done" and row["axis"] in AXES for row in results)


def markdown(results: Sequence[Mapping[str, Any]]) -> str:
    """The page: hardware, figure, one table of training and one of the core panel, and what was stopped."""
    parts = [f"Measured on {machine_text()}."]
    if _grown(results):
        parts.append(f"![Time and memory against patients, genes and patches]({NAME}.svg)")
    for part, header, cells in (("training", _TRAINING, _training_cells), ("panel", _PANEL, _panel_cells)):
        by_size = {_size(row): row for row in results if row["part"] == part}  # the axes meet in one point
        mine = [by_size[size] for size in sorted(by_size)]
        if mine:
            parts += [f"## {part.capitalize()}", _table(mine, header, cells)]
        if part == "training":
            parts += _data_path(mine)
    return INTRODUCTION + "\n\n".join([*parts, *_slowest(results), *_not_measured(results)]) + "\n"


def _table(
    rows: Sequence[Mapping[str, Any]], header: Sequence[str], cells: Callable[[Mapping[str, Any]], list[str]]
) -> str:
    lines = []
    for row in rows:
        if row["state"] == "done":
            found = cells(json.loads(row["figures"]))
        else:
            found = [_stopped(row), *[""] * (len(header) - 2)]
        lines.append([*(f"{row[name]:,}" for name in AXES), *found, f"{(row['memory_bytes'] or 0) / 1e9:.2f}"])
    return markdown_table((*AXES, *header), lines, 0)


def _data_path(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Says how the data path compares with a step: of a step's mini-batches everywhere, of an epoch at the largest."""
    done = [(row, json.loads(row["figures"])) for row in rows if row["state"] == "done"]
    if not done:
        return []
    cold, warm = (100 * max(found[name] for _, found in done) for name in ("share_cold", "share_warm"))
    row, found = done[-1]
    size = f"{row['patients']:,} patients, {row['genes']:,} genes and {row['patches']:,} patches"
    return [
        f"The data path takes at most {cold:.2g} % of a step cold and {warm:.2g} % warm; the target is a third. "
        f"At {size} the data path of the whole epoch takes {found['epoch_warm_cpu_s']:.3g} CPU-seconds warm and "
        f"{found['epoch_cold_cpu_s']:.3g} cold; one step takes {found['step_cpu_s']:.3g}.",
    ]


def _not_measured(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Says which part lacks the goal."""
    lacking = [
        part
        for part in LINES
        if not any(_size(row) == GOAL and row["part"] == part and row["state"] == "done" for row in results)
    ]
    if not lacking:
        return []
    goal = f"{GOAL[0]:,} patients, {GOAL[1]:,} genes and {GOAL[2]:,} patches"
    return [f"**Not completed here**, at {goal}: {' and '.join(lacking)}. Option `--full` measures it."]


_TRAINING = ("patches, GB", "read, s", "step, s", "epoch cold, s", "epoch warm, s", "share cold", "share warm",
             "threads", "memory, GB")  # fmt: skip
_PANEL = ("shared work, s", "core panel, s", "threads", "memory, GB")


def _size(row: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(row[name] for name in AXES)


def _training_cells(found: Mapping[str, Any]) -> list[str]:
    times = [f"({found['read_s']:.3g})"]
    times += [
        f"{found[f'{name}_cpu_s']:.3g} ({found[f'{name}_s']:.3g})" for name in ("step", "epoch_cold", "epoch_warm")
    ]
    shares = [f"{100 * found[name]:.2g} %" for name in ("share_cold", "share_warm")]
    return [f"{found['patch_bytes'] / 1e9:.2f}", *times, *shares, str(found["threads"])]


def _panel_cells(found: Mapping[str, Any]) -> list[str]:
    times = [f"{found[f'{name}_cpu_s']:.3g} ({found[f'{name}_s']:.3g})" for name in ("prepare", "panel")]
    return [*times, str(found["threads"])]


def _stopped(row: Mapping[str, Any]) -> str:
    limit = {"over time": f" of {row['limit_s']:.0f} s", "over memory": f" of {row['limit_bytes'] / 1e9:.0f} GB"}
    return f"{row['state']}{limit.get(row['state'], '')}; reached: {row['reached']}"


def _slowest(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """The five dearest steps of the largest panel that was done, and what was sampled there."""
    done = [row for row in results if row["part"] == "panel" and row["state"] == "done"]
    if not done:
        return []
    largest = max(done, key=lambda row: row["patients"] * row["genes"])
    found = json.loads(largest["figures"])
    steps = sorted(found["cpu_seconds_by_step"].items(), key=lambda item: -item[1])[:5]
    shown = ", ".join(f"{name} {spent:.3g}" for name, spent in steps)
    size = f"{largest['patients']:,} patients and {largest['genes']:,} genes"
    text = f"The most expensive steps at {size}, in CPU-seconds: {shown}."
    return [text + (f"\nSubsampled there: {'; '.join(found['notes'])}." if found["notes"] else "")]


def scale_figure(results: Sequence[Mapping[str, Any]]) -> Figure:
    """Seconds (above) and memory in GB (below) against patients, genes and patches; both axes logarithmic."""
    done = [row for row in results if row["state"] == "done"]
    with sns.axes_style("whitegrid"), sns.plotting_context("paper"):
        figure = Figure(figsize=(10, 6), layout="constrained")
        axes = figure.subplots(2, 3, sharex="col", sharey="row")
        colours = iter(sns.color_palette("colorblind", 7))
        for part, named in LINES.items():
            table = pd.DataFrame([{**row, **json.loads(row["figures"])} for row in done if row["part"] == part])
            for name, label in named:
                _draw(axes[0], table, name, label, next(colours))
            _draw(axes[1], table, "memory_bytes", part, next(colours), 1e-9)
        for column, axis in enumerate(AXES):
            axes[0, column].set(xscale="log", yscale="log", title=axis)
            axes[1, column].set(xscale="log", yscale="log", xlabel=axis)
            sizes = sorted({row[axis] for row in done if row["axis"] == axis})
            axes[1, column].set_xticks(sizes, [f"{size:,}" for size in sizes])
            axes[1, column].xaxis.set_minor_locator(NullLocator())
        axes[0, 0].set_ylabel("CPU-seconds")
        axes[1, 0].set_ylabel("memory, GB")
        for row in (0, 1):
            handles, labels = axes[row, 0].get_legend_handles_labels()
            if handles:
                axes[row, 2].legend(handles, labels, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _draw(axes: Any, table: pd.DataFrame, name: str, label: str, colour: Any, factor: float = 1.0) -> None:
    for plot, axis in zip(axes, AXES, strict=True):
        mine = table[table["axis"] == axis].sort_values(axis) if len(table) else table
        if len(mine):
            plot.plot(mine[axis], mine[name] * factor, marker="o", markersize=3, color=colour, label=label)
        elif axis == AXES[0] and len(table):
            plot.plot([], [], marker="o", markersize=3, color=colour, label=label)

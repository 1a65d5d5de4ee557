"""Parts of the pages on speed: the machine, numbers, and a figure that the same results draw alike."""

import math
import os
from pathlib import Path

import matplotlib as mpl
import psutil
from matplotlib.figure import Figure

from gexbench.benchmark.machine.environment import hardware
from gexbench.leaderboards.figures.writing import write_figure
from gexbench.leaderboards.formatting import NOTHING


def machine_text() -> str:
    """Processor, cores, those of them that this process may use, memory, and the threads of the libraries."""
    machine, process = hardware(), psutil.Process()
    cores = machine["cores"]
    allowed = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else cores
    pinned = f" (pinned to {allowed})" if allowed < cores else ""
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    memory = machine["memory_bytes"] / 2**30
    return f"{machine['processor']}, {cores} cores{pinned}, {memory:.0f} GiB; OMP_NUM_THREADS: {threads}"


def digits(value: float, count: int = 3) -> str:
    """So many significant digits, and all before the decimal point; a dash for none."""
    if not math.isfinite(value):
        return NOTHING
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(0, count - 1 - size)}f}"


def write_svg(figure: Figure, folder: Path, name: str) -> None:
    """Write `NAME.svg` with its text as text, which keeps it small."""
    with mpl.rc_context({"svg.fonttype": "none"}):
        write_figure(figure, folder, name, ("svg",))

"""Figures as files: the same frame gives the same bytes."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from gexbench.tasks.files.atomic import write_bytes

FORMATS = ("svg", "png", "pdf")
DOTS_PER_INCH = 200
_SALT = "gexbench"
_METADATA: Mapping[str, Mapping[str, str | None]] = {
    "svg": {"Date": None},
    "png": {"Software": None},
    "pdf": {"CreationDate": None},
}
"""Format → metadata that would differ from run to run, left out."""


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """The figure as `svg`, `png` (200 dots per inch) or `pdf`, without dates and with fixed identifiers."""
    content = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": _SALT, "savefig.facecolor": "white"}):
        figure.savefig(content, format=kind, dpi=DOTS_PER_INCH, metadata=dict(_METADATA[kind]))
    return content.getvalue()


def write_figure(figure: Figure, folder: Path, name: str, formats: Sequence[str]) -> list[Path]:
    """Write `NAME.FORMAT` for every format, each at once or not at all."""
    return [write_file(folder / f"{name}.{kind}", figure_bytes(figure, kind)) for kind in formats]


def write_file(path: Path, content: bytes) -> Path:
    """Write a file into a folder that is made where it is not there, at once or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, content)
    return path

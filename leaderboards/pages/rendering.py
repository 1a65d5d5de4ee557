"""A leaderboard as files."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.formatting import csv_text
from gexbench.leaderboards.pages.html import to_html
from gexbench.leaderboards.pages.latex import to_latex
from gexbench.leaderboards.pages.markdown import to_markdown
from gexbench.leaderboards.records import Record
from gexbench.leaderboards.statistics import FloatArray
from gexbench.tasks.files.atomic import write_bytes
from gexbench.tasks.panel.protocols import Protocol

__all__ = ["DEFAULT_FORMATS", "FORMATS", "to_csv", "to_html", "to_latex", "to_markdown", "to_parquet", "wide", "write"]

FORMATS = ("md", "csv", "html", "parquet", "tex")
DEFAULT_FORMATS = ("md", "csv", "html")
"""Formats that runs and reports write, and that published leaderboards hold."""


def write(
    board: Leaderboard,
    folder: Path,
    records: Sequence[Record] = (),
    formats: Sequence[str] = DEFAULT_FORMATS,
    logs: Mapping[str, pd.DataFrame] | None = None,
) -> list[Path]:
    """Write `leaderboard.FORMAT` for every format, each at once or not at all.

    Args:
        board: made from the records.
        folder: made where it is not there.
        records: for what a row of the page says when it is opened; without them no page is written.
        formats: of `FORMATS`.
        logs: training logs by row, as `read_logs` gives them, for the training curves of the page.

    Returns:
        The files.

    Raises:
        KeyError: a format that is not there; nothing is written.
    """
    makers: dict[str, Callable[[], bytes]] = {
        "md": lambda: to_markdown(board).encode(),
        "csv": lambda: to_csv(board).encode(),
        "html": lambda: to_html(board, records, logs).encode(),
        "parquet": lambda: to_parquet(board),
        "tex": lambda: to_latex(board).encode(),
    }
    chosen = {name: makers[name] for name in dict.fromkeys(formats) if name != "html" or records}
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, made in chosen.items():
        written.append(folder / f"leaderboard.{name}")
        write_bytes(written[-1], made())
    return written


def to_csv(board: Leaderboard) -> str:
    """`wide` as CSV: nine significant digits, empty where there is no value, no cell that reads as a formula."""
    frame = wide(board)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([csv_text(column) for column in frame.columns])
    for row in frame.itertuples(index=False, name=None):
        writer.writerow([_csv_cell(value) for value in row])
    return out.getvalue()


def to_parquet(board: Leaderboard) -> bytes:
    """`wide` as Parquet: numbers as they are, missing values as null; the same records give the same bytes."""
    out = io.BytesIO()
    wide(board).to_parquet(out, index=False)
    return out.getvalue()


def wide(board: Leaderboard) -> pd.DataFrame:
    """One row per generator in table order: standing, scores, every metric's mean and half-width, cost, origin."""
    metrics: dict[str, FloatArray] = {}
    for key in dict.fromkeys(board.metrics["key"]):
        mine = board.metrics[board.metrics["key"] == key].set_index("generator").loc[board.rows["generator"]]
        name = _with_unit(board.protocol, str(key))
        metrics |= {f"{name}_mean": mine["value"].to_numpy(), f"{name}_half_width": mine["half_width"].to_numpy()}
        if mine["score"].notna().any():
            metrics[f"{key}_score_mean"] = mine["score"].to_numpy()
    scores = board.rows.drop(columns=["conditional_skill", "conditional_skill_half_width", "copy_share", "notes"])
    names = ["overall", *board.families]
    scores = scores.rename(
        columns={name: f"{name}_score_mean" for name in names}
        | {f"{name}_half_width": f"{name}_score_half_width" for name in names}
        | {"with_leader": "not_separable_from_leader"}
    )
    texts = ["; ".join(board.notes[int(at) - 1] for at in marks.split(", ") if at) for marks in board.rows["notes"]]
    settings = board.settings.set_index("generator").loc[board.rows["generator"]].reset_index(drop=True)
    header = board.header
    origin = {
        "cohort": header.cohort,
        "fingerprint": header.fingerprint,
        "track": header.track,
        "budget": header.budget,
        "panel": header.panel,
        "folds": " ".join(map(str, header.folds)),
    }
    frames = [scores, pd.DataFrame(metrics), board.resources.drop(columns="generator"), settings]
    return pd.concat([*frames, pd.DataFrame({"notes": texts})], axis=1).assign(**origin)


def _with_unit(protocol: Protocol, key: str) -> str:
    unit: str = protocol.lookup(key).unit
    return key if unit == "1" else f"{key}_in_{unit.replace(' ', '_')}"


def _csv_cell(value: object) -> str:
    if value is None or value is pd.NA:
        return ""
    if isinstance(value, str):
        return csv_text(value)
    if isinstance(value, float):
        text: str = "" if math.isnan(value) else f"{value:.9g}"
        return text
    return str(value)

"""Sections of the leaderboard in Markdown that older records do not fill."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from gexbench.leaderboards.comparing.anchors import TITLES
from gexbench.leaderboards.formatting import (
    NOTHING,
    arrow,
    markdown_table,
    markdown_text,
    number,
    p_text,
    starred,
    with_interval,
)
from gexbench.tasks.panel.protocols import Protocol


def patient_level_table(protocol: Protocol, frame: pd.DataFrame) -> str:
    """Patient-level comparisons: a line per pair, a column per measure; see `patient_comparisons`."""
    measures = list(dict.fromkeys(frame["measure"]))
    at = {(row["measure"], row["generator"], row["role"]): row for row in frame.to_dict("records")}
    lines = []
    for pair in frame[["generator", "against", "role"]].drop_duplicates().itertuples():
        found = [at.get((measure, pair.generator, pair.role)) for measure in measures]
        lines.append([f"{markdown_text(pair.generator)} - {markdown_text(pair.against)}"])
        lines[-1] += [NOTHING if row is None else starred(_between(row), row["p_holm"]) for row in found]
    heads = [f"{markdown_text(measure)} {arrow(protocol.lookup(measure))}" for measure in measures]
    return markdown_table(["difference", *heads], lines, text_columns=1)


def _between(row: Mapping[Hashable, Any]) -> str:
    """Difference, the ends of its interval and the adjusted p of a patient-level comparison."""
    ends = f"{number(row['low'], 4)} to {number(row['high'], 4)}"
    return f"{number(row['difference'], 4)} ({ends}; p {p_text(row['p_holm'], row.get('bounded', False))})"


def anchor_table(protocol: Protocol, frame: pd.DataFrame) -> str:
    """Ceilings and floors of the downstream tasks: a line per metric; see `anchor_rows`."""
    lines = [
        [
            f"{markdown_text(str(row['key']))} {arrow(protocol.lookup(str(row['key'])))}".strip(),
            *(with_interval(row[name], row[f"{name}_half_width"], 3) for name in TITLES),
        ]
        for row in frame.to_dict("records")
    ]
    return markdown_table(["metric", *TITLES.values()], lines, text_columns=1)

"""The leaderboard as Markdown."""

import re
from collections.abc import Iterable, Sequence

import pandas as pd

from gexbench.leaderboards import bootstrap
from gexbench.leaderboards.anchors import LEGEND as ANCHOR_LEGEND
from gexbench.leaderboards.formatting import (
    NOTHING,
    arrow,
    decimals,
    markdown_table,
    markdown_text,
    mebibytes,
    number,
    p_text,
    percent,
    starred,
    with_interval,
)
from gexbench.leaderboards.markdown_sections import anchor_table, patient_level_table
from gexbench.leaderboards.notes import shortened
from gexbench.leaderboards.ranking import OVERALL
from gexbench.leaderboards.scarce import LEGEND as SCARCE_LEGEND
from gexbench.leaderboards.scarce import MEASURES as SCARCE_MEASURES
from gexbench.leaderboards.scarce import REAL_ONLY
from gexbench.leaderboards.table import BELOW, COPIES, REFERENCE, SKILL, Leaderboard
from gexbench.metrics.catalogue import lookup, split_key

KEY_METRICS = (
    "tstr_lr_accuracy",
    "recall_genes",
    "frechet",
    "correlation_mse",
    "variance_ratio",
    "detection_xgb",
)
"""Metrics shown beside the scores in the main table; of a metric per label, the finest label."""

ABLATION_METRICS = ("tstr_lr_accuracy", "recall_genes", "coverage_genes", "detection_xgb", "conditional_skill")
"""Metrics shown for the ablations; all others are in `Leaderboard.ablations`."""

_ABLATION_LEGEND = (
    "Fold-paired differences with 95 % intervals; * p < .05, adjusted by Holm over the rows of a column. A negative "
    "difference in detection AUC is an improvement."
)

WIDEST = 6
OPTIONAL = ("conditional skill ↑", "mean rank ↓", "win rate ↑")
"""Columns that are left out where no row has a value."""

SHORT = {
    "tstr_lr_accuracy": "TSTR accuracy (LR)",
    "recall_genes": "recall",
    "frechet": "Fréchet",
    "correlation_mse": "C.MSE",
    "variance_ratio": "variance ratio",
    "detection_xgb": "detection AUC (XGB)",
    "coverage_genes": "coverage",
    "conditional_skill": "conditional skill",
}


def to_markdown(board: Leaderboard) -> str:
    """The whole leaderboard; the same records give the same bytes."""
    parts = [_header(board), _main_table(board), _legend(board), _notes(board)]
    if not board.comparisons.empty:
        parts += ["## Planned comparisons", _comparisons(board), _comparison_legend(board)]
    if not board.patient_level.empty:
        frame = board.patient_level
        parts += [f"## {bootstrap.title(frame)}", patient_level_table(frame), bootstrap.legend(frame)]
    if not board.ablations.empty:
        parts += ["## What conditions and parts add", ablation_table(board), _ABLATION_LEGEND]
    if not board.scarce.empty:
        parts += ["## Generators fitted on few patients", _scarce(board), SCARCE_LEGEND]
    for family in dict.fromkeys(board.metrics["family"]):
        parts += [f"## {str(family).capitalize()}", *_family_tables(board, str(family))]
        if family == "utility" and not board.anchors.empty:
            parts += ["### Ceilings and floors", anchor_table(board.anchors), ANCHOR_LEGEND]
    parts += ["## Cost", _resources(board), "## Settings", _settings(board)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(board: Leaderboard) -> str:
    header = board.header
    rows = _range(header.test)
    facts = [
        f"cohort {markdown_text(header.cohort)}: {header.samples:,} samples, {header.genes:,} genes, "
        f"unit {markdown_text(header.unit)}, labels {', '.join(map(markdown_text, header.label_columns))}",
        f"fingerprint `{_code(header.fingerprint)}`",
        f"budget {markdown_text(header.budget)}, panel {markdown_text(header.panel)}, "
        f"device {_listed(header.devices)}, threads per cell {_listed(header.threads)}",
        f"track {markdown_text(header.track)}, folds {_listed(header.folds)} ({_range(header.train)} training and "
        f"{rows} test samples), training seeds per fold {_range(header.seeds)}",
        f"gexbench {_listed(header.suites)}; {_listed(header.processors)}",
    ]
    if header.left_out:
        facts.append(f"classes left out of every generator's fold: {_listed(header.left_out)}")
    title = f"# Leaderboard: {markdown_text(header.cohort)}, budget {markdown_text(header.budget)}"
    note = [f"**Note:** {markdown_text(header.note)}"] if header.note else []
    return "\n\n".join([title, *note, "\n".join(f"- {fact}" for fact in facts)])


def _main_table(board: Leaderboard) -> str:
    rows = board.rows
    keys = _keys_of(board, KEY_METRICS)
    heads = ["rank", "generator", "overall ↑", "≈ leader", *(f"{family} ↑" for family in board.families)]
    heads += [f"{SHORT[split_key(key)[0]]} {arrow(lookup(key))}".strip() for key in keys]
    heads += ["conditional skill ↑", "copies", "mean rank ↓", "win rate ↑", "fit (CPU s)"]
    columns: list[list[str]] = [
        [_rank(value) for value in rows["rank"]],
        [_named(row.generator, row.standing, row.notes) for row in rows.itertuples()],
        [with_interval(row.overall, row.overall_half_width, 3) for row in rows.itertuples()],
        ["●" if flag else "" for flag in rows["with_leader"]],
        *([number(value, 3) for value in rows[family]] for family in board.families),
        *(_values(board, key, interval=False) for key in keys),
        [number(value, 3) for value in rows[SKILL]],
        [percent(value) for value in rows[COPIES]],
        [number(value, 1) for value in rows["mean_rank"]],
        [number(value, 2) for value in rows["win_rate"]],
        [number(value, 1) for value in board.resources["fit_cpu_s"]],
    ]
    kept = [at for at, column in enumerate(columns) if heads[at] not in OPTIONAL or set(column) != {NOTHING}]
    heads = [heads[at] for at in kept]
    lines = [list(line) for line in zip(*(columns[at] for at in kept), strict=True)]
    below = [at for at, kind in enumerate(rows["standing"]) if kind == BELOW]
    if below:
        lines.insert(below[0], ["", "**below the line**: copies of rows that the fit saw", *[""] * (len(heads) - 2)])
    return markdown_table(heads, lines, text_columns=2)


def _legend(board: Leaderboard) -> str:
    references = (board.rows["standing"] == REFERENCE).any()
    sentences = [
        "Scores run from 0 (floor: a trivial reference, the majority class, AUC 1) to 1 (ceiling: real rows, TRTR, "
        "AUC ½); overall is the mean over families of the mean score.",
        "± is the half-width of the 95 % interval over folds, corrected for shared training patients "
        "(Nadeau & Bengio 2003).",
        "↑ higher is better, ↓ lower is better, → as close as possible to real-holdout's value.",
        "● every cell finished and not separable from the leader (Holm-adjusted p ≥ .05). Mean rank: over metrics "
        "and folds by score; win rate: over opponents and folds by overall score; both among ranked generators.",
        "Conditional skill: 1 - CRPS / CRPS of training draws of the same label, beside the overall score. Copies: "
        "share of rows that the copy gate (5 %) takes for copies of training or validation rows.",
    ]
    if references:
        sentences.append("References are in italics, stand where they would rank, and take no rank.")
    return " ".join(sentences)


def _notes(board: Leaderboard) -> str:
    lines = [f"- \\[{place}\\] {markdown_text(text)}" for place, text in enumerate(board.notes, start=1)]
    lines += [f"- {markdown_text(text)}" for text in board.remarks]
    if not board.absent.empty:
        lines.append("- Not available here, not ranked:")
        lines += [
            f"  - {markdown_text(row.generator)}: {markdown_text(row.reason)}" for row in board.absent.itertuples()
        ]
    return "\n".join(lines)


def _comparisons(board: Leaderboard) -> str:
    frame = board.comparisons
    measures = (OVERALL, *board.families)
    pairs = frame[["generator", "against", "role"]].drop_duplicates()
    lines = []
    for pair in pairs.itertuples():
        mine = frame[(frame["generator"] == pair.generator) & (frame["role"] == pair.role)].set_index("measure")
        cells = [f"{markdown_text(pair.generator)} - {markdown_text(pair.against)}"]
        for measure in measures:
            row = mine.loc[measure]
            text = with_interval(row["difference"], row["half_width"], 3)
            cells.append(f"{text} (p {p_text(row['p_holm'])})" if measure == OVERALL else starred(text, row["p_holm"]))
        lines.append(cells)
    return markdown_table(["difference", *measures], lines, text_columns=1)


def ablation_table(board: Leaderboard) -> str:
    """The ablations as a table: the overall score and `ABLATION_METRICS`, of a metric per label the finest label."""
    frame = board.ablations
    keys = [OVERALL, *_keys_of(board, ABLATION_METRICS)]
    lines = []
    for pair in frame[["question", "generator", "against"]].drop_duplicates().itertuples():
        mine = frame[(frame["generator"] == pair.generator) & (frame["against"] == pair.against)].set_index("measure")
        cells = [pair.question, f"{markdown_text(pair.generator)} - {markdown_text(pair.against)}"]
        for key in keys:
            row = mine.loc[key]
            cells.append(starred(with_interval(row["difference"], row["half_width"], 3), row["p_holm"]))
        lines.append(cells)
    heads = ["what is added", "difference"]
    heads += ["overall ↑", *(f"{SHORT.get(split_key(key)[0], key)} {arrow(lookup(key))}".strip() for key in keys[1:])]
    return markdown_table(heads, lines, text_columns=2)


def _scarce(board: Leaderboard) -> str:
    named = {REAL_ONLY: "real rows alone ↑", "scarce_accuracy": "with synthetic rows ↑", "scarce_gain": "gain ↑"}
    shown = (REAL_ONLY, *SCARCE_MEASURES)
    heads = ["generator", "share", "training samples", "cells"]
    heads += [named.get(name) or f"{SHORT[name]} {arrow(lookup(name))}".strip() for name in shown]
    lines = [
        [
            markdown_text(row["generator"]),
            percent(row["train_fraction"]),
            number(row["samples"], 0),
            f"{row['cells_ok']}/{row['cells']}",
            *(with_interval(row[name], row[f"{name}_half_width"], 3) for name in shown),
        ]
        for row in board.scarce.to_dict("records")
    ]
    notes = [
        f"- {markdown_text(row['generator'])}, {percent(row['train_fraction'])}: "
        f"{markdown_text(shortened(row['notes']))}"
        for row in board.scarce.to_dict("records")
        if row["notes"]
    ]
    return "\n\n".join([markdown_table(heads, lines, text_columns=1), *(["\n".join(notes)] if notes else [])])


def _comparison_legend(board: Leaderboard) -> str:
    tuned = "; tuned rows also against the default" if (board.comparisons["role"] == "default").any() else ""
    return (
        "Fold-paired differences of scores with 95 % intervals: every ranked generator against class-gaussian and "
        f"against the leader{tuned}. p and * (p < .05) are adjusted by Holm over all comparisons of a column. The "
        "leader was chosen on the same folds."
    )


def _family_tables(board: Leaderboard, family: str) -> list[str]:
    """A family's raw values in tables of at most `WIDEST` metrics, about equally wide, and what they are."""
    keys = list(dict.fromkeys(board.metrics.loc[board.metrics["family"] == family, "key"]))
    width = -(-len(keys) // -(-len(keys) // WIDEST))
    tables = []
    for start in range(0, len(keys), width):
        part = keys[start : start + width]
        heads = ["generator", *(f"{markdown_text(key)} {arrow(lookup(key))}".strip() for key in part)]
        names = [_named(row.generator, row.standing, "") for row in board.rows.itertuples()]
        columns = [names, *(_values(board, key, interval=True) for key in part)]
        tables.append(markdown_table(heads, [list(line) for line in zip(*columns, strict=True)], text_columns=1))
    units = {key: lookup(key).unit for key in keys if lookup(key).unit != "1"}
    titles = dict.fromkeys(f"{split_key(key)[0]}: {lookup(key).title}" for key in keys)
    tables.append("\n".join(f"- {markdown_text(title)}" for title in titles))
    if units:
        tables.append(
            "Units: " + ", ".join(f"{markdown_text(k)} in {markdown_text(u)}" for k, u in units.items()) + "."
        )
    return tables


def _resources(board: Leaderboard) -> str:
    frame = board.resources
    heads = ["generator", "cells", "fit (CPU s)", "fit (s)", "sample (CPU s)", "sample (s)", "score (CPU s)"]
    heads += ["score (s)", "peak memory, host (MiB)", "peak memory, device (MiB)"]
    phases = [f"{phase}_{kind}_s" for phase in ("fit", "sample", "score") for kind in ("cpu", "wall")]
    columns = [
        [_named(row.generator, row.standing, "") for row in board.rows.itertuples()],
        [f"{row.cells_ok}/{row.cells}" for row in frame.itertuples()],
        *([number(value, 2) for value in frame[phase]] for phase in phases),
        [mebibytes(value) for value in frame["peak_host_memory_bytes"]],
        [mebibytes(value) for value in frame["peak_device_memory_bytes"]],
    ]
    table = markdown_table(heads, [list(line) for line in zip(*columns, strict=True)], text_columns=1)
    return f"{table}\n\nMeans over finished cells; memory: the largest."


def _settings(board: Leaderboard) -> str:
    lines = []
    for row in board.settings.itertuples():
        seen = f"conditions {markdown_text(row.conditions)}" if row.conditions else "no conditions"
        settings = f": {markdown_text(row.settings)}" if row.settings else ""
        lines.append(f"- {markdown_text(row.generator)} version {markdown_text(row.version)} ({seen}){settings}")
    return "\n".join(lines)


def _keys_of(board: Leaderboard, names: Iterable[str]) -> list[str]:
    """The keys of these metrics that the table has; of a metric per label, the finest label."""
    keys = dict.fromkeys(board.metrics["key"])
    found = (next((key for key in keys if split_key(key)[0] == name), None) for name in names)
    return [key for key in found if key is not None]


def _values(board: Leaderboard, key: str, interval: bool) -> list[str]:
    mine = board.metrics[board.metrics["key"] == key].set_index("generator").loc[board.rows["generator"]]
    places = decimals(mine["value"])
    if not interval:
        return [number(value, places) for value in mine["value"]]
    return [with_interval(row.value, row.half_width, places) for row in mine.itertuples()]


def _rank(rank: object) -> str:
    return NOTHING if pd.isna(rank) else str(rank)


def _named(name: str, standing: str, notes: str) -> str:
    text = markdown_text(name)
    shown = f"*{text}*" if standing == REFERENCE else text
    return f"{shown} \\[{notes}\\]" if notes else shown


def _code(text: str) -> str:
    return re.sub(r"[^\w:.-]", "", text)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(markdown_text(str(value)) for value in values)


def _range(values: Sequence[int]) -> str:
    low, high = min(values, default=0), max(values, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"

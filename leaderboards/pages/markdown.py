"""The leaderboard as Markdown."""

import re
from collections.abc import Iterable, Sequence

from gexbench.leaderboards.comparing import bootstrap
from gexbench.leaderboards.comparing.anchors import LEGEND as ANCHOR_LEGEND
from gexbench.leaderboards.comparing.gates import COPIES
from gexbench.leaderboards.comparing.judging import BELOW, REFERENCE
from gexbench.leaderboards.comparing.notes import shortened
from gexbench.leaderboards.comparing.ranking import OVERALL
from gexbench.leaderboards.comparing.scarce import LEGEND as SCARCE_LEGEND
from gexbench.leaderboards.comparing.scarce import MEASURES as SCARCE_MEASURES
from gexbench.leaderboards.comparing.scarce import REAL_ONLY
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.formatting import (
    arrow,
    markdown_table,
    markdown_text,
    mebibytes,
    number,
    p_text,
    percent,
    starred,
    with_interval,
)
from gexbench.leaderboards.pages.main_table import GENERATOR, ablation_rows, headed, main_columns, values_of
from gexbench.leaderboards.pages.markdown_sections import anchor_table, patient_level_table
from gexbench.leaderboards.pages.words import below_the_line, first_legend, legend, resolution
from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.protocols import FIRST

_ABLATION_LEGEND = (
    "Fold-paired differences with 95 % intervals; * p < .05, adjusted by Holm over the rows of a column. A negative "
    "difference in detection AUC is an improvement."
)

WIDEST = 6


def to_markdown(board: Leaderboard) -> str:
    """The whole leaderboard; the same records give the same bytes."""
    parts = [_header(board), _main_table(board), resolution(board), _legend(board), _notes(board)]
    if not board.comparisons.empty:
        parts += ["## Planned comparisons", _comparisons(board), _comparison_legend(board)]
    if not board.patient_level.empty:
        frame, protocol = board.patient_level, board.protocol
        parts += [f"## {bootstrap.title(frame)}", patient_level_table(protocol, frame)]
        parts.append(bootstrap.legend(frame, protocol.resamples))
    if not board.ablations.empty:
        parts += ["## What conditions and parts add", ablation_table(board), _ABLATION_LEGEND]
    if not board.scarce.empty:
        parts += ["## Generators fitted on few patients", _scarce(board), SCARCE_LEGEND]
    for family in dict.fromkeys(board.metrics["family"]):
        parts += [f"## {str(family).capitalize()}", *_family_tables(board, str(family))]
        if family == "utility" and not board.anchors.empty:
            parts += ["### Ceilings and floors", anchor_table(board.protocol, board.anchors), ANCHOR_LEGEND]
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
    if board.protocol is not FIRST:
        facts.insert(2, f"protocol {board.protocol.number}")
    if header.left_out:
        facts.append(f"classes left out of every generator's fold: {_listed(header.left_out)}")
    title = f"# Leaderboard: {markdown_text(header.cohort)}, budget {markdown_text(header.budget)}"
    note = [f"**Note:** {markdown_text(header.note)}"] if header.note else []
    return "\n\n".join([title, *note, "\n".join(f"- {fact}" for fact in facts)])


def _main_table(board: Leaderboard) -> str:
    rows = board.rows
    columns = main_columns(board)
    columns[GENERATOR] = [_named(row.generator, row.standing, row.notes) for row in rows.itertuples()]
    lines = [list(line) for line in zip(*columns.values(), strict=True)]
    below = [at for at, kind in enumerate(rows["standing"]) if kind == BELOW]
    if below:
        lines.insert(below[0], ["", f"**below the line**: {below_the_line(board)}", *[""] * (len(columns) - 2)])
    return markdown_table(list(columns), lines, text_columns=2)


def _legend(board: Leaderboard) -> str:
    if board.protocol is not FIRST:
        return " ".join(f"{head} {text}" for head, text in legend(board))
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
        f"{first_legend(board)}",
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
    """The ablations as a table: see `ablation_rows`."""
    measures, differences = ablation_rows(board)
    lines = [
        [
            row.question,
            f"{markdown_text(row.generator)} - {markdown_text(row.against)}",
            *(starred(text, p) for text, p in row.cells),
        ]
        for row in differences
    ]
    return markdown_table(["what is added", "difference", *measures], lines, text_columns=2)


def _scarce(board: Leaderboard) -> str:
    named = {REAL_ONLY: "real rows alone ↑", "scarce_accuracy": "with synthetic rows ↑", "scarce_gain": "gain ↑"}
    shown = (REAL_ONLY, *SCARCE_MEASURES)
    heads = ["generator", "share", "training samples", "cells"]
    heads += [named.get(name) or headed(board.protocol, name) for name in shown]
    heads.append("copies")
    lines = [
        [
            markdown_text(row["generator"]),
            percent(row["train_fraction"]),
            number(row["samples"], 0),
            f"{row['cells_ok']}/{row['cells']}",
            *(with_interval(row[name], row[f"{name}_half_width"], 3) for name in shown),
            number(row[COPIES], 3),
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
    lookup = board.protocol.lookup
    width = -(-len(keys) // -(-len(keys) // WIDEST))
    tables = []
    for start in range(0, len(keys), width):
        part = keys[start : start + width]
        heads = ["generator", *(f"{markdown_text(key)} {arrow(lookup(key))}".strip() for key in part)]
        names = [_named(row.generator, row.standing, "") for row in board.rows.itertuples()]
        columns = [names, *(values_of(board, key, interval=True) for key in part)]
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

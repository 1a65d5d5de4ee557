"""The main table of the page: one row per generator, every score, metric and cost as a column of a group."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import pandas as pd

from gexbench.leaderboards.comparing.gates import COPIES
from gexbench.leaderboards.comparing.judging import BELOW, REFERENCE
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.formatting import NOTHING, arrow, decimals, mebibytes, number
from gexbench.leaderboards.pages.html_labels import label_of
from gexbench.leaderboards.pages.html_markup import Attribute, Markup, element, interval_bar, joined
from gexbench.leaderboards.pages.main_table import gate_cells, shown_keys, with_marks
from gexbench.leaderboards.pages.words import below_the_line
from gexbench.leaderboards.statistics import FloatArray
from gexbench.tasks.panel.protocols import FIRST

SHADES = 8
OVERALL_WIDTH = 140
"""Pixels of the intervals of the overall score."""

_HEAD_CLASSES = {"with_leader": ("mark-cell",), "overall": ("overall",)}


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column after rank and generator; texts and values stand in table order.

    Attributes:
        frame, name: where the page's data hold its values: `rows`, `metrics` or `resources`, and the name there.
        group: title of the columns that fold together.
        label, detail: what the head says, the second smaller.
        way: arrow of the direction, shown beside the label.
        title: what it is, in a sentence.
        folds: whether it hides when its group is folded.
        best: `high`, `low`, `match` (by score) or nothing: what sorting puts first.
        texts, halves: value and half-width as text.
        scores: normalised scores for the shading, NaN where there is none.
        score_texts, score_halves: the score in place of the value, where it has one.
    """

    frame: str
    name: str
    group: str
    label: str
    way: str
    detail: str
    title: str
    folds: bool
    best: str
    texts: Sequence[str]
    halves: Sequence[str] = ()
    scores: FloatArray | None = None
    score_texts: Sequence[str] = ()
    score_halves: Sequence[str] = ()


def board_table(board: Leaderboard) -> Markup:
    """The whole main table, complete without any script."""
    columns = list(board_columns(board))
    rows = board.rows
    bodies = []
    for kind, at in groupby(range(len(rows)), key=lambda number: rows["standing"].iloc[number] == BELOW):
        lines = [_row(board, columns, number) for number in at]
        if kind:
            text = f"Below the line: {below_the_line(board)}. No rank."
            line = element("th", element("span", text), colspan=len(columns) + 2, scope="rowgroup")
            lines.insert(0, element("tr", line, class_="line"))
        bodies.append(element("tbody", *lines, class_="below" if kind else None))
    caption = element("caption", f"{len(rows)} generators, best overall score first", class_="unseen")
    return element("table", caption, _head(columns), *bodies, id="board")


def board_columns(board: Leaderboard) -> Iterator[Column]:
    """Scores, then every family with its metrics, then the cost."""
    yield _overall(board)
    yield _leader(board)
    for name, label, best, title in (
        ("mean_rank", "mean rank", "low", "Mean rank over metrics and folds, among ranked generators"),
        ("win_rate", "win rate", "high", "Share of opponents and folds with a lower overall score"),
    ):
        places = 1 if name == "mean_rank" else 2
        texts = [number(value, places) for value in board.rows[name]]
        way = "↓" if best == "low" else "↑"
        yield Column("rows", name, "overall", label, way, "", title, True, best, texts)
    for family in dict.fromkeys([*board.families, *board.metrics["family"]]):
        yield from _family(board, str(family))
    yield from _costs(board)


def _overall(board: Leaderboard) -> Column:
    rows = board.rows
    title = "Mean over families of the mean score; 0 = floor, 1 = ceiling"
    return _scores("overall", "overall", "overall", title, rows["overall"], rows["overall_half_width"])


def _scores(name: str, group: str, label: str, title: str, values: pd.Series, half_widths: pd.Series) -> Column:
    scores = values.to_numpy(dtype=float)
    texts, halves = [number(value, 3) for value in scores], [number(value, 3) for value in half_widths]
    return Column("rows", name, group, label, "↑", "", title, False, "high", texts, halves, scores)


def _leader(board: Leaderboard) -> Column:
    title = "Every cell finished and not separable from the leader, Holm-adjusted p ≥ .05"
    texts = ["●" if flag else "" for flag in board.rows["with_leader"]]
    return Column("rows", "with_leader", "overall", "≈ leader", "", "", title, False, "high", texts)


def _family(board: Leaderboard, family: str) -> Iterator[Column]:
    rows = board.rows
    if family in board.families:
        title = f"Mean score of the family {family}"
        yield _scores(family, family, "score", title, rows[family], rows[f"{family}_half_width"])
    if family == "privacy":
        yield from _gates(board)
    keys = dict.fromkeys(board.metrics.loc[board.metrics["family"] == family, "key"])
    shown = shown_keys(board, "main")  # stay visible when their family is folded
    for key in keys:
        yield _metric(board, str(key), key not in shown)


def _metric(board: Leaderboard, key: str, folds: bool) -> Column:
    spec = board.protocol.lookup(key)
    mine = board.metrics[board.metrics["key"] == key].set_index("generator").loc[board.rows["generator"]]
    label, detail = label_of(board.protocol, key)
    places = decimals(mine["value"])
    scores = mine["score"].to_numpy(dtype=float)
    scored = bool(np.isfinite(scores).any())
    best = {"higher": "high", "skill": "high", "lower": "low", "match": "match" if scored else ""}.get(spec.goal, "")
    return Column(
        frame="metrics",
        name=key,
        group=str(spec.family),
        label=label,
        way=arrow(spec),
        detail=detail,
        title=f"{key}: {spec.title}" + ("" if spec.unit == "1" else f" ({spec.unit})"),
        folds=folds,
        best=best,
        texts=with_marks(board, [number(value, places) for value in mine["value"]]),
        halves=[number(value, places) for value in mine["half_width"]],
        scores=scores if scored else None,
        score_texts=[number(value, 3) for value in scores] if scored else (),
        score_halves=[number(value, 3) for value in mine["score_half_width"]] if scored else (),
    )


def _gates(board: Leaderboard) -> Iterator[Column]:
    """The figure of every gate, with its mark; of protocol 1 the share of copies."""
    first = "Share of rows that the copy gate takes for copies of training or validation rows"
    for head, texts in gate_cells(board).items():
        gate = head.removesuffix(" AUC")
        title = first if board.protocol is FIRST else f"Figure of the gate {gate}; ✗ failed, ? too few patients to tell"
        name = COPIES if board.protocol is FIRST else f"gate_{gate.replace(' ', '_')}"
        yield Column("rows", name, "privacy", head, "", "", title, False, "low", texts)


def _costs(board: Leaderboard) -> Iterator[Column]:
    frame = board.resources
    for phase in ("fit", "sample", "score"):
        for kind, unit in (("cpu", "CPU s"), ("wall", "s")):
            name = f"{phase}_{kind}_s"
            places = 1 if name == "fit_cpu_s" else 2
            texts = [number(value, places) for value in frame[name]]
            title = f"Mean {'CPU' if kind == 'cpu' else 'wall-clock'} seconds to {phase}, over finished cells"
            yield Column("resources", name, "cost", phase, "", unit, title, name != "fit_cpu_s", "low", texts)
    for side in ("host", "device"):
        name = f"peak_{side}_memory_bytes"
        texts = [mebibytes(value) for value in frame[name]]
        title = f"Largest peak memory of the {side} in a finished cell"
        yield Column("resources", name, "cost", f"{side} memory", "", "MiB", title, True, "low", texts)
    texts = [f"{row.cells_ok}/{row.cells}" for row in frame.itertuples()]
    yield Column("resources", "cells_ok", "cost", "cells", "", "finished", "Finished cells", True, "high", texts)


def _head(columns: Sequence[Column]) -> Markup:
    groups = [
        element("th", element("span", name), scope="colgroup", colspan=len(list(mine)), class_="edge", data_group=name)
        for name, mine in groupby(columns, key=lambda column: column.group)
    ]
    rank = element("th", "rank", scope="col", rowspan=2, class_="rank", data_column="rank")
    name = element("th", "generator", scope="col", rowspan=2, class_="name", data_column="generator")
    heads = [
        element(
            "th",
            element("span", column.label, *_way(column)),
            *([element("small", column.detail)] if column.detail else []),
            scope="col",
            title=column.title,
            **_column_attributes(columns, at, *_HEAD_CLASSES.get(column.name, ())),
            data_column=column.name,
            data_frame=column.frame,
            data_best=column.best,
        )
        for at, column in enumerate(columns)
    ]
    return element("thead", element("tr", rank, name, *groups), element("tr", *heads))


def _way(column: Column) -> Iterable[Markup]:
    """The arrow; of a score it points up, whatever the metric's own direction."""
    if column.score_texts and column.way != "↑":
        yield element("span", f" {column.way}" if column.way else "", class_="raw")
        yield element("span", " ↑", class_="scaled")
    elif column.way:
        yield joined(" ", column.way)


def _column_attributes(columns: Sequence[Column], at: int, *more: str) -> dict[str, Attribute]:
    first = at == 0 or columns[at - 1].group != columns[at].group
    classes = [*(["edge"] if first else []), *(["folds"] if columns[at].folds else []), *more]
    return {"class": " ".join(classes) or None}


def _row(board: Leaderboard, columns: Sequence[Column], at: int) -> Markup:
    row = board.rows.iloc[at]
    about = board.settings.set_index("generator").loc[row["generator"]]
    name = element("em" if row["standing"] == REFERENCE else "span", str(row["generator"]), class_="generator")
    rank = NOTHING if pd.isna(row["rank"]) else str(row["rank"])
    cells = [
        element("td", rank, class_="rank"),
        element(
            "th", element("span", name, *_note_marks(str(row["notes"])), class_="named"), scope="row", class_="name"
        ),
        *(_cell(board, columns, number, at) for number in range(len(columns))),
    ]
    kind = str(row["standing"]).split()[0]
    return element("tr", *cells, class_=kind, data_row=at, data_standing=kind, data_family=str(about["family"]))


def _note_marks(notes: str) -> Iterable[Markup]:
    if notes:
        links = [element("a", mark, href=f"#note-{mark}", aria_label=f"note {mark}") for mark in notes.split(", ")]
        yield element("sup", *[joined(*([", "] if at else []), link) for at, link in enumerate(links)])


def _cell(board: Leaderboard, columns: Sequence[Column], number_: int, at: int) -> Markup:
    column = columns[number_]
    classes = []
    if column.scores is not None and column.name != "overall" and np.isfinite(column.scores[at]):
        classes.append(f"s{round(SHADES * float(np.clip(column.scores[at], 0, 1)))}")
    content: list[str] = [_with_half(column.texts, column.halves, at)]
    if column.score_texts:
        raw = element("span", content[0], class_="raw")
        content = [raw, element("span", _with_half(column.score_texts, column.score_halves, at), class_="scaled")]
    if column.name == "overall" and column.frame == "rows":
        row = board.rows.iloc[at]
        content.append(interval_bar(row["overall"], row["overall_half_width"], 0.0, 1.0, OVERALL_WIDTH))
        classes.append("overall")
    if column.name == "with_leader" and column.texts[at]:
        content = [element("span", column.texts[at], role="img", aria_label="not separable from the leader")]
        classes.append("mark-cell")
    return element("td", *content, **_column_attributes(columns, number_, *classes))


def _with_half(texts: Sequence[str], halves: Sequence[str], at: int) -> Markup:
    if not halves or NOTHING in (texts[at], halves[at]):
        return joined(texts[at])
    return joined(texts[at], element("span", f" ± {halves[at]}", class_="half"))

"""Sections below the main table: comparisons, ablations, few patients, definitions, settings."""

import math
from collections.abc import Iterable

import pandas as pd

from gexbench.leaderboards.comparing import bootstrap
from gexbench.leaderboards.comparing.anchors import LEGEND as ANCHOR_LEGEND
from gexbench.leaderboards.comparing.anchors import TITLES as ANCHOR_TITLES
from gexbench.leaderboards.comparing.gates import COPIES
from gexbench.leaderboards.comparing.notes import shortened
from gexbench.leaderboards.comparing.ranking import OVERALL, SIGNIFICANCE
from gexbench.leaderboards.comparing.scarce import LEGEND, MEASURES, REAL_ONLY
from gexbench.leaderboards.comparing.selection import BASELINE
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.formatting import NOTHING, arrow, number, p_text, percent, with_interval
from gexbench.leaderboards.pages.html_labels import label_of
from gexbench.leaderboards.pages.html_markup import Markup, element, interval_bar, joined
from gexbench.leaderboards.pages.main_table import shown_keys
from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.protocols import Protocol

_COMPARISONS = (
    "Fold-paired differences of scores with 95 % intervals: every ranked generator against the baseline and against "
    "the leader, tuned rows also against their default. p is adjusted by Holm over all comparisons of a measure; "
    "filled dots have p < .05. The leader was chosen on the same folds."
)
_ABLATIONS = (
    "Fold-paired differences between generators that are alike but for one thing, with 95 % intervals; * and filled "
    "dots: p < .05, adjusted by Holm over the rows of a column. A negative difference in detection AUC is an "
    "improvement."
)


def sections(board: Leaderboard) -> Iterable[Markup]:
    """Every section that has content, in the order of the page."""
    if not board.comparisons.empty:
        yield _section("comparisons", "Planned comparisons", _COMPARISONS, *_comparisons(board))
    if not board.patient_level.empty:
        frame, tables = board.patient_level, _patient_level(board.protocol, board.patient_level)
        about = bootstrap.legend(frame, board.protocol.resamples)
        yield _section("patients", bootstrap.title(frame), about, *tables)
    if not board.ablations.empty:
        yield _section("ablations", "What conditions and parts add", _ABLATIONS, _ablations(board))
    if not board.scarce.empty:
        yield _section("few-patients", "Generators fitted on few patients", LEGEND, _scarce(board))
    if not board.anchors.empty:
        yield _section("anchors", "Ceilings and floors of the downstream tasks", ANCHOR_LEGEND, _anchors(board))
    yield _section("metrics", "Metrics", "", _definitions(board))
    yield _section("settings", "Settings", "", _settings(board))


def scrolling(table: Markup, name: str, *, tall: bool = False) -> Markup:
    """A table that scrolls by itself where it is wider than the page; the keyboard reaches it."""
    return element(
        "div", table, class_="scroll tall" if tall else "scroll", role="region", aria_label=f"table: {name}", tabindex=0
    )


def _section(identifier: str, title: str, about: str, *content: Markup) -> Markup:
    lead = [element("p", about, class_="lead")] if about else []
    heading = element("h2", title, id=f"{identifier}-title")
    return element("section", heading, *lead, *content, id=identifier, aria_labelledby=f"{identifier}-title")


def _comparisons(board: Leaderboard) -> Iterable[Markup]:
    """A table per measure of the scores, overall open."""
    for measure in (OVERALL, *board.families):
        mine = board.comparisons[board.comparisons["measure"] == measure]
        table = scrolling(_comparison_table(board, mine), f"comparisons: {measure}")
        yield element("details", element("summary", measure), table, open=measure == OVERALL)


def _comparison_table(board: Leaderboard, frame: pd.DataFrame) -> Markup:
    low, high = _axis(frame)
    roles = list(dict.fromkeys(frame["role"]))
    names = {role: ", ".join(dict.fromkeys(frame.loc[frame["role"] == role, "against"])) for role in roles}
    heads = [element("th", "generator", scope="col", rowspan=2, class_="name")]
    heads += [
        element("th", f"against {_role(role, names[role])}", scope="colgroup", colspan=3, class_="edge")
        for role in roles
    ]
    ends = element("small", _ends(low, high))
    parts = [
        element("th", element("span", text), *([ends] if kind == "wide" else []), scope="col", class_=kind)
        for text, kind in _PARTS
    ] * len(roles)
    at = {(row.generator, row.role): row for row in frame.itertuples()}
    lines = []
    for name in dict.fromkeys(name for name in board.rows["generator"] if (frame["generator"] == name).any()):
        cells = [element("th", name, scope="row", class_="name")]
        for role in roles:
            cells += _difference(at.get((name, role)), low, high)
        lines.append(element("tr", *cells))
    return element("table", element("thead", element("tr", *heads), element("tr", *parts)), element("tbody", *lines))


def _patient_level(protocol: Protocol, frame: pd.DataFrame) -> Iterable[Markup]:
    """A table per measure, with a bar for every interval."""
    for measure, mine in frame.groupby("measure", sort=False):
        rows = mine.to_dict("records")
        ends = [0.0, *(value for row in rows for value in (row["low"], row["high"]) if math.isfinite(value))]
        lines = []
        for row in rows:
            centre, reach = (row["low"] + row["high"]) / 2, (row["high"] - row["low"]) / 2
            bar = interval_bar(row["difference"], reach, min(ends), max(ends), 240, mark=0.0, centre=centre)
            texts = (
                f"{number(row['low'], 4)} to {number(row['high'], 4)}",
                p_text(row["p_holm"], row.get("bounded", False)),
            )
            name = element("span", f"{row['generator']} − {row['against']}")
            lines.append(
                element(
                    "tr",
                    element("th", name, scope="row", class_="name"),
                    element("td", number(row["difference"], 4), class_="edge"),
                    element("td", bar, class_="bars sure" if row["p_holm"] < SIGNIFICANCE else "bars"),
                    *(element("td", text) for text in texts),
                )
            )
        parts = (("difference", "edge"), ("drawn", "wide"), ("95 % interval", None), ("p (Holm)", None))
        heads = [element("th", "compared", scope="col", class_="name")]
        heads += [element("th", text, scope="col", class_=kind) for text, kind in parts]
        table = element("table", element("thead", element("tr", *heads)), element("tbody", *lines))
        head = joined(*_metric_head(protocol, str(measure)))
        yield element("details", element("summary", head), scrolling(table, f"patients: {measure}"), open=True)


_PARTS = (("difference", "edge"), ("95 % interval", "wide"), ("p (Holm)", None))


def _role(role: str, names: str) -> str:
    return {"baseline": names or BASELINE, "leader": f"the leader, {names}"}.get(role, "its default settings")


def _difference(row: object, low: float, high: float) -> list[Markup]:
    if row is None:
        return [element("td", NOTHING, class_="edge"), element("td"), element("td", NOTHING)]
    difference, half_width, p = (float(getattr(row, name)) for name in ("difference", "half_width", "p_holm"))
    kind = "bars sure" if p < SIGNIFICANCE else "bars"
    return [
        element("td", with_interval(difference, half_width, 3), class_="edge"),
        element("td", interval_bar(difference, half_width, low, high, 240, mark=0.0), class_=kind),
        element("td", p_text(p)),
    ]


def _axis(frame: pd.DataFrame) -> tuple[float, float]:
    """Ends of an axis that holds 0 and every interval."""
    reach = frame["half_width"].fillna(0.0)
    ends = [0.0, *(frame["difference"] - reach), *(frame["difference"] + reach)]
    finite = [value for value in ends if math.isfinite(value)]
    return min(finite), max(finite)


def _ends(low: float, high: float) -> str:
    return f"axis from {number(low, 2)} to {number(high, 2)}"


def _ablations(board: Leaderboard) -> Markup:
    frame = board.ablations
    keys = [OVERALL, *shown_keys(board, "ablations")]
    low, high = _axis(frame[frame["measure"] == OVERALL])
    heads = [element("th", "what is added", scope="col", class_="name")]
    heads += [
        element("th", *title, scope="col", class_="edge", colspan=2 if key == OVERALL else None)
        for key, title in ((key, _metric_head(board.protocol, key)) for key in keys)
    ]
    lines = []
    for pair in frame[["question", "generator", "against"]].drop_duplicates().itertuples():
        mine = frame[(frame["generator"] == pair.generator) & (frame["against"] == pair.against)].set_index("measure")
        names = element("span", f"{pair.generator} − {pair.against}", class_="pair")
        cells = [element("th", pair.question, names, scope="row", class_="name")]
        for key in keys:
            row = mine.loc[key]
            difference, half_width, sure = row["difference"], row["half_width"], row["p_holm"] < SIGNIFICANCE
            text = with_interval(difference, half_width, 3) + (" *" if sure else "")
            cells.append(element("td", text, class_="edge"))
            if key == OVERALL:
                bar = interval_bar(difference, half_width, low, high, 160, mark=0.0)
                cells.append(element("td", bar, class_="bars sure" if sure else "bars"))
        lines.append(element("tr", *cells))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *lines))
    return scrolling(table, "what conditions and parts add")


def _metric_head(protocol: Protocol, key: str) -> list[Markup]:
    if key == OVERALL:
        return [element("span", "overall ↑")]
    label, detail = label_of(protocol, key)
    shown = element("span", f"{label} {arrow(protocol.lookup(key))}".strip())
    return [shown, element("small", detail)] if detail else [shown]


def _scarce(board: Leaderboard) -> Markup:
    named = {REAL_ONLY: "real rows alone ↑", "scarce_accuracy": "with synthetic rows ↑", "scarce_gain": "gain ↑"}
    shown = (REAL_ONLY, *MEASURES)
    titles = [[element("span", named[n])] if n in named else _metric_head(board.protocol, n) for n in shown]
    heads = [element("th", "generator", scope="col", class_="name")]
    heads += [element("th", text, scope="col") for text in ("share", "training samples", "cells")]
    heads += [element("th", *title, scope="col") for title in titles]
    heads.append(element("th", "copies", scope="col"))
    lines, notes = [], []
    for row in board.scarce.to_dict("records"):
        texts = [
            percent(row["train_fraction"]),
            number(row["samples"], 0),
            f"{row['cells_ok']}/{row['cells']}",
            *(with_interval(row[name], row[f"{name}_half_width"], 3) for name in shown),
            number(row[COPIES], 3),
        ]
        name = element("th", str(row["generator"]), scope="row", class_="name")
        lines.append(element("tr", name, *(element("td", text) for text in texts)))
        if row["notes"]:
            notes.append(element("li", f"{row['generator']}, {texts[0]}: {shortened(str(row['notes']))}"))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *lines))
    listed = [element("ul", *notes)] if notes else []
    return element("div", scrolling(table, "generators fitted on few patients"), *listed)


def _anchors(board: Leaderboard) -> Markup:
    heads = [element("th", "metric", scope="col", class_="name")]
    heads += [element("th", title, scope="col") for title in ANCHOR_TITLES.values()]
    lines = []
    for row in board.anchors.to_dict("records"):
        texts = (with_interval(row[name], row[f"{name}_half_width"], 3) for name in ANCHOR_TITLES)
        name = element("th", *_metric_head(board.protocol, str(row["key"])), scope="row", class_="name")
        lines.append(element("tr", name, *(element("td", text) for text in texts)))
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *lines))
    return scrolling(table, "ceilings and floors of the downstream tasks")


def _definitions(board: Leaderboard) -> Markup:
    heads = ("metric", "family", "what it is", "goal", "unit", "floor", "ceiling", "source")
    lines = []
    for name, keys in _by_metric(board).items():
        spec = board.protocol.lookup(keys[0])
        goal = {"match": "match → the ceiling", "higher": "higher ↑", "lower": "lower ↓", "skill": "higher ↑"}
        texts = (str(spec.family), spec.title, goal.get(spec.goal, "none"), "" if spec.unit == "1" else spec.unit)
        anchors = (NOTHING if anchor is None else str(anchor) for anchor in (spec.floor, spec.ceiling))
        cells = [element("td", text) for text in (*texts, *anchors, spec.reference)]
        lines.append(element("tr", element("th", element("code", name), scope="row", class_="name"), *cells))
    head = element(
        "tr", *(element("th", text, scope="col", class_="name" if text == "metric" else None) for text in heads)
    )
    table = element("table", element("thead", head), element("tbody", *lines), class_="prose")
    title = element("summary", f"{len(lines)} metrics: what they are, their direction, floor, ceiling and source")
    return element("details", title, scrolling(table, "metrics"))


def _by_metric(board: Leaderboard) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key in dict.fromkeys(board.metrics["key"]):
        found.setdefault(split_key(key)[0], []).append(str(key))
    return found


def _settings(board: Leaderboard) -> Markup:
    lines = []
    for row in board.settings.itertuples():
        seen = f"conditions {row.conditions}" if row.conditions else "no conditions"
        head = element("dt", element("b", str(row.generator)), f" version {row.version}, {row.family}, {seen}")
        lines.append(joined(head, element("dd", row.settings or "no settings")))
    summary = element("summary", f"Versions, conditions and settings of {len(lines)} generators")
    return element("details", summary, element("dl", *lines, class_="settings"))

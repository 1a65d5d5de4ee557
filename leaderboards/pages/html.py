"""The leaderboard as one self-contained page: no network, no other file, nothing that runs but what its policy names.

Everything is in the page without scripts; the script sorts, filters, folds and opens rows. Foreign text reaches the
page escaped, or as JSON that the script puts into text nodes.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files

import pandas as pd

from gexbench.leaderboards.comparing.judging import BELOW, RANKED, REFERENCE, UNRANKED
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.pages.html_board import board_table
from gexbench.leaderboards.pages.html_data import embedded
from gexbench.leaderboards.pages.html_markup import Markup, element, joined
from gexbench.leaderboards.pages.html_sections import scrolling, sections
from gexbench.leaderboards.pages.words import first_legend, legend, resolution
from gexbench.leaderboards.records import Record
from gexbench.tasks.panel.protocols import FIRST

STYLES = ("page.css", "table.css", "media.css")
SCRIPTS = ("drawing.js", "details.js", "table.js")
SHORT_COMMIT = 10

_STANDINGS = ((RANKED, "ranked"), (REFERENCE, "references"), (UNRANKED, "unranked"), (BELOW, "below the line"))
_LEGEND = (
    ("Scores", "run from 0 (floor: a trivial reference, the majority class, AUC 1) to 1 (ceiling: real rows, TRTR, "
     "AUC ½); overall is the mean over families of the mean score. Shading follows the score."),
    ("±", "is the half-width of the 95 % interval over folds, corrected for shared training patients (Nadeau & "
     "Bengio 2003)."),
    ("Arrows:", "↑ higher is better, ↓ lower is better, → as close as possible to real-holdout's value."),
    ("●", "every cell finished and not separable from the leader (Holm-adjusted p ≥ .05)."),
    ("Mean rank", "over metrics and folds by score; win rate over opponents and folds by overall score; both among "
     "ranked generators."),
    ("Conditional skill:", "1 − CRPS / CRPS of training draws of the same label, beside the overall score."),
    ("Copies:", ""),
    ("References", "are in grey italics, stand where they would rank, and take no rank."),
)  # fmt: skip


def _legend(board: Leaderboard) -> Iterator[tuple[str, str]]:
    if board.protocol is not FIRST:
        yield from legend(board)
        return
    for name, text in _LEGEND:
        yield name, first_legend(board) if name == "Copies:" else text


def to_html(board: Leaderboard, records: Sequence[Record], logs: Mapping[str, pd.DataFrame] | None = None) -> str:
    """The whole page; the same records and logs give the same bytes.

    Args:
        board: made from these records.
        records: for what a row says when it is opened (seeds, versions, times, curves, values per class).
        logs: training logs by row, as `read_logs` gives them; without them a row has the curves of its records alone.
    """
    style, script = _asset(STYLES), _asset(SCRIPTS)
    title = f"{board.header.cohort}, budget {board.header.budget}: gexbench leaderboard"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", style),
        element("script", script),
    )
    data = element("script", embedded(board, records, logs or {}), type="application/json", id="data")
    main = element("main", *_board_section(board), *sections(board))
    source = "Made by gexbench from the records and training logs of this leaderboard alone"
    footer = element("footer", f"{source}; leaderboard.csv holds the same numbers with more digits.")
    skip = element("a", "Skip to the table", href="#board", class_="skip")
    body = element("body", skip, _header(board), main, footer, data)
    return "<!doctype html>\n" + element("html", head, "\n", body, lang="en") + "\n"


def _asset(names: Iterable[str]) -> Markup:
    """Our own style or script, which must not end its element."""
    folder = files("gexbench.leaderboards.pages") / "assets"
    text = "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
    if "</" in text or "<!--" in text:
        raise ValueError(f"assets {', '.join(names)}: '</' or '<!--' would end their element")
    return Markup(f"\n{text}")


def _policy(style: str, script: str) -> str:
    """Nothing loads, nothing is sent, nothing runs but the style and the script with these digests."""
    digests = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script))
    style_digest, script_digest = digests
    return (
        f"default-src 'none'; script-src 'sha256-{script_digest}'; style-src 'sha256-{style_digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _header(board: Leaderboard) -> Markup:
    header = board.header
    note = [element("p", header.note, class_="note")] if header.note else []
    facts = element("dl", *(element("div", element("dt", name), element("dd", *text)) for name, text in _facts(board)))
    theme = element("button", "Dark", type="button", id="theme", hidden=True, aria_pressed="false")
    heading = element("div", element("p", "gexbench leaderboard", class_="kicker"), theme, class_="top")
    track = "" if header.track == "random" else f", track {header.track}"
    title = element("h1", header.cohort, element("span", f"{track}, budget {header.budget}"))
    about = element("details", element("summary", "Data, folds and machine"), facts, class_="facts", open=True)
    return element("header", heading, title, *note, about)


def _facts(board: Leaderboard) -> Iterator[tuple[str, list[str]]]:
    header = board.header
    yield "Cohort", [f"{header.samples:,} samples, {header.genes:,} genes, unit {header.unit}"]
    yield "Labels", [", ".join(header.label_columns)]
    yield "Fingerprint", [element("code", header.fingerprint)]
    rows = f"{_range(header.train)} training and {_range(header.test)} test samples"
    seeds = _range(header.seeds)
    yield "Folds", [f"{_listed(header.folds)} of track {header.track}; {rows}; {_counted(seeds)} per fold"]
    if board.protocol is not FIRST:
        yield "Protocol", [str(board.protocol.number)]
    yield "Budget", [f"{header.budget}; panel {header.panel}"]
    yield (
        "Machine",
        [f"device {_listed(header.devices)}; threads per cell {_listed(header.threads)}; {_listed(header.processors)}"],
    )
    yield "gexbench", [_suites(header.suites)]
    if header.left_out:
        yield "Left out", [f"of every generator's fold: {_listed(header.left_out)}"]


def _suites(suites: Sequence[str]) -> Markup:
    """Every version with its commits, a commit's beginning to read and the whole of it in the title."""
    commits: dict[str, list[str]] = {}
    for suite in suites:
        version, _, commit = suite.partition(", commit ")
        commits.setdefault(version, []).extend([commit] if commit else [])
    shown: list[str] = []
    for version, those in commits.items():
        shown += [*(["; "] if shown else []), version, *([" at "] if those else [])]
        for at, commit in enumerate(those):
            shown += [*([", "] if at else []), element("code", commit[:SHORT_COMMIT], title=commit)]
    return joined(*shown)


def _board_section(board: Leaderboard) -> Iterator[Markup]:
    legend = element(
        "ul", *(element("li", element("b", name), f" {text}") for name, text in _legend(board)), class_="legend"
    )
    status = element("p", role="status", aria_live="polite", id="shown", class_="status")
    yield element(
        "section",
        element("h2", "Generators", id="board-title", class_="unseen"),
        _controls(board),
        status,
        scrolling(board_table(board), "generators", tall=True),
        *([element("p", sentence, class_="lead")] if (sentence := resolution(board)) else []),
        *_notes(board),
        element("details", element("summary", "How to read the table"), legend, open=True),
        aria_labelledby="board-title",
    )


def _controls(board: Leaderboard) -> Markup:
    there = set(board.rows["standing"])
    standings = [
        element("label", element("input", type="checkbox", name="standing", value=kind.split()[0], checked=True), text)
        for kind, text in _STANDINGS
        if kind in there
    ]
    named = set(board.rows["generator"])
    families = sorted({row.family for row in board.settings.itertuples() if row.generator in named})
    options = [element("option", "all kinds", value=""), *(element("option", name, value=name) for name in families)]
    text = element("input", type="search", id="find", placeholder="name, condition, setting", autocomplete="off")
    return element(
        "div",
        element("label", element("span", "Find"), text),
        element("label", element("span", "Kind"), element("select", *options, id="kind")),
        element("fieldset", element("legend", "Show"), *standings),
        _choice("Values", "scale", (("raw", "raw"), ("scaled", "scores 0–1"))),
        _choice("Intervals", "interval", (("none", "none"), ("half", "±"), ("bar", "bars"))),
        element("button", "Unfold all", type="button", id="unfold", aria_pressed="false"),
        class_="controls",
        hidden=True,
    )


def _choice(title: str, name: str, options: Sequence[tuple[str, str]]) -> Markup:
    inputs = [
        element("label", element("input", type="radio", name=name, value=value, checked=not at), element("span", text))
        for at, (value, text) in enumerate(options)
    ]
    return element("fieldset", element("legend", title), *inputs, class_="choice")


def _notes(board: Leaderboard) -> Iterator[Markup]:
    if board.notes:
        yield element("ol", *(_note(at, text) for at, text in enumerate(board.notes, start=1)), class_="notes")
    remarks = [element("li", text) for text in board.remarks]
    remarks += [
        element("li", f"Not available here, not ranked: {row.generator} ({row.reason})")
        for row in board.absent.itertuples()
    ]
    if remarks:
        yield element("ul", *remarks, class_="notes")


def _note(at: int, text: str) -> Markup:
    return element("li", text, id=f"note-{at}")


def _counted(seeds: str) -> str:
    return f"{seeds} training seed" + ("" if seeds == "1" else "s")


def _listed(values: Iterable[object]) -> str:
    return ", ".join(str(value) for value in values)


def _range(values: Sequence[int]) -> str:
    low, high = min(values, default=0), max(values, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"

"""A leaderboard in one picture, light enough for a README: an SVG for light or dark pages, with the reader's fonts."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import matplotlib as mpl
import pandas as pd
from matplotlib.colors import to_hex

from gexbench.leaderboards.comparing.judging import BELOW, REFERENCE
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.figures.style import looks
from gexbench.leaderboards.formatting import NOTHING, number, percent
from gexbench.tasks.files.plain_text import plain
from gexbench.tasks.panel.protocols import FIRST

_FONT = "-apple-system,'Segoe UI','Noto Sans',Helvetica,Arial,sans-serif"
_CONDITIONS = ("labels", "text", "patches")
_SHOWN_AS = {"patches": "images"}
_ROW, _TOP, _BOTTOM, _WIDTH = 21, 62, 62, 880
_RANK, _NAME, _SEEN, _SEEN_STEP, _CELLS, _CELL, _GAP = 24, 34, 240, 40, 350, 54, 6
_BAR_WIDTH, _LONGEST = 119, 28


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a page: text, faint text, stripes, lines, the scale of scores, and the mark of a failed gate."""

    ink: str
    faint: str
    stripe: str
    line: str
    scale: str
    span: tuple[float, float]
    bad: str
    black: str


THEMES: Mapping[str, Theme] = {
    "light": Theme("#1f2328", "#656d76", "#f6f8fa", "#d0d7de", "YlGnBu", (0.02, 0.88), "#cf222e", "#1f2328"),
    "dark": Theme("#e6edf3", "#9198a1", "#161b22", "#30363d", "mako", (0.2, 0.92), "#ff7b72", "#e6edf3"),
}


def summary_frame(board: Leaderboard) -> pd.DataFrame:
    """The table's rows with an overall score, in its order, with `family` and `conditions` of each generator."""
    about = board.settings[["generator", "family", "conditions"]]
    rows = board.rows[board.rows["overall"].notna()]
    return rows.merge(about, on="generator", how="left").assign(
        failing=lambda frame: frame["generator"].isin(board.failing)
    )


def summary_picture(board: Leaderboard, theme: str = "light") -> str:
    """The leaderboard as an SVG: generators in rank order, scores by family, the overall score, the copy gate.

    Args:
        board: with overall scores.
        theme: `light` or `dark`, the page that it is for; its background is transparent.
    """
    frame, colours = summary_frame(board), THEMES[theme]
    height = _TOP + _ROW * len(frame) + _BOTTOM
    title = f"Leaderboard {plain(board.header.cohort)}, budget {board.header.budget}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" aria-label={quoteattr(title)}>',
        f"<style>text{{font:12px {_FONT};fill:{colours.ink};dominant-baseline:central}}.f{{fill:{colours.faint}}}"
        ".i{font-style:italic}.s{font-size:11px}.b{font-weight:600}.m{text-anchor:middle}.e{text-anchor:end}"
        f".w{{fill:#fff}}.k{{fill:#111}}.x{{fill:{colours.bad}}}</style>",
        *_heads(board, colours),
    ]
    known = looks(frame["family"])
    shades = {name: colours.black if look.colour == "#000000" else look.colour for name, look in known.items()}
    for at, row in enumerate(frame.to_dict("records")):
        parts.extend(_row(row, at, board.families, shades, colours))
    parts.extend(_legend(frame, shades, board, height, colours))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, content: str, kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{name}>{escape(plain(content))}</text>'


def _bars_at(families: int) -> float:
    return _CELLS + families * (_CELL + _GAP) + 8


def _heads(board: Leaderboard, theme: Theme) -> Iterator[str]:
    bars, y = _bars_at(len(board.families)), _TOP - 16
    yield _text(_NAME, y, "generator", "b")
    for at, name in enumerate(_CONDITIONS):
        yield _text(_SEEN + at * _SEEN_STEP, y, _SHOWN_AS.get(name, name), "s m f")
    yield _text(_SEEN - 17, 22, "conditioned on", "b")
    yield _text(_CELLS + 4, 22, "scores by metric family", "b")
    for at, family in enumerate(board.families):
        yield _text(_CELLS + at * (_CELL + _GAP) + _CELL / 2, y, family, "s m f")
    yield _text(bars, 22, "overall", "b")
    for score in (0.0, 0.5, 1.0):
        yield _text(bars + score * _BAR_WIDTH, y, f"{score:g}", "s m f")
    yield _text(_WIDTH - 8, 22, "copies", "b e")
    yield f'<path d="M0 {_TOP - 4}H{_WIDTH}" stroke="{theme.line}"/>'


def _row(
    row: Mapping[str, object], at: int, families: tuple[str, ...], shades: Mapping[str, str], theme: Theme
) -> Iterator[str]:
    top = _TOP + at * _ROW
    middle = top + _ROW / 2
    reference = row["standing"] == REFERENCE
    if at % 2 == 0:
        yield f'<rect y="{top}" width="{_WIDTH}" height="{_ROW}" rx="3" fill="{theme.stripe}"/>'
    if not pd.isna(row["rank"]):
        yield _text(_RANK, middle, str(row["rank"]), "e b")
    name = plain(str(row["generator"]))
    shown = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
    yield _text(_NAME, middle, shown, "f i" if reference else "")
    shade = shades[str(row["family"])]
    for column, name in enumerate(_CONDITIONS):
        seen = name in str(row["conditions"])
        look = f'r="3.5" fill="{shade}"' if seen else f'r="1" fill="{theme.line}"'
        yield f'<circle cx="{_SEEN + column * _SEEN_STEP}" cy="{middle:g}" {look}/>'
    for column, family in enumerate(families):
        yield from _cell(float(str(row[family])), _CELLS + column * (_CELL + _GAP), top, theme)
    yield from _bar(row, _bars_at(len(families)), middle, shade, theme)
    share = float(str(row["copy_share"]))
    failed = bool(row["failing"])
    yield _text(_WIDTH - 8, middle, f"{'✗ ' if failed else ''}{percent(share)}", "s e x" if failed else "s e f")


def _cell(score: float, x: float, top: float, theme: Theme) -> Iterator[str]:
    if math.isnan(score):
        yield _text(x + _CELL / 2, top + _ROW / 2, NOTHING, "s m f")
        return
    low, high = theme.span
    red, green, blue, _ = mpl.colormaps[theme.scale](low + (high - low) * min(max(score, 0.0), 1.0))
    ink = "k" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "w"
    fill = to_hex((red, green, blue))
    yield f'<rect x="{x:g}" y="{top + 2:g}" width="{_CELL}" height="{_ROW - 4}" rx="8" fill="{fill}"/>'
    yield _text(x + _CELL / 2, top + _ROW / 2, number(score, 2), f"s m {ink}")


def _bar(row: Mapping[str, object], x: float, middle: float, shade: str, theme: Theme) -> Iterator[str]:
    overall, half = float(str(row["overall"])), float(str(row["overall_half_width"]))
    length = max(overall, 0.0) * _BAR_WIDTH
    faded = "" if row["with_leader"] else ' opacity="0.6"'
    yield f'<rect x="{x:g}" y="{middle - 5:g}" width="{length:.1f}" height="10" rx="2" fill="{shade}"{faded}/>'
    if math.isfinite(half):
        start, end = (x + (overall + sign * half) * _BAR_WIDTH for sign in (-1, 1))
        yield f'<path d="M{start:.1f} {middle:g}H{end:.1f}" stroke="{theme.ink}" stroke-width="1.5"/>'
    yield _text(x + _BAR_WIDTH + 9, middle, number(overall, 3), "i f" if row["standing"] == REFERENCE else "")


def _legend(
    frame: pd.DataFrame, shades: Mapping[str, str], board: Leaderboard, height: float, theme: Theme
) -> Iterator[str]:
    y = height - _BOTTOM + 18
    x = float(_NAME)
    yield f'<path d="M0 {height - _BOTTOM + 3}H{_WIDTH}" stroke="{theme.line}"/>'
    for family in sorted(set(frame["family"]), key=lambda name: (name == "reference", name)):
        yield f'<rect x="{x:g}" y="{y - 5:g}" width="10" height="10" rx="2" fill="{shades[family]}"/>'
        yield _text(x + 15, y, family, "s i f" if family == "reference" else "s")
        x += 34 + 6.4 * len(family)
    yield _text(_WIDTH - 8, y, "Solid bars: not separable from the leader. Lines: 95 % intervals over folds.", "s e f")
    line = "below the line" if (frame["standing"] == BELOW).any() else "copy gate"
    fails = f"the {line}: more than 5 % of rows copied" if board.protocol is FIRST else "a gate"
    header = board.header
    yield _text(
        _NAME,
        y + 22,
        f"Scores: 0 = trivial reference, 1 = real patients. References (italic) take no rank. ✗ fails {fails}. "
        f"{header.cohort}, {header.samples:,} samples, {len(header.folds)} folds.",
        "s f",
    )

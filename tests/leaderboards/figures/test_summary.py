"""The picture of a leaderboard: rows, bars, marks, and the committed ones against their records."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard
from gexbench.leaderboards.figures.summary import THEMES, summary_picture
from gexbench.leaderboards.publishing.excerpts import pictures

ROOT = Path(__file__).parents[3]
SVG = "{http://www.w3.org/2000/svg}"
GOOD = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip


@pytest.fixture
def board(make: Any, references: Any, parsed: Callable[..., Any]) -> Leaderboard:
    made = references(2)
    for fold in range(2):
        made.append(make("vae", fold, GOOD | {"recall_genes": 0.45 + 0.02 * fold}))
        made.append(make("thief", fold, GOOD | {"copy_share": 0.9}))
    return leaderboard(parsed(made))


def texts(picture: str) -> list[tuple[str, str]]:
    """Class and text of every text, in order."""
    return [(each.get("class", ""), str(each.text)) for each in ElementTree.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314


@pytest.mark.parametrize("theme", THEMES)
def test_every_row_stands_in_order_references_in_italics_and_copies_marked(board: Leaderboard, theme: str) -> None:
    shown = texts(summary_picture(board, theme))
    names = [text for _, text in shown if text in set(board.rows["generator"])]
    assert names[: len(board.rows)] == list(board.rows["generator"])
    italic = {text for kind, text in shown if "i" in kind.split()}
    assert {"real-holdout", "class-mean"} <= italic
    assert not {text for kind, text in shown if kind == ""} & italic
    assert ("s e x", "✗ 90.0 %") in shown
    assert ("e b", "1") in shown


def test_bars_and_intervals_are_those_of_the_board(board: Leaderboard) -> None:
    picture = ElementTree.fromstring(summary_picture(board))  # noqa: S314
    bars = [each for each in picture.iter(f"{SVG}rect") if each.get("height") == "10" and each.get("width") != "10"]
    lengths = [float(each.get("width", "nan")) for each in bars]
    longest = board.rows["overall"].iloc[0]
    assert lengths == pytest.approx([value / longest * lengths[0] for value in board.rows["overall"]], abs=0.1)
    spans = [re.fullmatch(r"M([\d.]+) [\d.]+H([\d.]+)", each.get("d", "")) for each in picture.iter(f"{SVG}path")]
    widths = [float(found[2]) - float(found[1]) for found in spans if found and found[1] != "0"]
    halves = board.rows["overall_half_width"]
    assert widths == pytest.approx([2 * half / longest * lengths[0] for half in halves], abs=0.21)


def test_foreign_names_are_no_markup(make: Any, references: Any, parsed: Callable[..., Any]) -> None:
    made = references(2) + [make("a<script>&", fold, GOOD) for fold in range(2)]
    assert "a<script>&" in {text for _, text in texts(summary_picture(leaderboard(parsed(made))))}


@pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="needs the source tree")
def test_the_committed_pictures_are_what_the_records_draw_and_light() -> None:
    drawn = pictures((ROOT / "README.md").read_text(encoding="utf-8"), ROOT)
    assert len(drawn) == len(THEMES)
    for path, picture in drawn.items():
        assert (ROOT / path).read_text(encoding="utf-8") == picture, path
        assert len(picture.encode()) < 60_000

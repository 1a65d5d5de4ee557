"""Tables at fixed widths: aligned numbers, whole words, whole columns dropped."""

import io
import re

import pytest
from rich.console import Console

from gexbench.benchmark.commands.terminal.tables import print_table

HEADS = ("rank", "generator", "overall ↑", "95 % interval", "support ↑", "structure ↑", "fit (CPU s)", "cells")
ROWS = [
    ("–", "real-holdout", "0.993", "0.990 to 0.996", "1.00", "1.00", "0.0", "5/5"),
    ("10", "wgan-gp-image-transformer", "0.808", "–", "0.78", "0.9", "1,170.66", "10/10"),
    ("2", "[bold]x", "–", "–0.1 to", "–", "–", "–", "0/5"),
]
GROUPS = (["generator"], ["overall ↑"], ["rank"], ["cells"], ["support ↑", "structure ↑"])


def printed(width, heads=HEADS, rows=ROWS, **more):
    console = Console(file=io.StringIO(), width=width)
    print_table(console, heads, rows, **more)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (200, HEADS),
        (100, ("rank", "generator", "overall ↑", "95 % interval", "support ↑", "structure ↑", "cells")),
        (80, ("rank", "generator", "overall ↑", "support ↑", "structure ↑", "cells")),
        (60, ("rank", "generator", "overall ↑", "cells")),
        (30, ("generator",)),
    ],
)
def test_columns_are_dropped_whole_in_the_order_of_their_importance(width, shown):
    rows = [[cell.replace("–0.1 to", "–") for cell in row] for row in ROWS]
    head, *lines = printed(width, rows=rows, groups=GROUPS, elsewhere="all of them: board.csv")
    assert re.split(r"\s{2,}", head.strip()) == list(shown)
    assert all(len(line) <= width for line in lines[:3])
    assert "…" not in "".join(lines)
    for row, line in zip(rows, lines, strict=False):
        for name, cell in zip(HEADS, row, strict=True):
            assert name not in shown or cell in line
    missing = len(HEADS) - len(shown)
    last = f"{missing} of 8 columns do not fit into {width} characters; all of them: board.csv"
    assert " ".join(lines[3:]) == (last if missing else "")


def test_decimal_points_stand_under_each_other():
    lines = printed(
        80, ("metric", "value"), [("a", "0.5"), ("b", "-12.25"), ("c", "–"), ("d", "1,000"), ("e", "< 0.01")]
    )
    assert lines == [
        "metric     value",
        "a           0.5",
        "b         -12.25",
        "c              –",
        "d       1,000",
        "e         < 0.01",
    ]


def test_intervals_stand_under_each_other():
    lines = printed(80, ("measure", "difference"), [("a", "-0.001 ± 0.0002"), ("b", "12 ± 1.5"), ("c", "–")])
    assert lines == [
        "measure       difference",
        "a        -0.001 ± 0.0002",
        "b        12     ± 1.5",
        "c                      –",
    ]


def test_text_wraps_between_words():
    rule = "one row for each condition, in the unit of the cohort"
    lines = printed(40, ("check", "", "what holds"), [("rows", "✓", rule)])
    assert " ".join(" ".join(line.removeprefix("rows   ✓").split()) for line in lines[1:]) == rule
    assert max(map(len, lines)) <= 40


def test_facts_without_heads_are_never_dropped():
    lines = printed(20, ("", ""), [("samples", "9,000 of 8,900 patients")], title="cohort x")
    assert lines[0] == "cohort x"
    assert "".join("".join(lines[1:]).split()) == "samples9,000of8,900patients"


def test_a_table_without_rows_shows_its_heads():
    assert printed(80, ("a", "b"), []) == ["a  b"]


def test_foreign_text_is_no_markup_and_moves_no_cursor():
    assert printed(80, ("name",), [("[red]x[/red]\x1b[2J\n",)])[1] == "[red]x[/red]"

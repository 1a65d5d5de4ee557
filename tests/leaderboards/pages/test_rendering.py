"""Markdown and CSV: content, foreign text, and the same bytes from the same records."""

import ast
import csv
import html
import io
import math
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard, summary
from gexbench.leaderboards.formatting import csv_text, decimals, markdown_text, number, with_interval
from gexbench.leaderboards.pages.rendering import to_csv, to_markdown, write

Make = Callable[..., dict[str, Any]]
VALUES = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip
NASTY = ["=cmd|x", "|", "<script>alert(1)</script>", "`a`*b*_c_", "-1+1", "a\nb", "[x](https://evil.example)", "# a"]


@pytest.fixture
def contents(make: Make, references: Callable[[int], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    made = references(3)
    for at, name in enumerate(("vae", "cvae", *NASTY)):
        made += [make(name, fold, {**VALUES, "recall_genes": 0.4 + 0.01 * at + 0.002 * fold}) for fold in range(3)]
    return made


@pytest.fixture
def board(contents: list[dict[str, Any]], parsed: Callable[..., Any]) -> Leaderboard:
    return leaderboard(parsed(contents), note="the cohort is built from a restricted copy")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_the_bytes_depend_on_the_records_alone(
    contents: list[dict[str, Any]], parsed: Callable[..., Any], board: Leaderboard, tmp_path: Path
) -> None:
    write(board, tmp_path / "a")
    random.Random(1).shuffle(contents)
    write(leaderboard(parsed(contents), board.header.note), tmp_path / "b")
    for name in ("leaderboard.md", "leaderboard.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["leaderboard.csv", "leaderboard.md"]


def test_a_failed_write_leaves_the_old_table(
    board: Leaderboard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(board, tmp_path)
    before = (tmp_path / "leaderboard.md").read_bytes()

    def broken(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        write(leaderboard_with_another_note(board), tmp_path)
    assert (tmp_path / "leaderboard.md").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def leaderboard_with_another_note(board: Leaderboard) -> Leaderboard:
    from dataclasses import replace

    return replace(board, header=replace(board.header, note="another"))


def test_the_markdown_says_what_a_reader_needs(board: Leaderboard) -> None:
    text = to_markdown(board)
    assert text.startswith("# Leaderboard: tiny, budget quick\n\n**Note:** the cohort is built from a restricted copy")
    for fact in ("f" * 64, "folds 0, 1, 2", "panel core", "gexbench 0.1.0", "track random", "| – | *class-gaussian*"):
        assert fact in text
    head = next(line for line in text.splitlines() if line.startswith("| rank"))
    for column in ("overall ↑", "support ↑", "TSTR accuracy (LR) ↑", "Fréchet ↓", "variance ratio →"):
        assert column in cells(head)
    assert "conditional skill ↑" not in head
    assert "version 1 (conditions labels): width=8" in text


def test_every_table_line_has_as_many_cells_as_its_head(board: Leaderboard) -> None:
    width = 0
    for line in to_markdown(board).splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        width = width or len(cells(line))
        assert len(cells(line)) == width, line


def test_foreign_names_are_harmless_in_markdown(board: Leaderboard) -> None:
    page = MarkdownIt("commonmark").enable("table").render(to_markdown(board))
    assert not re.search(r"<(script|a|img|strong>a)\b", page)
    shown = [html.unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page)]
    for name in NASTY:
        assert shown.count(name.replace("\n", " ")) >= 7, name


def test_text_cells_of_the_csv_are_no_formulas_and_numbers_stay_numbers(board: Leaderboard) -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(board))))
    names = {row["generator"] for row in rows}
    assert {"'=cmd|x", "'-1+1", "a b", "vae"} <= names
    for row in rows:
        for key, value in row.items():
            if value[:1] in ("=", "+", "-", "@"):
                float(value)
                assert key.endswith(("_mean", "_half_width", "_s"))
    first = next(row for row in rows if row["generator"] == "vae")
    assert float(first["frechet_in_training_variance_mean"]) == 380
    assert float(first["fit_cpu_s"]) == 1.5
    assert first["peak_device_memory_bytes"] == ""
    assert first["cohort"] == "tiny"


def test_the_summary_has_the_order_and_ranks_of_the_table(board: Leaderboard) -> None:
    frame = summary(board)
    assert len(frame) == len(board.rows)
    assert frame["rank"].tolist()[0] == "–"
    assert frame.loc[frame["rank"] == "1", "generator"].tolist() == ["# a"]
    assert frame.loc[frame["generator"] == "vae", "cells"].tolist() == ["3/3"]


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([0.95, 0.1], 3),
        ([1.2], 3),
        ([665.0, 81.0], 1),
        ([0.055, 0.0021], 4),
        ([0.0], 3),
        ([], 3),
        ([0.106, 0.0031, 0.0025], 4),
        ([0.05, 0.0003, 0.0002, 0.0, math.nan], 5),
        ([1e-9], 6),
        ([40.0, 0.02, 0.01], 3),
    ],
)
def test_decimals(values: list[float], places: int) -> None:
    assert decimals(values) == places


def test_numbers() -> None:
    assert number(-0.0001, 3) == "0.000"
    assert number(float("nan"), 3) == "–"
    assert with_interval(0.5, float("nan"), 2) == "0.50"
    assert with_interval(0.5, 0.034, 2) == "0.50 ± 0.03"


def test_escapes() -> None:
    assert markdown_text("a|b\n<i> primary_site _x_") == r"a\|b &lt;i&gt; primary_site \_x\_"
    assert [csv_text(text) for text in ("=1", "@a", "\t=1", "a=1", "＝1")] == ["'=1", "'@a", "'=1", "a=1", "'＝1"]


SHARED = {
    "gexbench.tasks.errors",
    "gexbench.tasks.files.atomic",
    "gexbench.tasks.files.input_paths",
    "gexbench.tasks.files.plain_text",
}
"""All that leaderboards take from elsewhere than the metrics: how bad input is told and how files are written."""
DECLARED = ("gexbench.tasks.panel",)
"""Where metrics are declared."""


def test_leaderboards_name_metrics_alone_but_for_errors_and_files() -> None:
    """Also imports within functions, which only run when they are called."""
    import gexbench.leaderboards as package

    found = set()
    for path in Path(package.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            found |= {name for name in names if name.startswith("gexbench")}
    others = {name for name in found if not name.startswith(("gexbench.leaderboards", *DECLARED))}
    assert others <= SHARED


def test_tables_are_made_without_torch_models_or_runner() -> None:
    code = (
        "import sys, gexbench.leaderboards.pages.rendering\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('torch', 'sklearn', 'xgboost', 'anndata') "
        "or n.startswith(('gexbench.models', 'gexbench.tasks.', 'gexbench.benchmark'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    below = {name for name in ast.literal_eval(done.stdout) if not name.startswith(DECLARED)}
    assert below <= SHARED | {"gexbench.tasks.files", "gexbench.tasks.names", "gexbench.tasks.files.plug_ins"}

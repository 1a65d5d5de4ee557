"""LaTeX, Parquet and the choice of formats: what is in them, and that no foreign name breaks out of its cell."""

import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard
from gexbench.leaderboards.pages.latex import latex_text, to_latex
from gexbench.leaderboards.pages.rendering import FORMATS, to_csv, to_parquet, wide, write
from gexbench.leaderboards.records import read_records
from gexbench.tasks.errors import InputError

Contents = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
VALUES = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip
NASTY = [
    r"\input{/etc/passwd}",
    "a & b",
    "50 % off",
    "$x_1^2$",
    "~#{}",
    r"\\[3cm]",
    "*star",
    "中文",
    "a--b",
    'say "no"',
]
PUBLISHED = Path(__file__).resolve().parents[3] / "leaderboards" / "published" / "tcga-site" / "v1"


@pytest.fixture
def contents(make: Make, references: Callable[[int], Contents]) -> Contents:
    made = references(3)
    for at, name in enumerate(("vae", "cvae", *NASTY)):
        made += [make(name, fold, {**VALUES, "recall_genes": 0.4 + 0.01 * at + 0.002 * fold}) for fold in range(3)]
    return made


@pytest.fixture
def board(contents: Contents, parsed: Callable[..., Any]) -> Leaderboard:
    return leaderboard(parsed(contents))


@pytest.fixture
def folder(tmp_path: Path, contents: Contents) -> Path:
    (tmp_path / "board" / "records").mkdir(parents=True)
    for at, content in enumerate(contents):
        (tmp_path / "board" / "records" / f"{at}.json").write_text(json.dumps(content))
    return tmp_path / "board"


def tables(text: str) -> list[tuple[str, list[list[str]]]]:
    """Alignment and rows of cells of every tabular, split at the cell borders that LaTeX sees."""
    found = []
    for alignment, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}\n(.*?)\n\\end\{tabular\}", text, re.DOTALL):
        rows = [line.removesuffix(r" \\") for line in body.splitlines() if line.endswith(r" \\")]
        found.append((alignment, [re.split(r"(?<!\\) & ", row) for row in rows]))
    return found


def test_every_row_of_the_latex_has_a_cell_per_column_and_the_rules_of_booktabs(board: Leaderboard) -> None:
    text = to_latex(board)
    (alignment, rows), (ablation_alignment, ablations) = tables(text)
    assert {len(row) for row in rows} == {len(alignment)}
    assert {len(row) for row in ablations} == {len(ablation_alignment)}
    assert len(rows) == 1 + len(board.rows)
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert text.count(rule) == 2
    assert text.count(r"\begin{") == text.count(r"\end{") == 4
    assert "|" not in alignment
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")


PAPER = r"""\documentclass{article}
\usepackage{booktabs}
\usepackage{graphicx}
\begin{document}
%s
\end{document}
"""


@pytest.mark.slow  # two runs of pdflatex: ten seconds on a busy machine
@pytest.mark.parametrize("of", ["hostile names", "published records"])
def test_the_latex_compiles(of: str, board: Leaderboard, tmp_path: Path) -> None:
    compiler = shutil.which("pdflatex") or shutil.which("tectonic")
    if compiler is None:
        pytest.skip("neither pdflatex (with booktabs) nor tectonic on this machine")
    shown = board if of == "hostile names" else leaderboard(read_records(PUBLISHED / "records"))
    (tmp_path / "paper.tex").write_text(PAPER % to_latex(shown), encoding="ascii")
    options = ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"] if "pdflatex" in compiler else []
    done = subprocess.run(
        [compiler, *options, "paper.tex"], cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "Undefined control sequence" not in done.stdout
    assert (tmp_path / "paper.pdf").read_bytes().startswith(b"%PDF")


def test_the_latex_has_the_numbers_of_the_board(board: Leaderboard) -> None:
    ((_, rows), _) = tables(to_latex(board))
    cells = dict(zip(rows[0], next(row for row in rows if row[1] == "vae"), strict=True))
    vae = board.rows.set_index("generator").loc["vae"]
    assert cells[r"overall $\uparrow$"] == rf"{vae['overall']:.3f} $\pm$ {vae['overall_half_width']:.3f}"
    assert cells[r"Fr\'echet $\downarrow$"] == "380.0"
    assert cells["rank"] == str(vae["rank"])
    assert any(row[1] == r"\emph{class-gaussian}" and row[0] == r"\textendash{}" for row in rows)


def test_foreign_names_are_plain_text_in_latex(board: Leaderboard) -> None:
    text = to_latex(board)
    known = set(re.findall(r"\\([a-zA-Z]+)", text))
    assert known <= {
        "begin", "end", "centering", "caption", "label", "resizebox", "textwidth", "toprule", "midrule", "bottomrule",
        "emph", "pm", "approx", "uparrow", "downarrow", "rightarrow", "bullet", "textendash", "geq", "usepackage",
        "textbackslash", "textasciitilde", "textasciicircum", "textless", "textbar", "char",
    }  # fmt: skip
    assert text.isascii()
    assert not re.search(r"(?<!\\)[#~^](?!\{\*\})", text.replace("$^{*}$", ""))
    comments = [line for line in text.splitlines() if re.search(r"(?<!\\)%", line)]
    assert [line[:7] for line in comments] == ["% Needs", r"\resize", r"\resize"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"\a{b}", r"\textbackslash{}a\{b\}"),
        ("a_b & 5 %", r"a\_b \& 5 \%"),
        ("$1 #2", r"\$1 \#2"),
        ("a--b", "a-{}-b"),
        ("[3cm]", "{[}3cm{]}"),
        ("a\nb", "a b"),
        ("中", "{[}U+4E2D{]}"),
    ],
)
def test_latex_text(text: str, shown: str) -> None:
    assert latex_text(text) == shown


def test_a_row_below_the_line_is_set_apart(make: Make, contents: Contents, parsed: Callable[..., Any]) -> None:
    copies = [make("thief", fold, {**VALUES, "copy_share": 0.9}) for fold in range(3)]
    text = to_latex(leaderboard(parsed([*contents, *copies])))
    before, after = text.split("Below the line")
    assert "thief" not in before
    assert "thief" in after


def test_parquet_and_csv_hold_the_same_frame(board: Leaderboard) -> None:
    frame = pd.read_parquet(io.BytesIO(to_parquet(board)))
    pd.testing.assert_frame_equal(frame, wide(board).reset_index(drop=True))
    text = pd.read_csv(io.StringIO(to_csv(board)))
    assert list(text.columns) == list(frame.columns)
    assert text["overall_score_mean"].tolist() == pytest.approx(frame["overall_score_mean"].tolist(), nan_ok=True)
    assert r"\input{/etc/passwd}" in set(frame["generator"])
    assert to_parquet(board) == to_parquet(board)


def test_formats_that_are_not_there_write_nothing(board: Leaderboard, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write(board, tmp_path / "out", formats=("md", "docx"))
    assert not (tmp_path / "out").exists()


def test_report_writes_the_formats_it_is_asked_for(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "paper"
    done = CliRunner().invoke(app, ["report", str(folder), "--formats", ",".join(FORMATS), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {f"leaderboard.{name}" for name in FORMATS}
    assert sorted(path.name for path in folder.iterdir()) == ["records"]
    assert "leaderboard.tex; records:" in done.output
    assert done.output.splitlines()[-1] == f"leaderboard: {out / 'leaderboard.md'}"
    assert CliRunner().invoke(app, ["report", str(folder)]).exit_code == 0
    assert {path.name for path in folder.glob("leaderboard.*")} == {f"leaderboard.{n}" for n in ("md", "csv", "html")}
    refused = CliRunner().invoke(app, ["report", str(folder), "--formats", "latex,pdff"])
    assert isinstance(refused.exception, InputError)
    assert len(refused.exception.problems) == 2


def test_a_published_folder_gets_no_further_files(tmp_path: Path) -> None:
    copy = shutil.copytree(PUBLISHED, tmp_path / "v1")
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    for more in (["--formats", "tex"], ["--formats", "tex", "--out", str(copy)]):
        assert CliRunner().invoke(app, ["report", str(copy), *more]).exit_code == 2
    elsewhere = ["report", str(copy), "--formats", "tex", "--out", str(tmp_path / "paper")]
    assert CliRunner().invoke(app, elsewhere).exit_code == 0
    assert (tmp_path / "paper" / "leaderboard.tex").is_file()
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before

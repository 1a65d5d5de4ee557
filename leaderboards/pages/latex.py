"""The leaderboard's main table and its ablations as LaTeX, to be read into a paper with `\\input`."""

from collections.abc import Iterable, Sequence

from gexbench.leaderboards.comparing.judging import BELOW, REFERENCE
from gexbench.leaderboards.comparing.ranking import SIGNIFICANCE
from gexbench.leaderboards.comparing.table import Leaderboard
from gexbench.leaderboards.formatting import NOTHING
from gexbench.leaderboards.pages.main_table import GENERATOR, LEADER, ablation_rows, main_columns
from gexbench.leaderboards.pages.words import GATES, below_the_line, resolution
from gexbench.tasks.files.plain_text import plain
from gexbench.tasks.panel.protocols import FIRST

_PREAMBLE = r"% Needs \usepackage{booktabs} and \usepackage{graphicx}; all else is plain LaTeX, also for pdfLaTeX."
_SYMBOLS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "`": "{`}", "'": "{'}",
    "[": "{[}", "]": "{]}", "±": r"$\pm$", "≈": r"$\approx$", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "→": r"$\rightarrow$", "●": r"$\bullet$", "–": r"\textendash{}", "é": r"\'e", "½": r"$\frac{1}{2}$", "≥": r"$\geq$",
    "✗": r"$\times$", "≤": r"$\leq$", "\u00a0": "~",
}  # fmt: skip
"""Character → what pdfLaTeX sets for it; a bracket in braces is no option of the `\\\\` before it."""


def to_latex(board: Leaderboard) -> str:
    """The main table and, where there are any, the ablations: two `table*` environments with booktabs rules.

    Foreign text is escaped; a character that pdfLaTeX cannot set stands as its code point. The same records give the
    same bytes.
    """
    parts = [_PREAMBLE, _main_table(board)]
    if not board.ablations.empty:
        parts.append(_ablations(board))
    return "\n\n".join(parts) + "\n"


def latex_text(text: str) -> str:
    """Foreign text on one line that LaTeX sets as it is: no command, no cell border, no comment, no formula."""
    shown = (_SYMBOLS.get(mark) or (mark if mark.isascii() else f"{{[}}U+{ord(mark):04X}{{]}}") for mark in plain(text))
    return "".join(shown).replace("--", "-{}-")


def _main_table(board: Leaderboard) -> str:
    columns = {head: list(map(_number, cells)) for head, cells in main_columns(board).items()}
    columns[GENERATOR] = [
        rf"\emph{{{latex_text(row.generator)}}}" if row.standing == REFERENCE else latex_text(row.generator)
        for row in board.rows.itertuples()
    ]
    lines = [_row(cells) for cells in zip(*columns.values(), strict=True)]
    below = [at for at, kind in enumerate(board.rows["standing"]) if kind == BELOW]
    if below:
        spanned = rf"\multicolumn{{{len(columns)}}}{{l}}{{Below the line: {below_the_line(board)}}} \\"
        lines[below[0] : below[0]] = [r"\midrule", spanned]
    alignment = "".join("l" if head == GENERATOR else "c" if head == LEADER else "r" for head in columns)
    return _table(_main_caption(board), f"tab:{_label(board)}", alignment, list(columns), lines)


def _main_caption(board: Leaderboard) -> str:
    header = board.header
    folds = len(header.folds)
    about = (
        f"Leaderboard of cohort {header.cohort} ({header.samples:,} samples, {header.genes:,} genes; track "
        f"{header.track}, budget {header.budget}, {folds} {'fold' if folds == 1 else 'folds'}). Scores run from 0 "
        "(a trivial reference) to 1 (real samples); overall is the mean over families. ± is the half-width of the "
        "95 % interval over folds, corrected for shared training samples. ↑ higher is better, ↓ lower is better, "
        "→ as close as possible to real-holdout. ● is not separable from the leader (Holm-adjusted p ≥ .05). "
        "References are in italics and take no rank."
    )
    if board.protocol is not FIRST:
        about = f"{about} {GATES} {resolution(board)}".rstrip()
    return latex_text(about)


def _ablations(board: Leaderboard) -> str:
    measures, differences = ablation_rows(board)
    lines = [
        _row(
            [
                latex_text(row.question),
                rf"{latex_text(row.generator)} $-$ {latex_text(row.against)}",
                *(_number(text) + ("$^{*}$" if p < SIGNIFICANCE else "") for text, p in row.cells),
            ]
        )
        for row in differences
    ]
    caption = latex_text(
        f"What conditions and parts add on cohort {board.header.cohort}: fold-paired differences with 95 % intervals; "
        "* p < .05, adjusted by Holm over the rows of a column."
    )
    heads = ["what is added", "difference", *measures]
    return _table(caption, f"tab:{_label(board)}-ablations", "ll" + "r" * len(measures), heads, lines)


def _table(caption: str, label: str, alignment: str, heads: Sequence[str], lines: Iterable[str]) -> str:
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{{label}}}",
            r"\resizebox{\textwidth}{!}{%",
            rf"\begin{{tabular}}{{{alignment}}}",
            r"\toprule",
            _row([latex_text(head) for head in heads]),
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
        ]
    )


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _number(text: str) -> str:
    """A number, with a true minus where it is negative."""
    shown = latex_text(text.removeprefix("-"))
    return f"$-${shown}" if text.startswith("-") and text != NOTHING else shown


def _label(board: Leaderboard) -> str:
    """Letters, digits and hyphens alone: what every LaTeX takes for a label."""
    text = f"{board.header.cohort}-{board.header.budget}".lower()
    return "".join(mark if mark.isascii() and mark.isalnum() else "-" for mark in text)

"""Tables and pictures of published leaderboards in other pages, drawn from the records and never typed:
``python -m gexbench.leaderboards.publishing.excerpts README.md docs/leaderboards/*.md``.

A page holds ``<!-- excerpt KIND FOLDER … -->``, the table, ``<!-- end of excerpt -->``; the command redraws every such
table of the pages that it is given. ``<!-- picture FOLDER PATH -->`` draws ``PATH-light.svg`` and ``PATH-dark.svg``.
Folders and paths are relative to the current folder.
"""

import functools
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gexbench.leaderboards.comparing.judging import REFERENCE
from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard
from gexbench.leaderboards.figures.summary import THEMES, summary_picture
from gexbench.leaderboards.formatting import markdown_table, markdown_text, starred
from gexbench.leaderboards.pages.main_table import GENERATOR, LEADER, Difference, ablation_rows, main_columns
from gexbench.leaderboards.records import RecordError, read_records
from gexbench.tasks.files.atomic import write_bytes

_BLOCK = re.compile(r"<!-- excerpt ([a-z-]+)((?: [\w./-]+)+) -->\n(.*?)<!-- end of excerpt -->", re.DOTALL)
_PICTURE = re.compile(r"<!-- picture ([\w./-]+) ([\w./-]+) -->")
_MARK = re.compile(r"<!-- (?:excerpt\b|end of excerpt)")
_RANKED_WITH = (LEADER, "Fréchet ↓", "C.MSE ↓", "mean rank ↓", "win rate ↑")
_SITE = (*_RANKED_WITH, "distribution ↑", "structure ↑", "variance ratio →", "copies", "fit (CPU s)")
_LEADERS = (
    "rank", GENERATOR, "overall ↑", "TSTR accuracy (LR) ↑", "recall ↑", "detection AUC (XGB) ↓", "conditional skill ↑",
    "copies", "fit (CPU s)",
)  # fmt: skip
_LEADING_ROWS = 10
_SHORT = ("overall ↑", "TSTR accuracy (LR) ↑", "recall ↑", "conditional skill ↑")


class ExcerptError(ValueError):
    """A page whose excerpts cannot be drawn; `problems` names everything at once, with the fix."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def main_excerpt(board: Leaderboard, without: Sequence[str] = _RANKED_WITH) -> str:
    """The main table as Markdown, references in italics, without some of its columns and without notes."""
    columns = {head: cells for head, cells in main_columns(board).items() if head not in without}
    standings = dict(zip(board.rows["generator"], board.rows["standing"], strict=True))
    columns[GENERATOR] = [
        f"*{markdown_text(name)}*" if standings[name] == REFERENCE else markdown_text(name)
        for name in columns[GENERATOR]
    ]
    return markdown_table(list(columns), [list(line) for line in zip(*columns.values(), strict=True)], text_columns=2)


def leaders_excerpt(board: Leaderboard) -> str:
    """The first ten rows of the main table, references included, with few columns."""
    without = [head for head in main_columns(board) if head not in _LEADERS]
    heads, rule, *lines = main_excerpt(board, without).splitlines()
    return "\n".join([heads, rule, *lines[:_LEADING_ROWS]])


def ablations_excerpt(board: Leaderboard, heads: Sequence[str] | None = None) -> str:
    """What conditions and parts add, fold-paired, with the measures of these heads (None: all)."""
    measures, rows = ablation_rows(board)
    lines = [_line(row, measures, heads) for row in rows]
    return markdown_table(["what is added", "difference", *_chosen(measures, measures, heads)], lines, text_columns=2)


def tracks_excerpt(random: Leaderboard, site: Leaderboard, heads: Sequence[str] | None = None) -> str:
    """The contrasts that both tracks have, one track below the other."""
    measures, of_random = ablation_rows(random)
    _, of_site = ablation_rows(site)
    beside = {(row.generator, row.against): row for row in of_site}
    lines = []
    for row in of_random:
        if (row.generator, row.against) in beside:
            lines.append(["random", *_line(row, measures, heads)])
            lines.append(["site held out", *_line(beside[row.generator, row.against], measures, heads)])
    return markdown_table(
        ["track", "what is added", "difference", *_chosen(measures, measures, heads)], lines, text_columns=3
    )


def _line(row: Difference, measures: Sequence[str], heads: Sequence[str] | None) -> list[str]:
    names = f"{markdown_text(row.generator)} - {markdown_text(row.against)}"
    return [row.question, names, *_chosen([starred(*cell) for cell in row.cells], measures, heads)]


def _chosen(cells: Sequence[str], measures: Sequence[str], heads: Sequence[str] | None) -> list[str]:
    return [cell for cell, head in zip(cells, measures, strict=True) if heads is None or head in heads]


KINDS: Mapping[str, tuple[int, Callable[..., str]]] = {
    "main": (1, main_excerpt),
    "leaders": (1, leaders_excerpt),
    "main-site": (1, functools.partial(main_excerpt, without=_SITE)),
    "ablations": (1, ablations_excerpt),
    "ablations-short": (1, functools.partial(ablations_excerpt, heads=_SHORT)),
    "tracks": (2, tracks_excerpt),
    "tracks-short": (2, functools.partial(tracks_excerpt, heads=_SHORT)),
}
"""Kind of an excerpt → how many leaderboards it is drawn from, and what draws it."""


def redrawn(page: str, root: Path) -> str:
    """A page with every excerpt drawn anew from the records below `root`; all else stays.

    Raises:
        ExcerptError: marks that do not close, kinds or folders that there are not; all at once.
    """
    blocks = list(_BLOCK.finditer(page))
    problems = []
    if len(_MARK.findall(page)) != 2 * len(blocks):
        problems.append("an excerpt's mark is not of the form <!-- excerpt KIND FOLDER -->, or has no end")
    boards: dict[str, Leaderboard] = {}
    for kind, folders in ((block[1], block[2].split()) for block in blocks):
        if kind not in KINDS:
            problems.append(f"excerpt {kind!r}: there is none; one of {', '.join(KINDS)}")
        elif len(folders) != KINDS[kind][0]:
            problems.append(f"excerpt {kind}: needs {KINDS[kind][0]} folders of leaderboards, got {len(folders)}")
        for folder in folders:
            try:
                boards.setdefault(folder, leaderboard(read_records(root / folder / "records")))
            except RecordError as error:
                problems += [f"excerpt {kind} {folder}: {problem}" for problem in error.problems]
    if problems:
        raise ExcerptError(problems)

    def drawn(block: re.Match[str]) -> str:
        kind, folders = block[1], block[2].split()
        table = KINDS[kind][1](*(boards[folder] for folder in folders))
        return f"<!-- excerpt {kind} {' '.join(folders)} -->\n\n{table}\n\n<!-- end of excerpt -->"

    return _BLOCK.sub(drawn, page)


def pictures(page: str, root: Path) -> dict[str, str]:
    """Path below `root` → SVG, of every picture that a page names.

    Raises:
        RecordError: a folder without records that share a table.
    """
    found: dict[str, str] = {}
    for folder, path in _PICTURE.findall(page):
        board = leaderboard(read_records(root / folder / "records"))
        found |= {f"{path}-{theme}.svg": summary_picture(board, theme) for theme in THEMES}
    return found


def main(pages: Sequence[str]) -> int:
    """Redraw the excerpts and pictures of pages; the exit code."""
    if not pages:
        print("error: name the pages, for example README.md", file=sys.stderr)
        return 2
    try:
        texts = {page: redrawn(Path(page).read_text(encoding="utf-8"), Path()) for page in pages}
        for text in list(texts.values()):
            texts |= pictures(text, Path())
    except (OSError, ExcerptError, RecordError) as error:
        for problem in getattr(error, "problems", (str(error),)):
            print(f"error: {problem}", file=sys.stderr)
        return 2
    for path, text in texts.items():
        write_bytes(Path(path), text.encode())
    print(f"redrawn: {', '.join(texts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

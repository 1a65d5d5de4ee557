"""Tables for a terminal: numbers aligned at their points, words whole, whole columns dropped where it is narrow."""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

GAP = 2
PROSE_FROM = 26
"""Cells wider than this, with spaces, may wrap; a column of them gets at least this width."""
_NUMBER = r"[<>]?\s?[-+]?(?:inf|\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?)(?: %)?"
_BETWEEN = re.compile(r"( ± | to | … )")
_NUMBERS = re.compile(rf"{_NUMBER}(?:(?: ± | to | … |/){_NUMBER})*")
_NOTHING = frozenset({"", "–"})
ELSEWHERE = "widen the terminal or pipe the output to see all of them"


def print_table(
    console: "Console",
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    title: str = "",
    groups: Sequence[Sequence[str]] = (),
    elsewhere: str = ELSEWHERE,
) -> None:
    """Print a table of foreign text, without markup, and below it how many columns did not fit.

    Args:
        console: where it goes; a column that is too much for its width is left out whole.
        heads: of the columns; none is shown where all are empty, and then no column is dropped.
        rows: one text per column.
        title: a line above the table.
        groups: heads in the order of their importance, those of a group shown together or not at all; other heads
            follow from left to right. The first of all is always shown.
        elsewhere: where all columns can be seen.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    from gexbench.tasks.files.plain_text import plain

    lines = [[plain(str(text)) for text in row] for row in rows]
    names = [plain(head) for head in heads]
    columns = [[name, *(line[at] for line in lines)] for at, name in enumerate(names)]
    numeric = [_is_numeric(column[1:]) for column in columns]
    columns = [_aligned(column) if right else column for column, right in zip(columns, numeric, strict=True)]
    wanted = [max(map(cell_len, column)) for column in columns]
    least = [
        width if right else _least(column, width) for column, width, right in zip(columns, wanted, numeric, strict=True)
    ]
    shown, widths = _fitted(wanted, least, console.width, _ordered(names, groups))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=any(names))
    for at in shown:
        table.add_column(Text(columns[at][0]), width=widths[at], overflow="fold")
    for line in zip(*(columns[at][1:] for at in shown), strict=True):
        table.add_row(*map(Text, line))
    if title:
        console.print(Text(plain(title), style="bold"))
    console.print(table, soft_wrap=False)
    if len(shown) < len(names):
        dropped = len(names) - len(shown)
        said = f"{dropped} of {len(names)} columns do not fit into {console.width} characters; {elsewhere}"
        console.print(said, markup=False, highlight=False)


def _is_numeric(cells: Sequence[str]) -> bool:
    """Whether a column holds numbers, intervals, ratios or ranges of numbers, and at least one of them."""
    held = [cell for cell in cells if cell not in _NOTHING]
    return bool(held) and all(_NUMBERS.fullmatch(cell) for cell in held)


def _aligned(column: Sequence[str]) -> list[str]:
    """A head and its numbers in one width, the decimal points under each other; a dash stands at the right."""
    head, *cells = column
    parts = [_BETWEEN.split(cell) if cell not in _NOTHING else [] for cell in cells]
    made = [""] * len(cells)
    for at in range(max(map(len, parts))):
        texts = [part[at] if at < len(part) else "" for part in parts]
        before = [text.partition(".")[0] for text in texts]
        after = [text[len(start) :] for text, start in zip(texts, before, strict=True)]
        left, right = (max(map(len, side)) for side in (before, after))
        made = [
            text + start.rjust(left) + end.ljust(right) for text, start, end in zip(made, before, after, strict=True)
        ]
    placed = [head, *(cell if cell in _NOTHING else text for text, cell in zip(made, cells, strict=True))]
    return [text.rjust(max(map(len, placed))) for text in placed]


def _fitted(
    wanted: Sequence[int], least: Sequence[int], room: int, order: Sequence[Sequence[int]]
) -> tuple[list[int], list[int]]:
    """The columns that fit, in their order, and a width for every column.

    Args:
        wanted, least: widths in which a column's cells stand in one line, and in which its words are whole.
        order: columns from the most important; those of a group are shown together.
    """
    shown: list[int] = []
    for group in order:
        if not shown or _total(least, [*shown, *group]) <= room:
            shown += group
    widths = list(least)
    widest = max(shown, key=lambda at: widths[at])
    widths[widest] -= max(0, min(_total(widths, shown) - room, widths[widest] - 1))
    for at in sorted(shown, key=lambda at: wanted[at] - least[at]):
        widths[at] += max(0, min(wanted[at] - least[at], room - _total(widths, shown)))
    return sorted(shown), widths


def _least(texts: Sequence[str], wanted: int) -> int:
    """The width that a column of prose needs."""
    return min(wanted, max((PROSE_FROM, *(len(word) for text in texts for word in text.split()))))


def _ordered(names: Sequence[str], groups: Sequence[Sequence[str]]) -> list[list[int]]:
    """Columns by importance; all of them in one group where none has a head."""
    if not any(names):
        return [list(range(len(names)))]
    grouped = [[at for at, name in enumerate(names) if name in group] for group in groups]
    named = {at for group in grouped for at in group}
    return [*grouped, *([at] for at in range(len(names)) if at not in named)]


def _total(widths: Sequence[int], shown: Sequence[int]) -> int:
    return sum(widths[at] for at in shown) + GAP * (len(shown) - 1)

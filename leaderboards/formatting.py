"""Numbers and foreign text as they appear in tables."""

import math
import re
from collections.abc import Iterable, Sequence

from gexbench.tasks.files.plain_text import plain
from gexbench.tasks.panel.declarations.metric import Metric

NOTHING = "–"
_ARROWS = {"higher": "↑", "lower": "↓", "match": "→", "skill": "↑", "diagnostic": ""}
_MARKUP = re.compile(r"([\\`*{}\[\]|~$]|(?<!\w)_|_(?!\w)|:(?=//)|^[#+=-])")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def arrow(spec: Metric) -> str:
    """↑ higher is better, ↓ lower is better, → as close as possible to the real-holdout; else nothing."""
    return _ARROWS[spec.goal]


def decimals(values: Iterable[float]) -> int:
    """Decimals for a column of values, robust to an outlier.

    3 where the largest is between 0.1 and 10, else about three digits of it; at least two digits of the median of the
    values that are not 0; at most 6.
    """
    sizes = sorted(abs(value) for value in values if math.isfinite(value) and value != 0)
    if not sizes:
        return 3
    size, typical = (math.floor(math.log10(value)) for value in (sizes[-1], sizes[len(sizes) // 2]))
    of_largest = max(3 - size, 0) if size >= 0 else max(2 - size, 3)
    return min(max(of_largest, 1 - typical if typical < -1 else 0), 6)


def number(value: float, places: int) -> str:
    """A number with fixed decimals, never `-0.000`; a dash when there is none."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def with_interval(value: float, half_width: float, places: int) -> str:
    """`mean ± half-width`, the mean alone when there is no interval."""
    if not math.isfinite(value) or not math.isfinite(half_width):
        return number(value, places)
    return f"{number(value, places)} ± {number(half_width, places)}"


def percent(share: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{number(100 * share, 1)} %" if math.isfinite(share) else NOTHING


def p_text(p: float, bounded: bool = False) -> str:
    """A p-value with three decimals; behind ≤ where it is an upper bound, rounded up."""
    if not math.isfinite(p):
        return NOTHING
    if bounded:
        return f"≤ {math.ceil(round(1000 * p, 6)) / 1000:.3f}"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def mebibytes(count: float) -> str:
    """Bytes as whole MiB."""
    return f"{count / 2**20:,.0f}" if math.isfinite(count) else NOTHING


def markdown_text(text: str) -> str:
    """Foreign text escaped for Markdown and HTML, also inside tables; no links, no markup."""
    line = plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKUP.sub(r"\\\1", line)


def csv_text(text: str) -> str:
    """A text cell that spreadsheets do not interpret as a formula."""
    line = plain(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


def starred(text: str, p: float) -> str:
    """Markdown with a star where p < .05."""
    return f"{text} \\*" if p < 0.05 else text


def markdown_table(heads: Sequence[str], lines: Sequence[Sequence[str]], text_columns: int) -> str:
    """A Markdown table of ready cells; the first columns hold text, the others numbers."""
    rule = [":--" if at < text_columns else "--:" for at in range(len(heads))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (heads, rule, *lines))

"""HTML whose text is escaped unless it was made here, and small inline drawings."""

import html
import math
import re

from gexbench.tasks.files.plain_text import plain

_VOID = frozenset({"br", "col", "input", "meta", "wbr"})
_TAG = re.compile(r"[a-z][a-z0-9]*")
_BAR_HEIGHT = 12

Attribute = str | int | bool | None


class Markup(str):
    """Safe HTML; all other text is escaped when it enters an element."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Text as it reads, on one line and without text-direction characters; `Markup` as it stands."""
    if isinstance(text, Markup):
        return text
    line = plain(f"|{text}|")[1:-1]  # spaces at the ends separate words here
    return Markup(html.escape(line, quote=True))


def joined(*parts: str) -> Markup:
    """The parts one after another, each escaped unless it is `Markup`."""
    return Markup("".join(escaped(part) for part in parts))


def element(tag: str, *children: str, **attributes: Attribute) -> Markup:
    """`<tag attributes>children</tag>`.

    Args:
        tag: name of the element.
        children: content, escaped unless it is `Markup`.
        attributes: `class_` gives `class`, `data_row` gives `data-row`; True an attribute without a value, None and
            False none.

    Raises:
        ValueError: a tag that is no name, or children of an element that has none.
    """
    if not _TAG.fullmatch(tag) or (tag in _VOID and children):
        raise ValueError(f"<{tag}> with {len(children)} children is no element")
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    stated = "".join(
        f" {name}" if value is True else f' {name}="{escaped(str(value))}"'
        for name, value in named.items()
        if value is not None and value is not False
    )
    opening = f"<{tag}{stated}>"
    return Markup(opening if tag in _VOID else f"{opening}{joined(*children)}</{tag}>")


def interval_bar(
    value: float,
    half_width: float,
    low: float,
    high: float,
    width: int,
    mark: float | None = None,
    centre: float | None = None,
) -> Markup:
    """A dot with its interval on the axis from `low` to `high`; nothing for a value that is not finite.

    Args:
        value, half_width: in the unit of the axis; a half-width that is not finite draws the dot alone.
        low, high: ends of the axis; an interval beyond them is cut there.
        width: in pixels.
        mark: where a vertical line stands, such as 0 for a difference.
        centre: of the interval, where it is not the value.
    """
    if not math.isfinite(value) or not high > low:
        return Markup()

    def at(place: float) -> str:
        share = min(max((place - low) / (high - low), 0.0), 1.0)
        return f"{4 + share * (width - 8):.1f}"

    middle = _BAR_HEIGHT // 2
    parts = [element("path", class_="axis", d=f"M4 {middle}H{width - 4}")]
    if mark is not None:
        parts.append(element("path", class_="mark", d=f"M{at(mark)} 0V{_BAR_HEIGHT}"))
    if math.isfinite(half_width):
        from_, to = ((value if centre is None else centre) + side * half_width for side in (-1, 1))
        parts.append(element("path", class_="whisker", d=f"M{at(from_)} {middle}H{at(to)}"))
    parts.append(element("circle", cx=at(value), cy=middle, r="2"))
    box = f"0 0 {width} {_BAR_HEIGHT}"
    return element("svg", *parts, class_="bar", width=width, height=_BAR_HEIGHT, viewBox=box, aria_hidden="true")

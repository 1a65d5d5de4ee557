"""The exception for input that a user can fix."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

_LONGEST_VALUE = 60
_WORDS = {
    "missing": "missing",
    "string_type": "{value} is not text",
    "string_unicode": "{value} holds half a character (a lone surrogate)",
    "string_pattern_mismatch": "{value} is not 64 hexadecimal digits",
    "int_type": "{value} is not an integer",
    "int_parsing": "{value} is not an integer",
    "int_from_float": "{value} is not an integer",
    "float_type": "{value} is not a number in the range of floats",
    "float_parsing": "{value} is not a number",
    "bool_type": "{value} is not true or false",
    "bool_parsing": "{value} is not true or false",
    "tuple_type": "{value} is not a list",
    "dict_type": "{value} is not an object",
    "model_type": "{value} is not an object",
    "greater_than": "{value} should be above {gt:g}",
    "greater_than_equal": "{value} should be at least {ge:g}",
    "less_than": "{value} should be below {lt:g}",
    "less_than_equal": "{value} should be at most {le:g}",
}


class InputError(Exception):
    """Bad input: the message names the value, the place and the fix.

    The command line prints the message without a traceback and exits with code 2.
    Several problems of one file or specification are collected and raised together.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


def examples(values: Iterable[object], most: int = 3) -> str:
    """The first `most` values, comma-separated, with an ellipsis where there are more."""
    listed = [str(value) for value in values]
    return ", ".join(listed[:most]) + (", …" if len(listed) > most else "")


def by_kind(failed: Iterable[tuple[str, str]], where: str, things: str) -> list[str]:
    """Problems of many files as one per kind: with one file its own words, else how many, three names, and the first.

    Args:
        failed: (name, problem) pairs; a problem may begin with `name: `.
        where: what the files lie in.
        things: what they are, in the plural.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for name, problem in failed:
        plain = problem.removeprefix(f"{name}: ")
        kinds.setdefault(re.sub(r"\([^()]*\)|\d+|'[^']*'", "", plain.replace(name, "")), []).append((name, plain))
    found = []
    for cases in kinds.values():
        name, problem = cases[0]
        names = examples(name for name, _ in cases)
        found.append(
            f"{name}: {problem}" if len(cases) == 1 else f"{where}: {len(cases)} {things} ({names}): {problem}"
        )
    return found


def field_problem(item: Mapping[str, Any], place: str | None = None) -> str:
    """What is wrong with one field, as `place.of.the.field: what is wrong`.

    Args:
        item: of `ValidationError.errors()` of pydantic.
        place: in the place of the field's own, such as the option that gave the value.
    """
    where = ".".join(map(str, item["loc"])) if place is None else place
    return f"{where}: {wrong(item)}" if where else wrong(item)


def wrong(item: Mapping[str, Any]) -> str:
    """What is wrong with a field's value, without its place; `item` as in `field_problem`."""
    value, message = short(item["input"]), str(item["msg"])
    if item["type"] in _WORDS:
        return _WORDS[item["type"]].format(value=value, **item.get("ctx", {}))
    if item["type"] == "value_error":
        return f"{value}: {message.removeprefix('Value error, ')}"
    kind, _, rest = message.partition(" should ")
    return f"{value} should {rest}" if rest and kind in ("Input", "String", "Tuple") else message


def short(value: Any) -> str:
    """The value on one line of at most 60 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "…"

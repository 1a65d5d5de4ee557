"""The exception for input that a user can fix."""

from collections.abc import Iterable, Mapping
from typing import Any


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


def field_problem(item: Mapping[str, Any]) -> str:
    """What is wrong with one field, as `place.of.the.field = value: message`.

    Args:
        item: of `ValidationError.errors()` of pydantic.
    """
    place = ".".join(map(str, item["loc"]))
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{place} = {item['input']!r}: {message}" if place else message

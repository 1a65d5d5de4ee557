"""The exception for input that a user can fix."""

import re
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


def field_problem(item: Mapping[str, Any]) -> str:
    """What is wrong with one field, as `place.of.the.field = value: message`.

    Args:
        item: of `ValidationError.errors()` of pydantic.
    """
    place = ".".join(map(str, item["loc"]))
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{place} = {item['input']!r}: {message}" if place else message

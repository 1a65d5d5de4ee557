"""How many training seeds generators get: one number for all of them, and other numbers for some."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import PlainValidator

from gexbench.tasks.errors import InputError

MOST_SEEDS = 1000
"""A plan lists the cells of all of them."""

OTHERS = "default"
"""Key of the number of every generator that has none of its own."""


def _seeds(value: Any) -> Any:
    counts = list(value.values()) if isinstance(value, dict) else [value]
    if counts and all(type(count) is int and 1 <= count <= MOST_SEEDS for count in counts):
        return value
    raise ValueError(
        f"give a number from 1 to {MOST_SEEDS}, or numbers by generator: {{{OTHERS}: 1, cvae: 2}}, where `{OTHERS}` is "
        "that of all others"
    )


Seeds = Annotated[int | Mapping[str, int], PlainValidator(_seeds)]
"""Training seeds per fold as a specification states them."""


def read_seeds(text: str) -> int | dict[str, int]:
    """What `--seeds` says: `2`, `1,cvae=2`, or `cvae=2`, which leaves the number of the others as it is.

    Raises:
        InputError: parts of another form, two numbers for the same generators; all at once.
    """
    found: dict[str, int] = {}
    problems = []
    for part in (part.strip() for part in text.split(",")):
        name, equals, count = (piece.strip() for piece in part.rpartition("="))
        key = name if equals else OTHERS
        if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST_SEEDS) or (equals and not name):
            problems.append(
                f"--seeds {part!r}: give a number from 1 to {MOST_SEEDS}, or GENERATOR=NUMBER, for example 1,cvae=2"
            )
        elif key in found:
            problems.append(f"--seeds {part!r}: a second number for {name or 'all generators'}; keep one of them")
        else:
            found[key] = int(count)
    if problems:
        raise InputError(problems)
    return found[OTHERS] if found.keys() == {OTHERS} else found


def merged_seeds(held: Any, given: int | Mapping[str, int] | None, generators: Collection[str] | None) -> Any:
    """A specification's seeds with those of the command line on top; what has no such form is left to the types' check.

    Args:
        held: of the specification; given: of the command line, None without any. A number for all replaces what is
            held.
        generators: that the command line names; None when it names none, or all. Numbers of others are dropped.
    """
    if isinstance(held, dict) and generators is not None:
        held = {name: count for name, count in held.items() if name in {*generators, OTHERS}} or 1
    if given is None:
        return held
    if isinstance(given, int) or OTHERS in given:
        return given
    return {**(held if isinstance(held, dict) else {OTHERS: held}), **given}

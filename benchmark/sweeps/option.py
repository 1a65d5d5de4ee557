"""How a field of a specification is typed on the command line, and what a YAML file would hold in its place."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gexbench.leaderboards.records.parts import TUNED
from gexbench.tasks.errors import InputError

NOT_TYPED: Final = object()
"""What `Option.read` gives when the text of a shared option says nothing of the field."""


@dataclass(frozen=True, slots=True)
class Option:
    """Metadata of a field: its option.

    Attributes:
        help: shown by `--help`; "(default: …)" in it takes the place of the field's default.
        name: without dashes; None makes it from the field's name. Fields may share one, which the first describes.
        metavar: what stands for the value in `--help`.
        read: text → the value in a YAML file; None leaves the reading of numbers and words to the field's type.
        repeated: may be typed several times; `read` gets all texts.
    """

    help: str = ""
    name: str | None = None
    metavar: str | None = None
    read: Callable[[Any], Any] | None = None
    repeated: bool = False


def listed(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated option.

    Raises:
        InputError: a text that names nothing.
    """
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if text and not parts:
        raise InputError(f"{text!r}: names nothing; give names or numbers, comma-separated")
    return parts


def read_generators(text: str) -> list[str] | str:
    """Names, or `all`."""
    return text if text == "all" else list(listed(text))


def read_folds(text: str) -> list[int] | str | None:
    """Indices, `all`, the name of a file, or nothing."""
    parts = listed(text)
    if all(part.isascii() and part.isdigit() for part in parts):
        return [int(part) for part in parts] or None
    return text


def read_shares(text: str) -> list[float | str]:
    """Numbers; other parts as they are, which the field refuses."""
    return [_number(part) for part in listed(text)]


def read_settings(texts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """GENERATOR.SETTING=VALUE as generator → setting → value, read as JSON or else as text; `tuned` is passed over.

    Raises:
        InputError: texts of another form, all at once.
    """
    found: dict[str, dict[str, Any]] = {}
    problems = []
    for text in texts:
        place, equals, value = text.partition("=")
        generator, dot, setting = place.partition(".")
        if _is_tuned(text):
            continue
        if not (equals and dot and setting):
            problems.append(
                f"--settings {text!r}: write it as GENERATOR.SETTING=VALUE, for example gemm-gan.batch=32, "
                "or as tuned or tuned:FILE"
            )
            continue
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        if isinstance(parsed, float) and not math.isfinite(parsed):
            problems.append(f"--settings {text!r}: {value} is not a finite number")
        found.setdefault(generator, {})[setting] = parsed
    if problems:
        raise InputError(problems)
    return found


def read_tuned(texts: Sequence[str]) -> Any:
    """What `tuned` or `tuned:FILE` among the texts of `--settings` says: True, or the file.

    Raises:
        InputError: several of them.
    """
    given = [text for text in texts if _is_tuned(text)]
    if len(given) > 1:
        raise InputError(f"--settings: {', '.join(given)}: give one of them")
    return given[0].partition(":")[2] or True if given else NOT_TYPED


def _is_tuned(text: str) -> bool:
    return text == TUNED or text.startswith(f"{TUNED}:")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text

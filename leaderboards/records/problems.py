"""What is wrong with a record, in words: the path of the field, its value, what it should be."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

REMEDY = "restore the file as it was written, or delete it and run the cell again"
_LONGEST_VALUE = 60
_WORDS = {
    "missing": "missing",
    "extra_forbidden": "unknown field; read it with the version of gexbench that wrote it, or take the field out",
    "string_type": "{value} is not text",
    "string_unicode": "{value} holds half a character (a lone surrogate)",
    "string_pattern_mismatch": "{value} is not 64 hexadecimal digits",
    "int_type": "{value} is not an integer",
    "float_type": "{value} is not a number in the range of floats",
    "bool_type": "{value} is not true or false",
    "tuple_type": "{value} is not a list",
    "dict_type": "{value} is not an object",
    "model_type": "{value} is not an object",
}


class RecordError(ValueError):
    """Records that cannot make a table; `problems` names every file or value concerned, with the fix."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class Twice:
    """Stands for the value of a key that an object has twice, which no type of a record takes."""

    def __repr__(self) -> str:
        return "<given twice>"


def field_problems(error: "ValidationError") -> list[str]:
    """One line per field that is missing, unknown or wrong: `field.path: what is wrong`; of the record, no path."""
    paths = [(_path(each), _said(each)) for each in error.errors(include_url=False)]
    return [f"{path}: {said}" if path else said for path, said in paths]


def _path(problem: "ErrorDetails") -> str:
    return ".".join(short(part) if "." in str(part) else str(part) for part in problem["loc"] if part != "[key]")


def _said(problem: "ErrorDetails") -> str:
    if isinstance(problem["input"], Twice):
        return "stands twice in its object; keep one"
    value, message = short(problem["input"]), problem["msg"]
    if problem["type"] in _WORDS:
        return _WORDS[problem["type"]].format(value=value)
    kind, _, rest = message.partition(" should ")
    return f"{value} should {rest}" if rest and kind in ("Input", "String", "Tuple") else message


def short(value: Any) -> str:
    """The value on one line of at most 60 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "…"

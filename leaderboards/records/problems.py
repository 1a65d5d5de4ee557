"""What is wrong with a record, in words: the path of the field, its value, what it should be."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gexbench.tasks.errors import short, wrong

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

REMEDY = "restore the file as it was written, or delete it and run the cell again"
_UNKNOWN = "unknown field; read it with the version of gexbench that wrote it, or take the field out"


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
    return _UNKNOWN if problem["type"] == "extra_forbidden" else wrong(problem)

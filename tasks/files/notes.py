"""What an import left out, changed or has to say of the rows that it kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MOST_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Note:
    """One thing that an import did, for one reason.

    Attributes:
        reason: what and why, such as "no clinical row".
        count: how many samples, genes, values or slides.
        ids: up to three of them.
        left_out: whether they are not in the cohort; else the note is only said.
    """

    reason: str
    count: int
    ids: tuple[str, ...] = ()
    left_out: bool = True

    @classmethod
    def of(cls, reason: str, ids: Iterable[object], *, left_out: bool = True) -> "Note":
        """Counts `ids` and keeps the first three."""
        names = [str(name) for name in ids]
        return cls(reason, len(names), tuple(names[:MOST_EXAMPLES]), left_out)

    def said(self) -> str:
        """One line for a terminal."""
        more = ", …" if self.count > len(self.ids) else ""
        return f"{self.count:,}: {self.reason}" + (f" ({', '.join(self.ids)}{more})" if self.ids else "")


def as_json(notes: Iterable[Note]) -> list[dict[str, Any]]:
    """Notes for the provenance; `kept` marks those that left nothing out."""
    return [
        {"reason": note.reason, "count": note.count, "examples": list(note.ids)}
        | ({} if note.left_out else {"kept": True})
        for note in notes
    ]

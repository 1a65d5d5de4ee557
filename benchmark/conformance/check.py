"""A check of the contract, and its findings."""

import inspect
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gexbench.benchmark.conformance.subject import Subject
from gexbench.models import contract
from gexbench.models.contract import Unavailable


class Broken(Exception):
    """The contract is broken: what was observed, and how to fix it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what, self.fix = what, fix


class Skipped(Exception):
    """The check does not apply; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Check:
    """One rule of the contract.

    Attributes:
        name: short, for the table and for tests.
        rule: what holds when it passes.
        why: what goes wrong for the benchmark when it does not hold.
        clause: the words of the contract, as they stand in `models/contract.py`.
        run: raises `Broken` or `Skipped`; may return what it measured, for the table.
    """

    name: str
    rule: str
    why: str
    clause: str
    run: Callable[[Subject], str | None]

    @property
    def place(self) -> str:
        """File and line of the clause."""
        source = inspect.getsource(contract)
        line = source[: source.index(self.clause)].count("\n") + 1
        return f"models/contract.py:{line}"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: the check.
        state: `passed`, `broken` or `skipped`.
        what: what was observed, why it was skipped, or what was measured; may be empty.
        fix: how to fix it; empty unless broken.
    """

    check: Check
    state: Literal["passed", "broken", "skipped"]
    what: str = ""
    fix: str = ""

    @property
    def lesson(self) -> str:
        """What is wrong, why it matters, how to fix it, and the contract's words."""
        return (
            f"{self.check.name}: {self.what}\n"
            f"  why it matters: {self.check.why}\n"
            f"  how to fix it: {self.fix}\n"
            f"  the contract ({self.check.place}): “{self.check.clause}”"
        )


def checked(check: Check, subject: Subject) -> Finding:
    """Run a check; any exception of the generator's code is a finding."""
    if subject.unfit and check.name != subject.FIRST:
        return Finding(check, "skipped", f"needs the fit that failed ({subject.FIRST})")
    try:
        return Finding(check, "passed", check.run(subject) or "")
    except Skipped as reason:
        return Finding(check, "skipped", str(reason))
    except Broken as broken:
        return Finding(check, "broken", broken.what, broken.fix)
    except Unavailable as error:
        return Finding(
            check,
            "broken",
            f"raised Unavailable: {error}",
            "raise Unavailable only for something the cohort lacks; this one has labels, text and patches",
        )
    except Exception as error:  # whatever the generator's code raises
        what = f"raised {type(error).__name__}: {error}{_where(error)}"
        return Finding(check, "broken", what, "run the named lines on their own and fix the error")


def _where(error: Exception) -> str:
    """The last place outside this package, as file and line."""
    own = Path(__file__).parent
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).parent != own]
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""

"""A check of the contract, and its findings."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gexbench.benchmark.conformance.subject import Subject
from gexbench.models import contract
from gexbench.models.contract import Unavailable
from gexbench.models.entry import missing_package


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


NEED_ROWS = frozenset({"draws", "seeds", "training seed", "conditions", "saving", "absent conditions", "small classes"})


def checked(check: Check, subject: Subject) -> Finding:
    """Run a check; any exception of the generator's code is a finding, and one fault is found once."""
    if subject.unfit and check.name != subject.FIRST:
        return Finding(check, "skipped", f"needs the fit that failed ({subject.FIRST})")
    if check.name in NEED_ROWS and "rows" in subject.faults.values():
        return Finding(check, "skipped", "needs the rows that are broken (rows)")
    found = _found(check, subject)
    if found.state != "broken":
        return found
    first = subject.faults.setdefault(found.what.partition(" it raised ")[2] or found.what, check.name)
    return found if first == check.name else Finding(check, "skipped", f"stops at the fault that {first!r} names")


def _found(check: Check, subject: Subject) -> Finding:
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
    except (Exception, SystemExit) as error:  # whatever the generator's code raises
        return Finding(check, "broken", f"it raised {subject.said(error)}", _fix(error))


def _fix(error: BaseException) -> str:
    """What to change where code raises this error."""
    if isinstance(error, ModuleNotFoundError) and (needs := missing_package(error)):
        return f"{needs}; a sweep lists the generator as unavailable"
    text = str(error)
    if isinstance(error, TypeError) and "argument" in text and any(f"{name}()" in text for name in _SIGNATURES):
        return "give it the contract's arguments: " + "; ".join(f"`{each}`" for each in _SIGNATURES.values())
    if isinstance(error, AttributeError) and "object has no attribute" in text:
        return "set the attribute in `fit`, and again in `restore`"
    if isinstance(error, SystemExit):
        return "raise an error that says what is wrong, in place of ending the program"
    return "fix the error at the line that it names; it occurs with the data of the check"


_SIGNATURES = {
    "fit": "fit(self, train, validation, *, seed, progress=silent)",
    "sample": "sample(self, conditions, draws=1, *, seed)",
    "restore": "restore(self, tensors, facts, device)",
}

"""What a row must pass to be ranked: no copies, no betrayed members, no test patients in its rows.

Pure functions of the figures that records hold; see ``questions.privacy`` for how these are made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, sqrt
from typing import Literal

import numpy as np

from gexbench.metrics.gates.calibration import ENOUGH, LEVEL, TOLERATED, Count, copied_interval, count_p_value

Gate = Literal["copies", "membership", "test leak"]
State = Literal["passed", "failed", "too few patients"]
Figures = Mapping[str, float]
Folds = Sequence[Mapping[str, Figures]]
MARGIN: Mapping[str, float] = {"membership": 0.03, "leak": 0.02}
"""By how much an attack's AUC may lie above that of the class copula, or of a test patient above ½."""
ERROR = 0.05
"""Probability, over all attacks of a gate, that one of them lies above its bound by chance."""
_WORDS = {"one": "one {}", "two": "two {}s", "three": "three {}s", "any": "one, two or three {}s"}
_PARTS = {"test": "test patients", "train": "training patients", "paired": "test patients (paired draws)"}


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """Of one gate over all folds.

    Attributes:
        gate, state: which, and what it says.
        figure: the worst one: a share of samples in [0, 1], or an AUC.
        interval: of copies, the shares of copied samples that the figures do not contradict; of an AUC, simultaneous
            95 % bounds over all attacks of the gate.
        words: a sentence with the figure and what it is compared with.
    """

    gate: Gate
    state: State
    figure: float
    interval: tuple[float, float]
    words: str


def verdicts(folds: Folds, *, reference: bool) -> tuple[GateVerdict, ...]:
    """Verdicts of a row of the table; a gate of which no fold has figures is absent.

    Args:
        folds: figures of every fold, as records hold them: ``copies/KIND/PART/POOL`` and ``leak/KIND/PART`` with
            count, rows, audit_rows, rank, exact; ``membership/GROUP/ATTACK`` and ``leak attack/PART/ATTACK`` with auc,
            reference, sd, members, nonmembers.
        reference: whether the row is a reference, which may know test patients by design: no test leak is sought.
    """
    found = [_copies(folds, "copies"), _attacks(folds, "membership")]
    if not reference:
        found.append(_leak(folds))
    return tuple(verdict for verdict in found if verdict is not None)


def _names(folds: Folds, head: str) -> list[str]:
    return list(dict.fromkeys(name for fold in folds for name in fold if name.startswith(f"{head}/")))


def _copies(folds: Folds, head: Literal["copies", "leak"]) -> GateVerdict | None:
    names = _names(folds, head)
    if not names:
        return None
    counts = {name: [_count(fold[name]) for fold in folds if name in fold] for name in names}
    enough = max(sum(count.audit_rows for count in each) for each in counts.values()) >= ENOUGH
    if not enough:
        counts = {name: [_exact(fold[name]) for fold in folds if name in fold] for name in names}
    chances = {name: count_p_value(each) for name, each in counts.items()}
    worst = min(names, key=lambda name: (chances[name], -_share(counts[name])))
    failed = chances[worst] < LEVEL
    state: State = "failed" if failed else "passed" if enough else "too few patients"
    interval = copied_interval(counts[worst])
    return GateVerdict(
        gate="copies" if head == "copies" else "test leak",
        state=state,
        figure=_share(counts[worst]),
        interval=interval,
        words=_copy_words(worst, _share(counts[worst]), interval, exact=not enough),
    )


def _count(figures: Figures) -> Count:
    return Count(*(int(figures[field]) for field in ("count", "rows", "audit_rows", "rank")))


def _exact(figures: Figures) -> Count:
    return Count(int(figures["exact"]), int(figures["rows"]), 0, 0)


def _share(counts: Sequence[Count]) -> float:
    return sum(count.below for count in counts) / max(1, sum(count.rows for count in counts))


def _copy_words(name: str, share: float, interval: tuple[float, float], exact: bool) -> str:
    head, kind, part, *pool = name.split("/")
    real = f"{pool[0] if head == 'copies' else 'test'} sample"
    made = f"equal a {real}" if exact else f"are made of {_WORDS[kind].format(real)}"
    return (
        f"{share:.1%} of the samples for {_PARTS[part]} {made} "
        f"(copied: {interval[0]:.1%} to {interval[1]:.1%}; tolerated: {TOLERATED:.0%})"
    )


@dataclass(frozen=True, slots=True)
class _Attack:
    """Means over folds of an attack; width: half of its interval."""

    name: str
    auc: float
    reference: float
    width: float
    margin: float

    @property
    def above(self) -> float:
        """Lower bound of what lies above the line; the attack fails where it is positive."""
        return self.auc - self.reference - self.margin - self.width


def _attacks(folds: Folds, head: Literal["membership", "leak attack"]) -> GateVerdict | None:
    from scipy.stats import norm

    names = _names(folds, head)
    if not names:
        return None
    margin = MARGIN["membership" if head == "membership" else "leak"]
    bound = float(norm.isf(ERROR / len(names)))
    found = []
    for name in names:
        each = [fold[name] for fold in folds if name in fold]
        width = bound * sqrt(fsum(figures["sd"] ** 2 for figures in each)) / len(each)
        auc, reference = (float(np.mean([figures[field] for figures in each])) for field in ("auc", "reference"))
        found.append(_Attack(name, auc, reference, width, margin))
    worst = max(found, key=lambda attack: attack.above)
    others = max(sum(fold[name]["nonmembers"] for fold in folds if name in fold) for name in names)
    enough = others >= ENOUGH
    state: State = "too few patients" if not enough else "failed" if worst.above > 0 else "passed"
    interval = (max(0.0, worst.auc - worst.width), min(1.0, worst.auc + worst.width))
    gate: Gate = "membership" if head == "membership" else "test leak"
    return GateVerdict(gate, state, worst.auc, interval, _attack_words(worst, interval))


def _attack_words(worst: _Attack, interval: tuple[float, float]) -> str:
    head, group, kind = worst.name.split("/")
    line = worst.reference + worst.margin
    known = {
        "training": "training patients are told from test patients",
        "validation": "validation patients are told from unseen patients",
        "paired": "training patients are told from unseen patients by paired draws",
    }
    said = (
        known[group]
        if head == "membership"
        else f"test patients are told from unseen patients by the samples for {_PARTS[group]}"
    )
    of = f"class copula {worst.reference:.3f}" if head == "membership" else "chance 0.500"
    return (
        f"{said} with an AUC of {worst.auc:.3f} ({interval[0]:.3f} to {interval[1]:.3f}; "
        f"line {line:.3f}, {of}; attack: {kind})"
    )


def _leak(folds: Folds) -> GateVerdict | None:
    """The worse of both ways to find test patients in a row."""
    order = {"failed": 0, "passed": 1, "too few patients": 2}
    found = [verdict for verdict in (_attacks(folds, "leak attack"), _copies(folds, "leak")) if verdict is not None]
    return min(found, key=lambda verdict: order[verdict.state], default=None)

"""Whether a rerun cell agrees with its record: a pure function of records.

Three criteria, from strict to loose:

- *bits*: the same processor, system, package versions, threads and a CPU: every metric is the same number;
- *reference*: elsewhere, the references, which are not trained: within 1e-6 of the value, and within .005 where a
  classifier is fitted (detection, utility): another order of sums moves a split of a tree, and a split moves patients;
- *spread*: elsewhere, trained generators: within three standard deviations between training seeds, taken from the
  records in the same folder; between folds if there is only one seed; 10 % of the value if there is neither.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gexbench.leaderboards.records import Record
from gexbench.tasks.panel.protocols import PROTOCOLS

RELATIVE = 1e-6
ABSOLUTE = 1e-7
"""Smaller values are rounding errors: of 0, or of the 1 that a skill is taken from."""
CLASSIFIED = 0.005
"""Tolerance of metrics that a fitted classifier gives, for references on another machine class. Between an AMD EPYC and
an Intel Xeon, class-gaussian moved by at most .0012 (one of 812 test patients)."""

DEVIATIONS = 3.0
STATED = 0.1


@dataclass(frozen=True, slots=True)
class Compared:
    """One metric: recorded and again (None where it has no value), the tolerance, and whether they agree."""

    key: str
    recorded: float | None
    again: float | None
    tolerance: float
    agrees: bool


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What a second run showed.

    Attributes:
        promise: the criterion that applies, and why no stricter one.
        metrics: one by one, in the record's order.
        not_compared: metrics missing on one side or of another version, with the reason.
        reason: why there is nothing to compare: how the second run failed; None when it ended well.
    """

    promise: str
    metrics: tuple[Compared, ...]
    not_compared: Mapping[str, str]
    reason: str | None = None

    @property
    def agrees(self) -> bool:
        """Whether every compared metric agrees, and there is at least one."""
        return self.reason is None and bool(self.metrics) and all(each.agrees for each in self.metrics)


def reproduction(recorded: Record, again: Record, beside: Sequence[Record]) -> Reproduction:
    """Compare a record with that of a second run.

    Args:
        recorded: the record.
        again: of the second run.
        beside: records of the same row with other seeds or folds, for the spread; may hold the record itself.
    """
    differences = environment_differences(recorded, again)
    promise, spreads = _promise(recorded, beside, differences)
    if again.state != "ok":
        return Reproduction(promise, (), {}, f"the second run ended as {again.state}: {again.reason}")
    metrics, not_compared = [], {}
    for key, was in recorded.metrics.items():
        now = again.metrics.get(key)
        if now is None:
            not_compared[key] = "this version of gexbench does not measure it"
        elif now.version != was.version:
            not_compared[key] = f"version {was.version} in the record, {now.version} here"
        else:
            tolerance = 0.0 if not differences else _tolerance(was.value, spreads.get(key))
            metrics.append(Compared(key, was.value, now.value, tolerance, _agree(was.value, now.value, tolerance)))
    return Reproduction(promise, tuple(metrics), not_compared)


def environment_differences(recorded: Record, again: Record) -> tuple[str, ...]:
    """What prevents equal bits: processor, system, versions of packages that the record states, threads, device."""
    found = []
    for what in ("architecture", "processor", "system"):
        one, other = (getattr(record.hardware, what) for record in (recorded, again))
        if one != other:
            found.append(f"{what} {one} in the record, {other} here")
    for package, version in sorted(recorded.versions.items()):
        here = again.versions.get(package, "none")
        if here != version:
            found.append(f"{package} {version} in the record, {here} here")
    if recorded.threads != again.threads:
        found.append(f"{recorded.threads} threads in the record, {again.threads} here")
    if "cuda" in (recorded.device, again.device):
        found.append("trained on a GPU; records do not state its model")
    return tuple(found)


def _promise(
    recorded: Record, beside: Sequence[Record], differences: Sequence[str]
) -> tuple[str, Mapping[str, float | None]]:
    """The promise in words, and metric → standard deviation, None where 10 % or 1e-6 of the value count."""
    if not differences:
        return "equal bits: the same processor, system, versions, threads and device", {}
    why = f"no equal bits: {'; '.join(differences)}"
    if recorded.generator.reference:
        lookup = PROTOCOLS[recorded.protocol].lookup
        classified = {key for key in recorded.metrics if lookup(key).family in ("detection", "utility")}
        tolerances = {key: CLASSIFIED / DEVIATIONS if key in classified else 0.0 for key in recorded.metrics}
        said = f"within {RELATIVE:g} of the value, {CLASSIFIED:g} where a classifier is fitted, as a reference ({why})"
        return said, tolerances
    alike = [record for record in (*beside, recorded) if _alike(record, recorded)]
    for what, groups in (
        ("training seeds", _by_fold(alike)),
        ("folds, as there is only one seed", _by_repeat(alike, recorded)),
    ):
        spreads = {key: _spread(groups, key) for key in recorded.metrics}
        if any(spread is not None for spread in spreads.values()):
            return f"within {DEVIATIONS:g} standard deviations between {what} ({why})", spreads
    return f"within {STATED:.0%} of the value: the folder has no record of another seed or fold ({why})", {}


def _alike(record: Record, other: Record) -> bool:
    def facts(each: Record) -> tuple[Any, ...]:
        return (
            each.row, each.generator.version, each.cohort.fingerprint, each.fold.track, each.budget, each.state,
        )  # fmt: skip

    return facts(record) == facts(other)


def _by_fold(records: Sequence[Record]) -> list[list[Record]]:
    """The seeds of each fold."""
    folds: dict[int, dict[int, Record]] = defaultdict(dict)
    for record in records:
        folds[record.fold.index][record.repeat] = record
    return [list(seeds.values()) for seeds in folds.values()]


def _by_repeat(records: Sequence[Record], recorded: Record) -> list[list[Record]]:
    """The folds of the record's own seed."""
    return [list({record.fold.index: record for record in records if record.repeat == recorded.repeat}.values())]


def _spread(groups: Sequence[Sequence[Record]], key: str) -> float | None:
    """Standard deviation (ddof 1) within the groups, pooled over them; None without two values in any."""
    squares, degrees = 0.0, 0
    for group in groups:
        values = [record.metrics[key].value for record in group if key in record.metrics]
        known = np.asarray([value for value in values if value is not None], dtype=np.float64)
        if len(known) > 1:
            squares += float(((known - known.mean()) ** 2).sum())
            degrees += len(known) - 1
    return math.sqrt(squares / degrees) if degrees else None


def _tolerance(value: float | None, spread: float | None) -> float:
    size = abs(value) if value is not None else 0.0
    allowed = STATED * size if spread is None else DEVIATIONS * spread
    return max(allowed, RELATIVE * size, ABSOLUTE)


def _agree(recorded: float | None, again: float | None, tolerance: float) -> bool:
    if recorded is None or again is None:
        return recorded is None and again is None
    return abs(recorded - again) <= tolerance

"""From metric values to normalised scores, family means and the overall score.

A value becomes a score in [0, 1] between a floor (a trivial generator) and a ceiling (real rows). The overall score
of a cell depends on its cohort, fold and generator, never on who else is in the table, and on the folds at hand only
through the metrics that do not discriminate on them, which are left out.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gexbench.tasks.panel.declarations.metric import FAMILY_WEIGHTS, Family, Metric
from gexbench.tasks.panel.protocols import CURRENT, Protocol

COPY_GATE = 0.05
"""Share of rows made of one, two or three known rows above which a generator stands below the line, unranked."""
DISCRIMINATION = 5.0
"""Gap between floor and ceiling, in sds of the ceiling over folds, below which a metric says nothing."""

Values = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class References:
    """Values of one fold that set floors and ceilings, by metric key.

    real_holdout, gene_shuffle, class_mean: the metrics of these generators; trtr, majority: the utility of real
    training rows and of the most frequent class; shuffled_labels: of real rows with permuted labels, shown beside these
    and never in a score (``PanelResult.reference_values``). protocol: whose metrics these are.
    """

    real_holdout: Values
    gene_shuffle: Values
    class_mean: Values
    trtr: Values
    majority: Values
    shuffled_labels: Values = field(default_factory=dict)
    protocol: Protocol = field(default=CURRENT, kw_only=True)

    def floor(self, key: str) -> float | None:
        """The value that scores 0; None where the metric has no floor or the reference no value."""
        spec = self.protocol.lookup(key)
        if spec.floor == "worst-trivial":
            return worst(spec, (self.gene_shuffle.get(key), self.class_mean.get(key)))
        return self.majority.get(key) if spec.floor == "majority" else _number(spec.floor)

    def ceiling(self, key: str) -> float | None:
        """The value that scores 1; None where the metric has no ceiling or the reference no value."""
        spec = self.protocol.lookup(key)
        if spec.ceiling == "real-holdout":
            return self.real_holdout.get(key)
        return self.trtr.get(key) if spec.ceiling == "trtr" else _number(spec.ceiling)

    def keys(self) -> tuple[str, ...]:
        """Keys of the overall score on this fold: every scored metric whose ceiling has a value.

        TRTR sets the utility keys, so that a generator without labels still owes them.
        """
        known = dict.fromkeys([*self.real_holdout, *self.trtr])
        scored = (key for key in known if self.protocol.scores(self.protocol.lookup(key)))
        return tuple(key for key in scored if self.ceiling(key) is not None)


@dataclass(frozen=True, slots=True)
class CellScore:
    """scores: per metric key, in [0, 1]; families: their means; overall: the weighted mean of the families."""

    scores: dict[str, float]
    families: dict[Family, float]
    overall: float


def _number(anchor: object) -> float | None:
    return float(anchor) if isinstance(anchor, float | int) else None


def worst(spec: Metric, values: Iterable[float | None]) -> float | None:
    """The worst of several trivial values in the metric's direction; None when none is known.

    A single trivial reference is not enough: gene-shuffle keeps every marginal, class-mean every class centre.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    if spec.goal not in ("higher", "lower"):
        raise ValueError(f"{spec.name}: 'worst' has no meaning for the goal {spec.goal!r}")
    return min(known) if spec.goal == "higher" else max(known)


def normalise(spec: Metric, value: float | None, floor: float | None, ceiling: float | None) -> float:
    """Score of a value in [0, 1].

    ``match``: 1 - |v - ceiling| / |ceiling|; ``higher`` and ``lower``: (v - floor) / (ceiling - floor); clipped.
    None (failed, not applicable) and non-finite values score 0.
    Raises ValueError for goals without scores, missing anchors and a floor that is no worse than the ceiling.
    """
    if spec.goal not in ("match", "higher", "lower"):
        raise ValueError(f"{spec.name}: the goal {spec.goal!r} has no score")
    if ceiling is None or (floor is None and spec.goal != "match"):
        raise ValueError(f"{spec.name}: the floor ({floor}) and the ceiling ({ceiling}) must be known")
    if value is None or not math.isfinite(value):
        return 0.0
    if spec.goal == "match":
        distance = abs(value - ceiling)
        return max(1.0 - distance / abs(ceiling), 0.0) if ceiling else float(distance == 0)
    if floor is None or _gap(spec, floor, ceiling) <= 0:
        raise ValueError(f"{spec.name}: the floor {floor} is no worse than the ceiling {ceiling}; leave it out")
    return min(max((value - floor) / (ceiling - floor), 0.0), 1.0)


def _gap(spec: Metric, floor: float, ceiling: float) -> float:
    return ceiling - floor if spec.goal == "higher" else floor - ceiling


def discriminates(spec: Metric, floors: Sequence[float | None], ceilings: Sequence[float | None]) -> bool:
    """Whether floor and ceiling are apart by at least five sds (ddof 1) of the ceiling over folds.

    One pair per fold. For ``match`` the score reaches 0 at the value 0, so the gap is the ceiling's own size.
    With one fold the sd is taken as 0. A floor no worse than the ceiling in any fold never discriminates.
    """
    tops = [value for value in ceilings if value is not None]
    if len(tops) < len(ceilings) or not tops:
        return False
    if spec.goal == "match":
        gaps = [abs(top) for top in tops]
    else:
        lows = [value for value in floors if value is not None]
        if len(lows) != len(tops):
            return False
        gaps = [_gap(spec, low, top) for low, top in zip(lows, tops, strict=True)]
    mean = sum(tops) / len(tops)
    sd = math.sqrt(sum((top - mean) ** 2 for top in tops) / (len(tops) - 1)) if len(tops) > 1 else 0.0
    return min(gaps) > 0 and sum(gaps) / len(gaps) >= DISCRIMINATION * sd


def undiscriminating(folds: Sequence[References]) -> frozenset[str]:
    """Keys that do not discriminate on this cohort and are left out of every fold's overall score.

    The floor of a match metric is never asked for; a key that any fold lacks does not discriminate.
    """
    metrics = {key: fold.protocol.lookup(key) for fold in folds for key in fold.keys()}  # noqa: SIM118
    return frozenset(
        key
        for key, metric in metrics.items()
        if not discriminates(metric, [fold.floor(key) for fold in folds], [fold.ceiling(key) for fold in folds])
    )


def cell_score(values: Values, references: References, *, left_out: Collection[str] = ()) -> CellScore:
    """Scores of one cell (generator × fold × seed).

    values: metric key → value, None where it failed or is not applicable: such keys, and missing ones, score 0.
    left_out: keys of ``undiscriminating``.
    """
    scores = {
        key: normalise(references.protocol.lookup(key), values.get(key), references.floor(key), references.ceiling(key))
        for key in references.keys()  # noqa: SIM118
        if key not in left_out
    }
    families = family_means(scores, references.protocol)
    return CellScore(scores, families, overall(families))


def family_means(scores: Mapping[str, float], protocol: Protocol = CURRENT) -> dict[Family, float]:
    """Mean score per family, in the order of the weights; families without a score are absent."""
    groups: dict[Family, list[float]] = {}
    for key, score in scores.items():
        groups.setdefault(protocol.lookup(key).family, []).append(score)
    return {family: sum(groups[family]) / len(groups[family]) for family in FAMILY_WEIGHTS if family in groups}


def overall(families: Mapping[Family, float], weights: Mapping[Family, float] = FAMILY_WEIGHTS) -> float:
    """Weighted mean of the family means. Raises ValueError when no family carries weight."""
    total = sum(weights.get(family, 0.0) for family in families)
    if total <= 0:
        raise ValueError("no family with a weight has a score")
    return sum(weights.get(family, 0.0) * score for family, score in families.items()) / total


def copy_gate_passed(copy_share: float | None) -> bool:
    """Whether a row may be ranked. An unknown share does not pass."""
    return copy_share is not None and copy_share <= COPY_GATE

"""Whether two cohorts are the same: patients, genes, unit, values, classes, folds, slides and texts, and a verdict."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cards.published_card import EVERYONE, Side, patch_set, rows_of
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.gene_columns import FOLD_COLUMNS

TOLERANCE = 0.01
"""Largest difference, in the unit (log2), that counts as equal: of every value, or of a card's means and sds."""
State = Literal["same", "within 0.01 log2 per gene", "different"]
SAME: State = "same"
WITHIN: State = "within 0.01 log2 per gene"
DIFFERENT: State = "different"
PARTS = ("patients", "genes", "unit", "expression", "labels", "folds", "counts", "patches", "text")
_BLOCK = 256
_NONE_SHARED = "not comparable: no shared patients"


@dataclass(frozen=True, slots=True)
class GeneDifference:
    """One gene over the shared patients: B minus A.

    `largest` is the largest absolute difference of a value, None where a side is only a card (it holds no values);
    `mean` and `sd` are the largest absolute differences of the means and sds over the groups that both sides have.
    """

    gene: str
    largest: float | None
    mean: float
    sd: float

    @property
    def size(self) -> float:
        """Basis of the verdict: the values where known, otherwise means and sds."""
        return max(self.mean, self.sd) if self.largest is None else self.largest


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the comparison: its state and what there is to say."""

    name: str
    state: State
    says: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cohorts compared.

    Attributes:
        names: of A and B.
        parts: in the order of `PARTS`, those that a side has.
        genes: every shared gene, the largest difference first; empty where the units differ.
        without: parts that take no part in the verdict.
    """

    names: tuple[str, str]
    parts: tuple[Part, ...]
    genes: tuple[GeneDifference, ...]
    without: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> State:
        """The worst state of the parts that are judged."""
        states = [part.state for part in self.parts if part.name not in self.without]
        return DIFFERENT if DIFFERENT in states else WITHIN if WITHIN in states else SAME

    @property
    def differing(self) -> tuple[str, ...]:
        """Parts that are judged and are different, in words."""
        judged = [part for part in self.parts if part.name not in self.without and part.state == DIFFERENT]
        return tuple(f"{part.name}: {part.says}" for part in judged)

    def as_json(self) -> dict[str, Any]:
        """JSON-able facts."""
        return {
            "cohorts": list(self.names),
            "verdict": self.verdict,
            "without": list(self.without),
            "tolerance": TOLERANCE,
            "parts": [asdict(part) for part in self.parts],
            "genes": [asdict(gene) for gene in self.genes],
        }


def compare(a: Side, b: Side, without: Collection[str] = ()) -> Comparison:
    """Compare two sides by name; their orders of patients and genes do not matter.

    Args:
        a: the reference.
        b: the other.
        without: parts left out of the verdict; without the `unit`, values are compared as if it were the same.

    Raises:
        InputError: an unknown part in `without`.
    """
    if unknown := sorted(set(without) - set(PARTS)):
        raise InputError(f"--without {examples(unknown)}: the parts are {', '.join(PARTS)}")
    shared = a.clinical.index[a.clinical.index.isin(b.clinical.index)]
    genes = [gene for gene in a.genes if gene in set(b.genes)]
    parts = [_sets("patients", list(a.clinical.index), list(b.clinical.index)), _sets("genes", a.genes, b.genes)]
    parts.append(Part("unit", SAME if a.unit == b.unit else DIFFERENT, _pair(a.unit, b.unit)))
    comparable = (a.unit == b.unit or "unit" in without) and len(shared) and genes
    differences = _genes(a, b, shared, genes) if comparable else []
    parts.append(_expression(a, b, differences))
    parts.append(_labels(a, b, shared))
    parts.append(_folds(a, b, shared))
    parts += [found for kind in ("counts", "patches") if (found := _modality(kind, kind, a, b, shared))]
    variants = sorted({name for side in (a, b) for name in side.digests if name.startswith("text")})
    texts = [found for name in variants if (found := _modality("text", name, a, b, shared))]
    if texts:
        worst = DIFFERENT if any(part.state == DIFFERENT for part in texts) else SAME
        parts.append(Part("text", worst, "; ".join(part.says for part in texts)))
    return Comparison((a.name, b.name), tuple(parts), tuple(differences), tuple(without))


def _pair(a: object, b: object) -> str:
    return str(a) if a == b else f"{a} / {b}"


def _sets(name: str, a: Collection[str], b: Collection[str]) -> Part:
    only_a, only_b = sorted(set(a) - set(b)), sorted(set(b) - set(a))
    says = f"{len(set(a) & set(b)):,} shared"
    says += f"; {len(only_a):,} only in A ({examples(only_a)})" if only_a else ""
    says += f"; {len(only_b):,} only in B ({examples(only_b)})" if only_b else ""
    return Part(name, DIFFERENT if only_a or only_b else SAME, says)


def _genes(a: Side, b: Side, shared: pd.Index, genes: list[str]) -> list[GeneDifference]:
    place_a, place_b = (_places(side.genes, genes) for side in (a, b))
    largest = None
    groups = sorted(set(a.means) & set(b.means))
    if a.cohort is not None and b.cohort is not None:
        largest = _largest(a.cohort, b.cohort, shared, place_a, place_b)
    elif len(shared) < max(len(a.clinical), len(b.clinical)):
        groups = [EVERYONE]
    means, sds = (
        np.max([np.abs(of_b[group][place_b] - of_a[group][place_a]) for group in groups], axis=0)
        for of_a, of_b in ((a.means, b.means), (a.sds, b.sds))
    )
    found = [
        GeneDifference(gene, None if largest is None else float(largest[row]), float(means[row]), float(sds[row]))
        for row, gene in enumerate(genes)
    ]
    return sorted(found, key=lambda gene: -gene.size)


def _places(names: Collection[str], wanted: Collection[str]) -> NDArray[np.intp]:
    place = {name: row for row, name in enumerate(names)}
    return np.asarray([place[name] for name in wanted], dtype=np.intp)


def _largest(
    a: Cohort, b: Cohort, shared: pd.Index, place_a: NDArray[np.intp], place_b: NDArray[np.intp]
) -> NDArray[np.float64]:
    rows_a, rows_b = _places(a.samples.tolist(), shared), _places(b.samples.tolist(), shared)
    largest = np.zeros(len(place_a))
    for start in range(0, len(place_a), _BLOCK):
        here = slice(start, start + _BLOCK)
        of_a = a.expression[np.ix_(rows_a, place_a[here])].astype(np.float64)
        largest[here] = np.abs(b.expression[np.ix_(rows_b, place_b[here])] - of_a).max(axis=0)
    return largest


def _expression(a: Side, b: Side, genes: list[GeneDifference]) -> Part:
    if genes and a.digests["expression"] == b.digests["expression"]:
        return Part("expression", SAME, "every value is equal")
    if not genes:
        return Part("expression", DIFFERENT, "not comparable: no shared values in one unit")
    sizes = np.asarray([gene.size for gene in genes])
    judged = "largest difference of a gene's values" if genes[0].largest is not None else "means and sds (a card)"
    says = (
        f"{judged}: median {np.median(sizes):.4g}, worst {sizes[0]:.4g} ({genes[0].gene}); "
        f"{int((sizes <= TOLERANCE).sum()):,} of {len(genes):,} genes within {TOLERANCE:g}"
    )
    # Where both sides are known in full the values decide, also over the patients that both have.
    equal = genes[0].largest is not None and not sizes.any()
    return Part("expression", SAME if equal else WITHIN if sizes[0] <= TOLERANCE else DIFFERENT, says)


def _labels(a: Side, b: Side, shared: pd.Index) -> Part:
    if set(a.labels) == set(b.labels) and not len(shared):
        return Part("labels", DIFFERENT, _NONE_SHARED)
    if set(a.labels) != set(b.labels):
        return Part("labels", DIFFERENT, f"label columns {_pair(', '.join(a.labels), ', '.join(b.labels))}")
    said = []
    for label in a.labels:
        of_a, of_b = (side.clinical.loc[shared, label].astype(str).to_numpy() for side in (a, b))
        changes = Counter(f"{one} → {other}" for one, other in zip(of_a, of_b, strict=True) if one != other)
        if changes:
            most = ", ".join(f"{change} {count}" for change, count in changes.most_common(3))
            said.append(f"{label}: {sum(changes.values()):,} patients changed class ({most})")
    return Part("labels", DIFFERENT if said else SAME, "; ".join(said) or f"no class changes ({', '.join(a.labels)})")


def _folds(a: Side, b: Side, shared: pd.Index) -> Part:
    if not len(shared):
        return Part("folds", DIFFERENT, _NONE_SHARED)
    tracks = [[track for track in FOLD_COLUMNS if track in side.clinical] for side in (a, b)]
    agreement: Mapping[str, int] = {
        track: int((a.clinical.loc[shared, track] == b.clinical.loc[shared, track]).sum())
        for track in tracks[0]
        if track in tracks[1]
    }
    says = ", ".join(
        f"{track.removeprefix('fold_')} {count:,} of {len(shared):,} in the same part"
        for track, count in agreement.items()
    )
    same = tracks[0] == tracks[1] and all(count == len(shared) for count in agreement.values())
    return Part("folds", SAME if same else DIFFERENT, says or "no track in both")


def _modality(part: str, kind: str, a: Side, b: Side, shared: pd.Index) -> Part | None:
    held = [kind in side.digests for side in (a, b)]
    if not any(held):
        return None
    if not all(held):
        return Part(part, DIFFERENT, f"{kind} only in {'A' if held[0] else 'B'}")
    if a.digests[kind] == b.digests[kind]:
        return Part(part, SAME, f"{kind}: equal")
    if a.cohort is None or b.cohort is None:
        return Part(part, DIFFERENT, f"{kind}: the digests differ")
    if not len(shared):
        return Part(part, DIFFERENT, f"{kind}: {_NONE_SHARED}")
    equal = _equal_samples(kind, a.cohort, b.cohort, shared)
    # Digests cover all samples: over the shared ones they may be equal all the same.
    return Part(
        part, SAME if equal == len(shared) else DIFFERENT, f"{kind}: {equal:,} of {len(shared):,} samples equal"
    )


def _equal_samples(kind: str, a: Cohort, b: Cohort, shared: pd.Index) -> int:
    rows = zip(_places(a.samples.tolist(), shared), _places(b.samples.tolist(), shared), strict=True)
    if kind == "patches" and a.patches is not None and b.patches is not None:
        of_a, of_b = a.patches, b.patches
        return sum(patch_set(of_a, one) == patch_set(of_b, other) for one, other in rows)
    if kind == "counts" and a.counts is not None and b.counts is not None:
        if a.genes != b.genes:
            return 0
        counts_a, counts_b = a.counts, b.counts
        return sum(bool(np.array_equal(counts_a[one], counts_b[other])) for one, other in rows)
    variant = kind.removeprefix("text (").removesuffix(")")
    text_a, text_b = a.text[variant], b.text[variant]
    return sum(bool(np.array_equal(rows_of(text_a, one), rows_of(text_b, other))) for one, other in rows)

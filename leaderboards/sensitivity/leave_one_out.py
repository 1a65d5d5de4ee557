"""Ranks without one metric, and without one family of metrics.

A row's rank group is what its ranks may be, given the intervals: from 1 plus the number of rows that are better than
it to the number of rows less those that are worse, each by a fold-paired test with Holm's correction over all pairs
(simultaneous confidence sets of ranks; Mogstad et al. 2024, Review of Economic Studies 91).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.ranking import SIGNIFICANCE
from gexbench.leaderboards.sensitivity.points import Points
from gexbench.leaderboards.statistics import FloatArray, fold_mean, holm, p_value
from gexbench.tasks.panel.catalogue import split_key
from gexbench.tasks.panel.declarations.metric import FAMILY_WEIGHTS

METRIC, FAMILY = "metric", "family"


@dataclass(frozen=True, slots=True, eq=False)
class LeftOut:
    """A table without a metric or a family.

    Attributes:
        kind, name: what is left out.
        ranks: (rows,) in the order of the points.
        moved: default rows whose rank leaves their rank group.
    """

    kind: str
    name: str
    ranks: NDArray[np.int64]
    moved: tuple[str, ...]


def leave_one_out(points: Points) -> list[LeftOut]:
    """Every scored metric left out, then every family that is not the only one."""
    low, high = rank_groups(overall(points), points.share)
    found = []
    for kind, name, keys in _parts(points):
        if len(keys) == len(points.keys):
            continue
        ranks = ranks_of(overall(points, keys))
        outside = ((ranks < low) | (ranks > high)) & points.default
        moved = tuple(points.names[int(at)] for at in np.flatnonzero(outside))
        found.append(LeftOut(kind, name, ranks, moved))
    return found


def overall(points: Points, without: Collection[str] = ()) -> FloatArray:
    """(rows, folds) overall scores without these keys; a family that has no other key is left out whole."""
    means, weights = [], []
    for family, weight in FAMILY_WEIGHTS.items():
        columns = [
            at
            for at, (key, own) in enumerate(zip(points.keys, points.families, strict=True))
            if own == family and key not in without
        ]
        if columns:
            means.append(points.scores[:, :, columns].mean(axis=2))
            weights.append(weight)
    return np.asarray(np.average(means, axis=0, weights=weights), dtype=np.float64)


def ranks_of(scores: FloatArray) -> NDArray[np.int64]:
    """(rows,) competition ranks by the mean over folds, 1 = best."""
    means = fold_mean(scores)
    return np.asarray(1 + (means[None, :] > means[:, None]).sum(axis=1), dtype=np.int64)


def rank_groups(scores: FloatArray, share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(rows,) lowest and highest rank that the tests leave open; all ranks with one fold.

    Args:
        scores: (rows, folds).
        share: n_test / n_train.
    """
    rows = len(scores)
    better = np.zeros((rows, rows), dtype=bool)
    pairs = list(combinations(range(rows), 2))
    if pairs:
        first, second = (np.array(side) for side in zip(*pairs, strict=True))
        differences = scores[first] - scores[second]
        told = holm(p_value(differences, share)) < SIGNIFICANCE
        ahead = fold_mean(differences) > 0
        better[first[told & ahead], second[told & ahead]] = True
        better[second[told & ~ahead], first[told & ~ahead]] = True
    low, high = 1 + better.sum(axis=0), rows - better.sum(axis=1)
    return np.asarray(low, dtype=np.int64), np.asarray(high, dtype=np.int64)


def _parts(points: Points) -> Iterator[tuple[str, str, frozenset[str]]]:
    for name in points.metrics:
        yield METRIC, name, frozenset(key for key in points.keys if split_key(key)[0] == name)
    for family in dict.fromkeys(points.families):
        both = zip(points.keys, points.families, strict=True)
        yield FAMILY, family, frozenset(key for key, own in both if own == family)

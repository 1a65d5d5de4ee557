"""Order, ranks, win rates and the planned comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.leaderboards.statistics import FloatArray, error_of, fold_mean, half_width, holm, p_value, visible

SIGNIFICANCE = 0.05
OVERALL = "overall"


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Places of the generators; every array is in the given order of generators.

    Attributes:
        order: positions in table order: by overall score, references where they would rank, those that failed
            the copy gate at the end.
        rank: competition rank among the ranked ones, 0 for the others.
        leader: position of the first ranked generator, or None.
    """

    order: NDArray[np.int64]
    rank: NDArray[np.int64]
    leader: int | None


def standing(
    overall: FloatArray, ranked: NDArray[np.bool_], below: NDArray[np.bool_], names: Sequence[str]
) -> Standing:
    """Order by mean overall score; ties share a rank and stand by name.

    Args:
        overall: (generators,) mean overall score, NaN where there is none (such a generator has no rank).
        ranked: (generators,) True where a rank is given: neither a reference nor below the line.
        below: (generators,) True for those below the line.
        names: generator names, for ties.
    """
    scored = np.where(np.isnan(overall), -np.inf, overall)
    order = np.array(sorted(range(len(names)), key=lambda at: (below[at], -scored[at], names[at])), dtype=np.int64)
    competes = ranked & ~np.isnan(overall)
    better = (scored[None, :] > scored[:, None]) & competes[None, :]
    rank = np.where(competes, 1 + better.sum(axis=1), 0)
    leader = next((int(at) for at in order if competes[at]), None)
    return Standing(order, rank.astype(np.int64), leader)


def mean_rank(scores: FloatArray) -> FloatArray:
    """Mean over metrics and folds of the rank by normalised score (1 = best, ties share the mean rank).

    Args:
        scores: (generators, folds, metrics); a fold's metric without scores is left out.

    Returns:
        (generators,), NaN when nothing was scored.
    """
    flat = scores.reshape(len(scores), scores.shape[1] * scores.shape[2])
    flat = flat[:, ~np.isnan(flat).any(axis=0)]
    if flat.size == 0:
        return np.full(len(scores), np.nan)
    return np.asarray(pd.DataFrame(flat).rank(ascending=False, method="average").mean(axis=1), dtype=np.float64)


def win_rate(overall: FloatArray) -> FloatArray:
    """Share of (opponent, fold) pairs in which the overall score is higher, ties counting half.

    Args:
        overall: (generators, folds).

    Returns:
        (generators,) in [0, 1]; NaN without opponents.
    """
    count, folds = overall.shape
    if count < 2 or np.isnan(overall).any():
        return np.full(count, np.nan)
    difference = overall[:, None, :] - overall[None, :, :]
    wins = (difference > 0).sum(axis=(1, 2)) + 0.5 * ((difference == 0).sum(axis=(1, 2)) - folds)
    return np.asarray(wins / ((count - 1) * folds))


def planned_pairs(ranked: Sequence[int], baseline: int | None, leader: int | None) -> list[tuple[int, int, str]]:
    """Positions of each ranked generator and of what it is compared with, and the role of the latter."""
    pairs = [(at, baseline, "baseline") for at in ranked if baseline is not None and at != baseline]
    return pairs + [(at, leader, "leader") for at in ranked if leader is not None and at != leader]


def planned_comparisons(
    measures: Mapping[str, FloatArray],
    names: Sequence[str],
    ranked: Sequence[int],
    baseline: int | None,
    leader: int | None,
    share: float,
    tuned: Mapping[int, int] | None = None,
) -> pd.DataFrame:
    """Each ranked generator against the baseline and against the leader, fold-paired, Holm within a measure.

    A tuned row is also compared with the default row of its generator.

    Args:
        measures: measure → (generators, folds), NaN where a fold has no value.
        names: generator names.
        ranked: positions of the generators that are compared.
        baseline: position of class-gaussian, or None when it is not there.
        leader: position of the leader, or None.
        share: n_test / n_train.
        tuned: position of a tuned row → position of its default row.

    Returns:
        One row per measure and pair: measure, generator, against, role (`baseline`, `leader` or `default`), difference
        (generator - against), half_width of its 95 % interval, p and p_holm.
    """
    pairs = planned_pairs(ranked, baseline, leader)
    pairs += [  # the leader is compared with every row above
        (at, default, "default")
        for at, default in (tuned or {}).items()
        if {at, default} <= set(ranked) and leader not in (at, default)
    ]
    frames = []
    for measure, values in measures.items():
        if not pairs:
            continue
        first, second = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
        differences = values[first] - values[second]
        p = p_value(differences, share)
        frames.append(
            pd.DataFrame(
                {
                    "measure": measure,
                    "generator": [names[at] for at in first],
                    "against": [names[at] for at in second],
                    "role": [pair[2] for pair in pairs],
                    "difference": fold_mean(differences),
                    "half_width": half_width(differences, share),
                    "p": p,
                    "p_holm": holm(p),
                }
            )
        )
    columns = ["measure", "generator", "against", "role", "difference", "half_width", "p", "p_holm"]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def inseparable(comparisons: pd.DataFrame, leader: str | None) -> frozenset[str]:
    """The leader's rank group: the leader and those whose overall score cannot be told from the leader's."""
    if leader is None:
        return frozenset()
    against = comparisons[(comparisons["measure"] == OVERALL) & (comparisons["role"] == "leader")]
    return frozenset({leader, *against.loc[~(against["p_holm"] < SIGNIFICANCE), "generator"]})


def smallest_difference(comparisons: pd.DataFrame, folds: int) -> float:
    """The difference in overall score that a comparison with the leader sees four times in five.

    Seen: its p, adjusted as the first of all comparisons of the measure, is below .05. The median over the comparisons
    with the leader; NaN without any, or with one fold.
    """
    mine = comparisons[(comparisons["measure"] == OVERALL) & comparisons["p"].notna()]
    against = mine.loc[mine["role"] == "leader", "half_width"].to_numpy(dtype=np.float64)
    if folds < 2 or not len(against):
        return float("nan")
    return float(np.median(visible(error_of(against, folds - 1), len(mine), folds - 1)))

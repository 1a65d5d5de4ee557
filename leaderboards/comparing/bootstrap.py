"""Patient-level comparisons: a bootstrap over the test patients of all folds, clustered by tissue-source site.

A value that every patient has (CRPS, whether a classifier names the type) is compared on all patients that were tested
in any fold, which tells more than five fold means. Patients of one site resemble one another, so that whole sites are
drawn (Davison & Hinkley 1997, section 3.8). The training rows are taken as given: unlike the intervals over folds,
these say nothing of another training set.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.grid import Grid
from gexbench.leaderboards.records import Record, RecordError
from gexbench.leaderboards.statistics import CONFIDENCE, ROUNDING, FloatArray, holm
from gexbench.tasks.panel.protocols import FIRST

SEED = 0
_MOST_WEIGHTS = 2**24
"""Draws times clusters that are held at once."""
BOUNDED = " ≤: the smallest p that so many draws can give, adjusted; the true one is no larger."
COLUMNS = ("measure", "generator", "against", "role", "patients", "clusters", "kind", "difference", "low", "high")
"""Of the frame of `patient_comparisons`, then p and p_holm."""

Pairs = Sequence[tuple[int, int, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """A patient-level value summed by fold and cluster, seeds averaged.

    Attributes:
        rows: (folds, clusters) test rows with a value, the same for every generator.
        sums: (generators, folds, clusters).
        known: (generators, folds) whether the generator has a record with these sums.
    """

    rows: FloatArray
    sums: FloatArray
    known: NDArray[np.bool_]


def title(frame: pd.DataFrame) -> str:
    """Heading of the section."""
    return f"Patient-level comparisons, clustered by {frame['kind'].iloc[0]}"


def legend(frame: pd.DataFrame, resamples: int) -> str:
    """What the section shows; resamples: number of draws."""
    patients, clusters = int(frame["patients"].max()), int(frame["clusters"].max())
    return (
        f"Differences of means over the test patients of all folds (up to {patients:,}, in {clusters:,} clusters), "
        "every ranked generator against class-gaussian and against the leader, seeds averaged. 95 % percentile "
        f"intervals and two-sided p of {resamples:,} draws of whole clusters ({frame['kind'].iloc[0]}s); p and * "
        "(p < .05) are adjusted by Holm over all comparisons of a measure. The training rows are taken as given. A "
        "lower CRPS is better, so that a negative difference is an improvement there."
        + (BOUNDED if "bounded" in frame else "")
    )


def patient_comparisons(grid: Grid, pairs: Pairs) -> pd.DataFrame:
    """Paired differences of patient-level values, Holm within a measure.

    Args:
        grid: cells whose records keep sums by cluster; others take no part.
        pairs: positions of a generator and of what it is compared with, and the role of the latter.

    Returns:
        One row per measure and pair that share a fold: measure, generator, against, role (`baseline` or `leader`),
        patients (test rows over the folds that both have), clusters (their number), kind (`site` or `patient`),
        difference of the means (generator - against), low and high of its 95 % percentile interval, p (two-sided) and
        p_holm; after protocol 1 also bounded: whether p_holm is an upper bound, since no p of so many draws is smaller.
        Empty for records that keep no sums.

    Raises:
        RecordError: records of one fold that disagree about its clusters.
    """
    records = [record for record in grid.records if record is not None and record.state == "ok" and record.per_cluster]
    keys = [key for key in grid.keys if any(key in record.per_cluster for record in records)]
    kinds = sorted({str(record.clusters) for record in records})
    frames = []
    for key in keys:
        compared = compare(clusters_of(grid, key), pairs, grid.protocol.resamples)
        if compared.empty:
            continue
        names = grid.generators
        about = {
            "measure": key,
            "generator": [names[pairs[at][0]] for at in compared.index],
            "against": [names[pairs[at][1]] for at in compared.index],
            "role": [pairs[at][2] for at in compared.index],
            "kind": " and ".join(kinds),
        }
        frames.append(compared.assign(**about, p_holm=holm(compared["p"])))
        frames[-1]["bounded"] = bounded(frames[-1], grid.protocol.resamples)
    columns = [*COLUMNS, "p", "p_holm", *(["bounded"] if grid.protocol is not FIRST else [])]
    found = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)
    return found[columns]


def bounded(frame: pd.DataFrame, resamples: int) -> NDArray[np.bool_]:
    """Whether each adjusted p is a bound from above: no larger than the largest that follows from a p at its floor."""
    at_floor = frame["p"] <= _floor(resamples)
    found: NDArray[np.bool_] = (frame["p_holm"] <= frame.loc[at_floor, "p_holm"].max()).to_numpy()
    return found


def _floor(resamples: int) -> float:
    """The smallest p of so many draws."""
    return 2 / (resamples + 1)


def clusters_of(grid: Grid, key: str) -> Clusters:
    """The sums of a metric key; a cluster of one name is one cluster in all folds.

    Raises:
        RecordError: records of one fold that disagree about the rows of its clusters.
    """
    cells = [
        (record, int(generator), int(fold))
        for record, generator, fold in zip(grid.records, grid.generator, grid.fold, strict=True)
        if record is not None and record.state == "ok" and key in record.per_cluster
    ]
    names = sorted({name for record, _, _ in cells for name in record.per_cluster[key]})
    place = {name: number for number, name in enumerate(names)}
    rows = np.zeros((len(grid.folds), len(names)))
    stated: dict[int, Record] = {}
    shape = (len(grid.generators), len(grid.folds))
    sums, seeds = np.zeros((*shape, len(names))), np.zeros(shape)
    for record, generator, fold in cells:
        counts, totals = _spread(record.per_cluster[key], place)
        first = stated.setdefault(fold, record)
        if first is record:
            rows[fold] = counts
        elif not np.array_equal(rows[fold], counts):
            raise RecordError(
                f"{record.place} and {first.place}: per_cluster.{key} of one fold counts other rows; score both again"
            )
        sums[generator, fold] += totals
        seeds[generator, fold] += 1
    return Clusters(rows, sums / np.maximum(seeds, 1)[:, :, None], seeds > 0)


def _spread(found: Mapping[str, tuple[int, float]], place: Mapping[str, int]) -> tuple[FloatArray, FloatArray]:
    counts, totals = np.zeros(len(place)), np.zeros(len(place))
    for name, (rows, total) in found.items():
        counts[place[name]], totals[place[name]] = rows, total
    return counts, totals


def compare(clusters: Clusters, pairs: Pairs, resamples: int, seed: int = SEED) -> pd.DataFrame:
    """Difference of the means of every pair, with its interval and p.

    Args:
        clusters: of one value.
        pairs: positions; those that share no fold are left out.
        resamples: number of draws of as many clusters as there are, with replacement.
        seed: of the draws; pairs with the same clusters meet the same draws.

    Returns:
        Indexed by the pairs' places: patients, clusters, difference, low, high, p.
    """
    both = np.array([clusters.known[first] & clusters.known[second] for first, second, _ in pairs], dtype=bool)
    both = both.reshape(len(pairs), clusters.rows.shape[0])
    frames = []
    for folds in np.unique(both, axis=0):
        places = np.flatnonzero((both == folds).all(axis=1))
        rows = clusters.rows[folds].sum(axis=0)
        drawn = rows > 0
        if not drawn.any():
            continue
        first, second = (np.array([pairs[int(at)][side] for at in places]) for side in (0, 1))
        sums = clusters.sums[:, folds].sum(axis=1)[:, drawn]
        differences = sums[first] - sums[second]
        frames.append(_intervals(differences, rows[drawn], resamples, seed).set_index(places))
    columns = ["patients", "clusters", "difference", "low", "high", "p"]
    return pd.concat(frames).sort_index() if frames else pd.DataFrame(columns=columns)


def _intervals(differences: FloatArray, rows: FloatArray, resamples: int, seed: int) -> pd.DataFrame:
    """Bootstrap of sums(differences) / sum(rows) for (pairs, clusters) summed differences and (clusters,) rows.

    p: twice the share of draws on the other side of 0, those at 0 and one more counted on either side; never below
    `_floor`. One cluster alone has neither interval nor p.
    """
    count, mean = len(rows), differences.sum(axis=1) / rows.sum()
    about = {"patients": int(rows.sum()), "clusters": count, "difference": mean}
    if count < 2:
        return pd.DataFrame({**about, **dict.fromkeys(("low", "high", "p"), np.full(len(mean), np.nan))})
    means = _drawn_means(differences, rows, resamples, seed)
    means = np.where(np.abs(means) < ROUNDING, 0.0, means)
    low, high = np.quantile(means, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2], axis=0)
    sides = np.minimum((means <= 0).sum(axis=0), (means >= 0).sum(axis=0))
    p = np.minimum(1.0, (sides + 1) * _floor(resamples))
    return pd.DataFrame({**about, "low": low, "high": high, "p": p})


def _drawn_means(differences: FloatArray, rows: FloatArray, resamples: int, seed: int) -> FloatArray:
    """(resamples, pairs) means over drawn clusters, with a bounded number of weights at a time."""
    rng, count = np.random.default_rng(seed), len(rows)
    chunk = max(1, _MOST_WEIGHTS // count)
    found = []
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        weights = rng.multinomial(count, np.full(count, 1 / count), size=size).astype(float)
        found.append((weights @ differences.T) / (weights @ rows)[:, None])
    return np.concatenate(found)

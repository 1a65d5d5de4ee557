"""Rows that hold a little of many known patients each, made to pass a gate of copies.

All keep each gene's marginal within the class: values are replaced by training values of the same rank.
"""

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.gates.class_copula import class_copula_rows
from gexbench.metrics.memorisation import donor_ratios
from gexbench.tasks.panel.declarations.rows import RealRows

Values = NDArray[np.float32]
Labels = NDArray[np.str_]
ROUNDS = 10
"""Redraws of rows that the cheat's own gate flags."""
TRIES = 5
"""Candidates of which the one nearest to a validation row is kept."""
CLUSTER = 30
SHARE = 0.04


def class_averages(
    labels: Labels, known: Values, known_labels: Labels, fold: RealRows, rng: np.random.Generator, *, donors: int
) -> Values:
    """Means of ``donors`` known rows of each label, with the marginals of the training rows of the label.

    A label without known rows is given training rows, one of few known rows the mean of all.
    """
    train_labels = fold.labels[fold.finest].train
    made = np.empty((len(labels), known.shape[1]), dtype=np.float32)
    for name in np.unique(labels):
        at, pool = np.flatnonzero(labels == name), fold.train[train_labels == name]
        own = known[known_labels == name] if (known_labels == name).any() else pool
        few = min(donors, len(own))
        chosen = np.stack([rng.choice(len(own), few, replace=False) for _ in at])
        made[at] = with_marginals(own[chosen].mean(axis=1), pool)
    return made


def with_marginals(rows: NDArray[np.floating], pool: Values) -> Values:
    """Every value replaced by the quantile of the pool's gene at its rank among the rows."""
    ranks = (np.argsort(np.argsort(rows, axis=0, kind="stable"), axis=0) + 0.5) / len(rows)
    ordered = np.sort(pool, axis=0)
    places = ranks * (len(ordered) - 1)
    lower = places.astype(np.intp)
    upper, columns = np.minimum(lower + 1, len(ordered) - 1), np.arange(rows.shape[1])
    share = places - lower
    return np.asarray(ordered[lower, columns] * (1 - share) + ordered[upper, columns] * share, dtype=np.float32)


def averages(labels: Labels, fold: RealRows, rng: np.random.Generator, *, donors: int, part: str = "train") -> Values:
    """`class_averages` of a part of the fold."""
    return class_averages(
        labels, getattr(fold, part), getattr(fold.labels[fold.finest], part), fold, rng, donors=donors
    )


def gated_averages(labels: Labels, fold: RealRows, rng: np.random.Generator) -> Values:
    """Means of three, redrawn while their ratios lie below those of 98 % of the validation rows."""
    scale = np.maximum(fold.train.std(axis=0, dtype=np.float64), 1e-9)
    limits = np.percentile(donor_ratios(fold.validation / scale, fold.train / scale), 2, axis=0)
    made = averages(labels, fold, rng, donors=3)
    for _ in range(ROUNDS):
        seen = (donor_ratios(made / scale, fold.train / scale) < limits).any(axis=1)
        if not seen.any():
            break
        made[seen] = averages(labels, fold, rng, donors=3)[seen]
    return made


def herded_averages(labels: Labels, fold: RealRows, rng: np.random.Generator) -> Values:
    """Means of six, of some tries each the one nearest to a validation row."""
    from gexbench.metrics.membership import nearest_distances

    scale = np.maximum(fold.train.std(axis=0, dtype=np.float64), 1e-9)
    tries = [averages(labels, fold, rng, donors=6) for _ in range(TRIES)]
    distances = [nearest_distances(made / scale, fold.validation / scale) for made in tries]
    return np.asarray(np.stack(tries)[np.argmin(distances, axis=0), np.arange(len(labels))])


def cluster_copulas(labels: Labels, fold: RealRows, rng: np.random.Generator) -> Values:
    """Draws of a Gaussian copula per cluster of about ``CLUSTER`` training rows of the label."""
    from sklearn.cluster import KMeans

    train_labels = fold.labels[fold.finest].train
    clusters, asked = np.empty(len(train_labels), dtype="<U64"), np.empty(len(labels), dtype="<U64")
    scale = np.maximum(fold.train.std(axis=0, dtype=np.float64), 1e-9)
    for name in np.unique(labels):
        own = train_labels == name
        count = max(1, round(int(own.sum()) / CLUSTER))
        found = KMeans(count, n_init=1, random_state=0).fit_predict(fold.train[own] / scale)
        clusters[own] = [f"{name}/{each}" for each in found]
        asked[labels == name] = rng.choice(clusters[own], size=int((labels == name).sum()))
    return class_copula_rows(fold.train, clusters, asked, int(rng.integers(2**31))).astype(np.float32)


def mixed_rows(labels: Labels, fold: RealRows, rng: np.random.Generator) -> Values:
    """Draws of the class copula; ``SHARE`` each are training rows and means of two and of three of them."""
    known = fold.labels[fold.finest].train
    made = class_copula_rows(fold.train, known, labels, int(rng.integers(2**31))).astype(np.float32)
    kind = rng.random(len(labels))
    for donors in (1, 2, 3):
        at = (kind >= (donors - 1) * SHARE) & (kind < donors * SHARE)
        made[at] = averages(labels, fold, rng, donors=donors)[at]
    return made

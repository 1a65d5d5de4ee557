"""Does a generator betray who was in its training set?

Members are patients that ``fit`` saw, non-members patients that it did not, as many of each class. A generator that
remembers nobody treats both alike: every attack's AUC is then ½. A fit of the marginals and correlations of a class
remembers a little of its rows, the more the fewer they are; so an attack is read against what it finds in rows of a
class copula of the members' own part (``yardstick``). Rows are standardised. Sources: Chen et al. 2020 (distance, and
distance calibrated by real rows); van Breugel et al. 2023 (density ratio); Carlini et al. 2022 (true positive rate);
DeLong et al. 1988 (variance of a difference of two AUCs on the same rows); Platzer & Reutterer 2021 (shares).
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.detection import auc_null_sd
from gexbench.metrics.memorisation import nearest_ratios
from gexbench.metrics.shared.arrays import Matrix, as_array, device_pair, namespace, pair_chunks, squared_distances
from gexbench.metrics.shared.hashing import hash_order

FALSE_POSITIVES = 0.01
NEIGHBOURS = 10
COMPONENTS = 100
RIDGE = 0.3
"""Variance, in units of a gene's, from which on a component is whitened."""
KERNEL = 0.1
"""Squared width of the kernel, in units of the median squared distance to the nearest calibrating row."""
FOLDS = 5
MOST = 1000
"""Members, and non-members, that are compared at most."""
DIGITS = 5
"""Decimals of a score: rows whose scores differ by less are tied, and ties count ½ in every figure."""
ATTACKS = ("distance", "ratio", "density", "whitened ratio", "whitened density", "classifier")

Single = NDArray[np.float32]


class Pairing(NamedTuple):
    """Rows of the two sides, as many of each class: (n,) places in either side, ascending."""

    members: NDArray[np.intp]
    nonmembers: NDArray[np.intp]


def paired_by_class(
    member_ids: Any, member_labels: Any, other_ids: Any, other_labels: Any, *, most: int = MOST
) -> Pairing:
    """Of every class as many members as non-members, chosen by hashed id, at most about ``most`` of either.

    Raises ValueError where no class has both.
    """
    sides = []
    for ids, labels in ((member_ids, member_labels), (other_ids, other_labels)):
        order, names = hash_order("membership", ids), as_array(labels)
        sides.append({str(name): order[names[order] == name] for name in np.unique(names)})
    shared = {name: min(len(side[name]) for side in sides) for name in sorted(sides[0].keys() & sides[1].keys())}
    whole = sum(shared.values())
    if not whole:
        raise ValueError("no class has both members and non-members")
    kept = {name: size if whole <= most else max(1, size * most // whole) for name, size in shared.items()}
    return Pairing(*(np.sort(np.concatenate([side[name][:size] for name, size in kept.items()])) for side in sides))


class Near(NamedTuple):
    """Distances to the nearest rows, ascending, (n, at most ``NEIGHBOURS``): of z-scored genes, and whitened."""

    plain: Matrix
    whitened: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """The real side of a comparison.

    rows: (members + non-members, genes), members first; members: how many; basis: (genes, components) of their
    whitening; calibration: distances to real rows that nobody remembers; fold: (n,) of the classifier.
    """

    rows: Single
    members: int
    basis: Single
    calibration: Near
    fold: NDArray[np.intp]


def ground(members: Any, nonmembers: Any, calibrating: Any, labels: tuple[Any, Any], ids: tuple[Any, Any]) -> Ground:
    """What an attack knows of the real rows, made once per fold.

    Whatever is estimated treats both sides alike, so that under the null they stay exchangeable.

    Args:
        members, nonmembers: (n, genes) and (m, genes).
        calibrating: (k, genes) real rows of neither side.
        labels, ids: of members and of non-members.
    """
    rows = np.concatenate([as_array(members), as_array(nonmembers)]).astype(np.float32)
    basis = _whitening(rows, np.concatenate([as_array(each) for each in labels]))
    fold = np.empty(len(rows), dtype=np.intp)
    start = 0
    for each in ids:
        fold[start + hash_order("membership classifier", each)] = np.arange(len(each)) % FOLDS
        start += len(each)
    return Ground(rows, len(members), basis, _near(rows, as_array(calibrating).astype(np.float32), basis), fold)


def _whitening(rows: Single, labels: NDArray[Any]) -> Single:
    """(genes, components): a squared distance less that of these coordinates is whitened.

    With variances w of the components of rows about their class means and ridge r a direction keeps r / (w + r).
    """
    centred = rows.copy()
    for name in np.unique(labels):
        centred[labels == name] -= rows[labels == name].mean(axis=0)
    few = len(rows) < rows.shape[1]
    products = (centred @ centred.T if few else centred.T @ centred) / len(rows)
    variances, vectors = np.linalg.eigh(products.astype(np.float64))
    variances, vectors = variances[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS]
    kept = variances > 1e-6 * max(float(variances[0]), 1e-12)
    variances, vectors = variances[kept], vectors[:, kept]
    if few:
        vectors = centred.T @ vectors / np.sqrt(len(rows) * variances)
    return np.asarray(vectors * np.sqrt(variances / (variances + RIDGE)), dtype=np.float32)


def _near(rows: Single, others: Single, basis: Single, own: NDArray[np.intp] | None = None) -> Near:
    """own: (n,) place of a row of ``others`` that does not count, -1 for none."""
    count = min(NEIGHBOURS, len(others) - (own is not None))
    if count < 1:
        raise ValueError(f"{len(others)} rows to compare with are too few")
    x, y = rows @ basis, others @ basis
    floor = 1e-5 * float(np.einsum("ij,ij->", rows, rows) / len(rows)) + 1e-12
    found: tuple[list[Single], list[Single]] = ([], [])
    for part in pair_chunks(len(rows), len(others), 512):
        plain = squared_distances(rows[part], others)
        inner = squared_distances(x[part], y)
        if own is not None:
            skipped = np.flatnonzero(own[part] >= 0)
            plain[skipped, own[part][skipped]] = np.inf
        for squares, kept in ((plain, found[0]), (plain - inner, found[1])):
            nearest = np.partition(squares, count - 1, axis=1)[:, :count] if count < len(others) else squares
            # Rounding leaves equal rows a distance; those below it are equal.
            kept.append(np.sort(np.maximum(nearest, floor), axis=1))
    return Near(*(np.sqrt(np.concatenate(each).astype(np.float64)) for each in found))


def attack_scores(real: Ground, synthetic: Any, own: NDArray[np.intp] | None = None) -> Matrix:
    """(attacks, n) scores of the rows of both sides, in the order of ``ATTACKS``; higher ones speak for members.

    Args:
        synthetic: (k, genes) standardised.
        own: (n,) place of the synthetic row made from a row's own condition, which then does not count; -1 for none.
    """
    near = _near(real.rows, as_array(synthetic).astype(np.float32), real.basis, own)
    ratios, densities, features = [], [], []
    for of_made, of_real in zip(near, real.calibration, strict=True):
        width = 2.0 * KERNEL * float(np.median(of_real[:, 0] ** 2))
        logs = (np.log(of_made), np.log(of_real))
        ratios.append(logs[1][:, 0] - logs[0][:, 0])
        densities.append(_log_kernel(of_made, width) - _log_kernel(of_real, width))
        features += [ratios[-1], densities[-1]]
        features += [logs[1][:, :few].mean(axis=1) - logs[0][:, :few].mean(axis=1) for few in (3, NEIGHBOURS)]
    scores = [-np.log(near.plain[:, 0]), ratios[0], densities[0], ratios[1], densities[1]]
    columns = np.stack([*features, scores[0]], axis=1)
    scores.append(_classified(columns, np.arange(len(columns)) < real.members, real.fold))
    return np.round(np.stack(scores), DIGITS)


def _log_kernel(distances: Matrix, width: float) -> Matrix:
    return np.asarray(np.logaddexp.reduce(-(distances**2) / width, axis=1))


def _classified(features: Matrix, member: NDArray[np.bool_], fold: NDArray[np.intp]) -> Matrix:
    """Linear discriminant of the other folds, (n,), lightly regularised and without negative weights (Fisher 1936)."""
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0)
    scores = np.zeros(len(features))
    for held_out in range(FOLDS):
        seen, asked = fold != held_out, fold == held_out
        sides = [scaled[seen & side] for side in (member, ~member)]
        if min(map(len, sides)) < 2 or not asked.any():
            continue
        means = [side.mean(axis=0) for side in sides]
        within = np.concatenate([side - mean for side, mean in zip(sides, means, strict=True)])
        scatter = within.T @ within / len(within) + 0.01 * np.eye(scaled.shape[1])
        # Only nearness speaks for members: a learnt sign would call rows that shun non-members a leak.
        weights = np.maximum(np.linalg.solve(scatter, means[0] - means[1]), 0.0)
        scores[asked] = (scaled[asked] - (means[0] + means[1]) / 2) @ weights
    return scores


class Placements(NamedTuple):
    """of_members: (attacks, n) share of non-members with a lower score, ties ½; of_nonmembers: (attacks, m) share of
    members with a higher one. The mean of either is the AUC."""

    of_members: Matrix
    of_nonmembers: Matrix


def placements(scores: Matrix, members: int) -> Placements:
    """Of (attacks, n + m) scores, ``members`` = n of them first (DeLong et al. 1988)."""
    from scipy.stats import rankdata

    others = scores.shape[1] - members
    ranks = rankdata(scores, axis=1)
    first, second = rankdata(scores[:, :members], axis=1), rankdata(scores[:, members:], axis=1)
    return Placements((ranks[:, :members] - first) / others, 1.0 - (ranks[:, members:] - second) / members)


class Attack(NamedTuple):
    """auc in [0, 1], ½ = nothing betrayed, 1 = every member found; reference: the yardstick's AUC; sd: of the
    difference of both; null_sd: of the AUC were members and non-members exchangeable."""

    auc: float
    reference: float
    sd: float
    null_sd: float


def attacks(found: Placements, yardstick: Placements | None = None) -> dict[str, Attack]:
    """Figures of every attack; without a yardstick the reference is ½."""
    n, m = found.of_members.shape[1], found.of_nonmembers.shape[1]
    null_sd = auc_null_sd(n, m)
    result = {}
    for at, name in enumerate(ATTACKS):
        area = float(found.of_members[at].mean())
        if yardstick is None:
            result[name] = Attack(area, 0.5, null_sd, null_sd)
            continue
        known = float(yardstick.of_members[at].mean())
        sides = (found.of_members[at] - yardstick.of_members[at], found.of_nonmembers[at] - yardstick.of_nonmembers[at])
        variance = sum(float(side.var(ddof=1)) / len(side) for side in sides)
        result[name] = Attack(area, known, float(np.sqrt(variance)), null_sd)
    return result


def true_positive_rate(member_scores: Any, nonmember_scores: Any, *, limit: float = FALSE_POSITIVES) -> float:
    """Share of members found at a false positive rate of ``limit``, [0, 1], ``limit`` where nothing is betrayed.

    Read off the ROC curve whose ends of a tie are joined by a straight line, so that ties count ½ as in an AUC.
    """
    high, low = as_array(member_scores), as_array(nonmember_scores)
    cuts = np.unique(np.concatenate([high, low]))[::-1]
    rates = [
        np.concatenate([[0.0], 1.0 - np.searchsorted(np.sort(side), cuts, side="left") / len(side)])
        for side in (high, low)
    ]
    upper = int(np.searchsorted(rates[1], limit + 1e-12, side="right"))
    if upper == len(cuts) + 1:
        return 1.0
    left, right = rates[1][upper - 1], rates[1][upper]
    share = max(limit - left, 0.0) / (right - left)
    return float(rates[0][upper - 1] + share * (rates[0][upper] - rates[0][upper - 1]))


def nearest_distances(rows: Any, others: Any, *, chunk: int = 512) -> Matrix:
    """Euclidean distance of each of (n, genes) rows to the nearest other row, shape (n,). Time O(n · m · genes).

    Tensors on a GPU are compared there.
    """
    y, x = device_pair(others, rows)
    least = [namespace(x).amin(squared_distances(x[part], y), 1) for part in pair_chunks(len(x), len(y), chunk)]
    return np.concatenate([np.sqrt(as_array(squares)) for squares in least])


def nearer_share(synthetic: Any, training: Any, holdout: Any) -> float:
    """Share of synthetic rows nearer to a training row than to any held-out row, ties ½, [0, 1].

    The two sets differ in size and conditions, so that no value means "nothing remembered": read it against that of
    real rows.
    """
    return _smaller_share(nearest_distances(synthetic, training), nearest_distances(synthetic, holdout))


def closer_ratio_share(synthetic: Any, training: Any, holdout: Any) -> float:
    """Share of synthetic rows whose d1/d2 (see ``memorisation``) is smaller among training than held-out rows, [0, 1].

    Ties count ½. As with ``nearer_share`` no value means "nothing remembered".
    """
    return _smaller_share(nearest_ratios(synthetic, training), nearest_ratios(synthetic, holdout))


def _smaller_share(first: Matrix, second: Matrix) -> float:
    return float(((first < second) + 0.5 * (first == second)).mean())

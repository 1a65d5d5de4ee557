"""Does a generator betray who was in its training set?

Members are training patients, non-members test patients, as many of each class; the synthetic rows are one from the
condition of every one of them. A generator that remembers nothing treats both alike, so that an attack's AUC is ½ up
to its null sd. All rows are standardised. Sources: Chen et al. 2020 (distance, and distance calibrated by real rows);
Carlini et al. 2022 (true positive rate at a low false positive rate); Platzer & Reutterer 2021 (shares).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.detection import auc, auc_null_sd
from gexbench.metrics.memorisation import nearest_ratios
from gexbench.metrics.shared.arrays import Matrix, as_array, device_pair, namespace, pair_chunks, squared_distances
from gexbench.metrics.shared.hashing import hash_order

FALSE_POSITIVES = 0.01
SPLIT_SDS = 3.0


class Compared(NamedTuple):
    """members: rows of train; nonmembers: rows of test; of every class as many of both."""

    members: NDArray[np.intp]
    nonmembers: NDArray[np.intp]


class Attack(NamedTuple):
    """auc in [0, 1], ½ = nothing betrayed, 1 = every member found; tpr: true positive rate at 1 % false positives,
    0.01 = nothing betrayed; null_sd: sd of the AUC were members and non-members exchangeable."""

    auc: float
    tpr: float
    null_sd: float


def compared_patients(train_ids: Any, train_labels: Any, test_ids: Any, test_labels: Any) -> Compared:
    """Who is compared: of every class as many training as test patients, chosen by hashed id; labels of the finest.

    Raises ValueError where no class has both.
    """
    sides = []
    for ids, labels in ((train_ids, train_labels), (test_ids, test_labels)):
        order = hash_order("membership", ids)
        sides.append({str(name): order[as_array(labels)[order] == name] for name in np.unique(labels)})
    shared = sorted(sides[0].keys() & sides[1].keys())
    if not shared:
        raise ValueError("no class has both members and non-members")
    sizes = {name: min(len(side[name]) for side in sides) for name in shared}
    return Compared(*(np.sort(np.concatenate([side[name][: sizes[name]] for name in shared])) for side in sides))


def nearest_distances(rows: Any, others: Any, *, chunk: int = 512) -> Matrix:
    """Euclidean distance of each of (n, genes) rows to the nearest other row, shape (n,). Time O(n · m · genes).

    Tensors on a GPU are compared there.
    """
    y, x = device_pair(others, rows)
    least = [namespace(x).amin(squared_distances(x[part], y), 1) for part in pair_chunks(len(x), len(y), chunk)]
    return np.concatenate([np.sqrt(as_array(squares)) for squares in least])


def membership_attacks(members: Any, nonmembers: Any, synthetic: Any, audit: Any) -> dict[str, Attack]:
    """Two attacks: ``distance`` to the nearest synthetic row; ``ratio`` of it to that to the nearest audit row.

    All (n, genes), standardised. A smaller value speaks for a member. The ratio takes away that some patients lie in
    denser regions than others.
    """
    near = [nearest_distances(rows, synthetic) for rows in (members, nonmembers)]
    real = [np.maximum(nearest_distances(rows, audit), 1e-12) for rows in (members, nonmembers)]
    return {
        "distance": attack(-near[0], -near[1]),
        "ratio": attack(-near[0] / real[0], -near[1] / real[1]),
    }


def split_attacks(members: Any, nonmembers: Any, bystanders: Any, audit: Any) -> dict[str, Attack]:
    """The attacks with real rows in place of synthetic ones: what they find in the split before any generator saw it.

    bystanders: real training rows that are no members, (n, genes), or none at all: audit rows then. They remember
    nobody. Where patients were dealt at random both AUCs meet the null; where members and non-members are of different
    kinds they are what a perfect generator would get.
    """
    rows = bystanders if len(bystanders) else audit
    return membership_attacks(members, nonmembers, rows, audit)


def differing(found: Mapping[str, Attack], *, sds: float = SPLIT_SDS) -> str | None:
    """Which of ``split_attacks`` lie more than ``sds`` null sds from ½, in words; None where none does.

    About one random split in 200 is called different; a difference smaller than that is not seen.
    """
    off = {name: each for name, each in found.items() if abs(each.auc - 0.5) > sds * each.null_sd}
    words = [f"{name} AUC {each.auc:.3f}, null 0.5 ± {each.null_sd:.3f}" for name, each in off.items()]
    return "; ".join(words) or None


def attack(member_scores: Any, nonmember_scores: Any) -> Attack:
    """Figures of an attack from the scores of n members and m non-members; higher scores speak for members."""
    return Attack(
        auc(member_scores, nonmember_scores),
        true_positive_rate(member_scores, nonmember_scores),
        auc_null_sd(len(member_scores), len(nonmember_scores)),
    )


def true_positive_rate(member_scores: Any, nonmember_scores: Any, *, limit: float = FALSE_POSITIVES) -> float:
    """Largest share of members above a threshold that at most ``limit`` of the non-members exceed, [0, 1].

    Ties with the threshold count on neither side. Below 100 non-members none may exceed it at 1 %.
    """
    high, low = as_array(member_scores), np.sort(as_array(nonmember_scores))[::-1]
    allowed = int(np.floor(limit * len(low) + 1e-9))
    return float((high > low[allowed]).mean()) if allowed < len(low) else 1.0


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

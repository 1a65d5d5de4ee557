"""The real side of the gates, made once per fold: known rows with the limits of copies, and whom attacks compare."""

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.gates.class_copula import class_copula_rows
from gexbench.metrics.gates.copies import Pool, pool_of
from gexbench.metrics.membership import attack_scores, attacks, ground, paired_by_class, placements
from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.shared.hashing import hash_order
from gexbench.metrics.space import Space
from gexbench.tasks.panel.declarations.rows import Compared, RealRows

MOST_MADE = 2000
"""Synthetic rows of a part in which copies and members are sought; of more a sample by hashed id."""
SPLIT_SDS = 3.0
LEAST_KNOWN = 4


def made_places(ids: NDArray[np.str_]) -> NDArray[np.intp]:
    """Places, ascending, of the rows of a part that the gates read."""
    if len(ids) <= MOST_MADE:
        return np.arange(len(ids))
    return np.sort(hash_order("gates", ids)[:MOST_MADE])


def pools(train: Matrix, validation: Matrix, test: Matrix, audit: Matrix) -> dict[str, Pool]:
    """Rows that a generator may have copied, by part of the fold; a part of fewer than four rows is left out."""
    parts = {"training": train, "validation": validation, "test": test}
    return {name: pool_of(rows, audit) for name, rows in parts.items() if len(rows) >= LEAST_KNOWN}


def compared(rows: RealRows, space: Space, seed: int) -> dict[str, Compared]:
    """Whom attacks compare.

    `training`: with test patients, in all rows; `validation` and `paired`: validation and training patients with audit
    patients, in all rows and in paired draws; `test`: test patients with audit patients. The yardstick of validation
    patients is fitted on them too, as a generator may be. A comparison without a class of both sides is left out.
    """
    labels = rows.labels[rows.finest]
    asked = np.concatenate([part[made_places(ids)] for part, ids in _made(rows)])
    known = np.concatenate([rows.train, rows.validation])
    copulas = {
        "training": class_copula_rows(rows.train, labels.train, asked, seed),
        "validation": class_copula_rows(known, np.concatenate([labels.train, labels.validation]), asked, seed),
    }
    copulas["paired"] = copulas["training"][: len(made_places(rows.test_ids))]
    sides = {
        "training": ("train", "test", "audit"),
        "validation": ("validation", "audit", "test"),
        "paired": ("train", "audit", "test"),
        "test": ("test", "audit", "train"),
    }
    found = {}
    for name, (members, others, calibrating) in sides.items():
        one = _compared(rows, space, (members, others, calibrating), copulas.get(name))
        if one is not None:
            found[name] = one
    return found


def _made(rows: RealRows) -> tuple[tuple[NDArray[np.str_], NDArray[np.str_]], ...]:
    labels = rows.labels[rows.finest]
    return (labels.test, rows.test_ids), (labels.train, rows.train_ids)


def _compared(rows: RealRows, space: Space, parts: tuple[str, str, str], copula: Matrix | None) -> Compared | None:
    labels = rows.labels[rows.finest]
    members, others = parts[:2]
    ids, known = zip(
        *((getattr(rows, f"{part}_ids"), getattr(labels, part)) for part in (members, others)), strict=True
    )
    if not set(known[0]) & set(known[1]):
        return None
    pair = paired_by_class(ids[0], known[0], ids[1], known[1])
    standard = {part: space.standardise(getattr(rows, part), part) for part in parts}
    chosen = (known[0][pair.members], known[1][pair.nonmembers])
    real = ground(
        standard[members][pair.members],
        standard[others][pair.nonmembers],
        standard[parts[2]],
        chosen,
        (ids[0][pair.members], ids[1][pair.nonmembers]),
    )
    yardstick = None
    if copula is not None:
        made = space.standardise(copula, "class copula")
        yardstick = placements(attack_scores(real, made), real.members)
    own = _own(rows, pair.members, chosen) if members == "test" else np.full(len(real.rows), -1)
    return Compared(real, own, yardstick)


def _own(
    rows: RealRows, members: NDArray[np.intp], labels: tuple[NDArray[np.str_], NDArray[np.str_]]
) -> NDArray[np.intp]:
    """(n,) places among the read test rows: of every member its own, of the other side that of its partner's.

    members: places among the test patients. -1 for a row that is not read.
    """
    place = np.full(len(rows.test_ids), -1)
    kept = made_places(rows.test_ids)
    place[kept] = np.arange(len(kept))
    own = np.full(sum(map(len, labels)), -1)
    own[: len(members)] = place[members]
    for name in np.unique(labels[0]):
        own[len(members) + np.flatnonzero(labels[1] == name)] = own[np.flatnonzero(labels[0] == name)]
    return own


def not_exchangeable(rows: RealRows, space: Space) -> str | None:
    """Why membership has no null on this fold; None where it has one.

    Of a user's own folds the rows are asked: real training patients in place of synthetic rows remember nobody, so
    that distance and ratio meet their null where patients were dealt at random.
    """
    if rows.exchangeable is not None:
        return None if rows.exchangeable else "training and test patients were not dealt at random"
    found = _compared(rows, space, ("train", "test", "audit"), None)
    if found is None:
        return "no class has both training and test patients"
    labels = rows.labels[rows.finest]
    members = paired_by_class(rows.train_ids, labels.train, rows.test_ids, labels.test).members
    rest = np.delete(rows.train, members, axis=0)
    bystanders = space.standardise(rest if len(rest) else rows.validation, "bystanders")
    split = attacks(placements(attack_scores(found.ground, bystanders), found.ground.members))
    off = {
        name: split[name]
        for name in ("distance", "ratio")
        if abs(split[name].auc - 0.5) > SPLIT_SDS * split[name].null_sd
    }
    if not off:
        return None
    words = "; ".join(f"{name} AUC {each.auc:.3f}, null 0.5 ± {each.null_sd:.3f}" for name, each in off.items())
    return (
        "training and test patients differ before any generator has seen them "
        f"({words} with real rows that remember nobody)"
    )

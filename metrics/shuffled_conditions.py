"""Conditional skill with the draws of another patient of the class: what a condition says beyond the label.

Draws that know only the label are as good for one patient of a class as for another; the skill that they lose when
patients of a class exchange their draws is what image and text told the generator. The gain also counts what a wrong
patient's draws cost, so that it can exceed the conditional skill.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gexbench.metrics.paired import patient_crps, skill
from gexbench.metrics.shared.arrays import Matrix
from gexbench.metrics.shared.hashing import hash_order


class ShuffledConditions(NamedTuple):
    """skill: with the exchanged draws; gain: what the right draws give beyond it, on the same rows; rows: how many."""

    skill: float
    gain: float
    rows: int


def derangement(patients: Any, labels: Any, salt: str) -> NDArray[np.intp]:
    """For every one of n rows another row of its class and of another patient; each row is given once.

    The patients of a class stand in hashed order, each with all its rows, and every row gets the one that stands as
    many places on as the patient with most rows has: the order of rows has no say. A row keeps its own patient only
    where a patient has more than half of a class, as in a class of one patient.
    """
    names, classes = np.asarray(patients), np.asarray(labels)
    given = np.arange(len(names))
    order = hash_order(salt, names)
    for name in np.unique(classes):
        mine = order[classes[order] == name]
        step = int(np.unique(names[mine], return_counts=True)[1].max())
        given[mine] = np.roll(mine, -step)
    return given


def shuffled_conditions(
    draws: NDArray[Any], truth: Matrix, own: Matrix, reference: Matrix, patients: Any, labels: Any, salt: str
) -> ShuffledConditions:
    """Skill of (n, m, genes) draws that patients of a class exchanged, and the gain of the right ones over it.

    Args:
        draws, truth: draws for n patients and their (n, genes) truth, both standardised.
        own: CRPS of every row's own draws, (n,); reference: of all training rows of its label, (n,).
        patients, labels: patient and finest class of every row, (n,).
        salt: of the exchange.

    Returns:
        skill in (-inf, 1] and gain in (-inf, inf), near 0 when the draws know only the label. Rows that cannot be given
        another patient's draws are left out of both.

    Raises:
        ValueError: no class has rows of two patients.
    """
    names = np.asarray(patients)
    given = derangement(names, labels, salt)
    rows = np.flatnonzero(names[given] != names)
    if not len(rows):
        raise ValueError("no class of the finest label has two test patients who could exchange their draws")
    level = float(reference[rows].mean())
    exchanged = skill(float(patient_crps(draws[given[rows]], truth[rows]).mean()), level)
    return ShuffledConditions(exchanged, skill(float(own[rows].mean()), level) - exchanged, len(rows))

"""Dealing of patients and of whole tissue-source sites by hashed name: into parts, and one in five of them."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gexbench.metrics.shared.hashing import hash_order

PARTS = 5
FOLD_SEED = 0


def deal_patients(classes: Mapping[str, str], seed: int = FOLD_SEED, parts: int = PARTS) -> dict[str, int]:
    """Part of each patient: patients of a class in SHA-256 order of (seed, id), dealt round-robin.

    Args:
        classes: patient id → class of the finest label, over the whole clinical table (before any modality is
            looked at, so that cohorts with fewer modalities agree about every patient).
    """
    dealt: dict[str, int] = {}
    for ids in _by_class(classes):
        ordered = ids[hash_order(seed, ids)]
        dealt.update(zip(ordered.tolist(), (np.arange(len(ordered)) % parts).tolist(), strict=True))
    return dealt


def deal_sites(classes: Mapping[str, str], sites: Mapping[str, str], parts: int = PARTS) -> dict[str, int]:
    """Part of each patient when whole tissue-source sites are dealt.

    Within a class the sites go, largest first (ties by name), to the part with the fewest patients of that class.
    """
    dealt: dict[str, int] = {}
    for ids in _by_class(classes):
        filled = np.zeros(parts, dtype=int)
        of_patient = pd.Series([sites[name] for name in ids], index=ids)
        sizes = of_patient.value_counts()
        for site in sorted(sizes.index, key=lambda name: (-sizes[name], str(name))):
            part = int(filled.argmin())
            filled[part] += sizes[site]
            dealt.update(dict.fromkeys(of_patient.index[of_patient == site], part))
    return dealt


def one_in_five(classes: Mapping[str, str], salt: str) -> set[str]:
    """A fifth of the patients of every class, rounded, at least one where there are two; by hash of (salt, id)."""
    chosen: set[str] = set()
    for ids in _by_class(classes):
        size = max(round(len(ids) / 5), int(len(ids) > 1))
        chosen.update(ids[hash_order(salt, ids)[:size]].tolist())
    return chosen


def sites_of_one_in_five(classes: Mapping[str, str], sites: Mapping[str, str], salt: str) -> set[str]:
    """Patients of whole sites that come near a fifth of every class.

    Within a class the sites are asked in the order of the hash of (salt, name), and taken where that brings the number
    of patients nearer to a fifth; where no site does, the smallest of several is taken.
    """
    chosen: set[str] = set()
    for ids in _by_class(classes):
        of_patient = pd.Series([sites[name] for name in ids], index=ids)
        sizes = of_patient.value_counts().sort_index()
        taken, missing = [], len(ids) / 5
        for site in sizes.index[hash_order(salt, sizes.index)]:
            if sizes[site] < 2 * missing:
                taken.append(site)
                missing -= sizes[site]
        if not taken and len(sizes) > 1:
            taken = [sizes.idxmin()]
        chosen.update(of_patient.index[of_patient.isin(taken)])
    return chosen


def most_frequent(groups: pd.Series, values: pd.Series) -> dict[str, str]:
    """Patient → the value that most of its samples have, ties by name; both arguments by sample."""
    counted = pd.DataFrame({"patient": groups, "value": values}).value_counts().rename("n").reset_index()
    ordered = counted.sort_values(["n", "value"], ascending=[False, True]).drop_duplicates("patient")
    return dict(zip(ordered["patient"], ordered["value"], strict=True))


def assign_parts(
    groups: pd.Series, classes: pd.Series, sites: pd.Series | None = None, seed: int = FOLD_SEED
) -> pd.DataFrame:
    """Columns `fold_random` and, with sites, `fold_site`: the part (0 to 4) of every sample.

    A patient has the class and the site that most of its samples have, ties by name.

    Args:
        groups: sample id → patient.
        classes: sample id → class of the finest label.
        sites: sample id → tissue-source site.
    """
    of_patient = most_frequent(groups, classes)
    parts = {"fold_random": groups.map(deal_patients(of_patient, seed))}
    if sites is not None:
        parts["fold_site"] = groups.map(deal_sites(of_patient, most_frequent(groups, sites)))
    return pd.DataFrame(parts).astype(np.int8)


def _by_class(classes: Mapping[str, str]) -> list[np.ndarray]:
    """Patients of each class, sorted by name; classes in the order of their names."""
    frame = pd.Series(dict(classes), dtype=object).sort_index()
    return [np.asarray(ids, dtype=str) for _, ids in sorted(frame.groupby(frame).groups.items())]

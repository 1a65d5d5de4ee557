"""Patient-level folds: hashed, stratified, by random patients or by whole tissue-source sites."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.metrics.shared.hashing import hash_order
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.vocabulary import Track
from gexbench.tasks.errors import InputError, examples

PARTS = 5
FOLD_SEED = 0
SMALLEST_PART = 20
SITE_MINIMUM = {"test": 8, "validation": 8, "train": 10}
SCARCE_MINIMUM = 5


@dataclass(frozen=True, slots=True)
class Fold:
    """Sample ids of train, validation and test, by name.

    `left_out` names the classes of the finest label that take no part in this fold (site-held-out track only).
    """

    track: str
    index: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def hash(self) -> str:
        """SHA-256 of the three id lists in order (hexadecimal)."""
        text = json.dumps([self.train, self.validation, self.test])
        return hashlib.sha256(text.encode()).hexdigest()


def deal_patients(classes: Mapping[str, str], seed: int = FOLD_SEED, parts: int = PARTS) -> dict[str, int]:
    """Part of each patient: patients of a class in SHA-256 order of (seed, id), dealt round-robin.

    Args:
        classes: patient id → class of the finest label, over the whole clinical table (before any modality is
            looked at, so that cohorts with fewer modalities agree about every patient).
    """
    frame = pd.Series(dict(classes), dtype=object)
    dealt: dict[str, int] = {}
    for _, ids in sorted(frame.groupby(frame).groups.items()):
        names = np.asarray(ids, dtype=str)
        ordered = names[hash_order(seed, names)]
        dealt.update(zip(ordered.tolist(), (np.arange(len(ordered)) % parts).tolist(), strict=True))
    return dealt


def deal_sites(classes: Mapping[str, str], sites: Mapping[str, str], parts: int = PARTS) -> dict[str, int]:
    """Part of each patient when whole tissue-source sites are dealt.

    Within a class the sites go, largest first (ties by name), to the part with the fewest patients of that class.
    """
    frame = pd.DataFrame({"class": pd.Series(dict(classes)), "site": pd.Series(dict(sites))})
    dealt: dict[str, int] = {}
    for _, members in sorted(frame.groupby("class")):
        filled = np.zeros(parts, dtype=int)
        sizes = members["site"].value_counts()
        for site in sorted(sizes.index, key=lambda name: (-sizes[name], str(name))):
            part = int(filled.argmin())
            filled[part] += sizes[site]
            dealt.update(dict.fromkeys(members.index[members["site"] == site], part))
    return dealt


def assign_parts(
    groups: pd.Series, classes: pd.Series, sites: pd.Series | None = None, seed: int = FOLD_SEED
) -> pd.DataFrame:
    """Columns `fold_random` and, with sites, `fold_site`: the part (0 to 4) of every sample.

    Args:
        groups: sample id → patient; a patient's first sample gives its class and site.
        classes: sample id → class of the finest label.
        sites: sample id → tissue-source site.
    """
    first = ~groups.duplicated()
    owner = groups[first]
    of_group = dict(zip(owner, classes[first], strict=True))
    parts = {"fold_random": groups.map(deal_patients(of_group, seed))}
    if sites is not None:
        parts["fold_site"] = groups.map(deal_sites(of_group, dict(zip(owner, sites[first], strict=True))))
    return pd.DataFrame(parts).astype(np.int8)


def folds(cohort: Cohort, track: Track = "random") -> tuple[Fold, ...]:
    """The cohort's five folds: test = part k, validation = part k + 1 (mod 5), training = the rest.

    The part of every patient is stored with the cohort when it is built (`fold_random`, `fold_site` in its
    clinical table). Samples of one patient always share a part.

    Raises:
        InputError: the site-held-out track of a cohort without sites.
    """
    column = f"fold_{track}"
    if column not in cohort.clinical:
        raise InputError(f"cohort {cohort.name}: no site column, hence no track site; use --track random")
    parts = cohort.clinical[column].to_numpy(dtype=int)
    labels = cohort.labels(cohort.finest_label)
    return tuple(_fold(cohort.samples, labels, parts, index, track) for index in range(PARTS))


def _fold(
    samples: NDArray[np.str_], labels: NDArray[np.str_], parts: NDArray[np.int_], index: int, track: Track
) -> Fold:
    test, validation = parts == index, parts == (index + 1) % PARTS
    roles = {"test": test, "validation": validation, "train": ~(test | validation)}
    left_out: list[str] = []
    if track == "site":
        for name in np.unique(labels):
            sizes = {role: int((rows & (labels == name)).sum()) for role, rows in roles.items()}
            if any(sizes[role] < least for role, least in SITE_MINIMUM.items()):
                left_out.append(str(name))
    kept = ~np.isin(labels, left_out)
    ids = {role: tuple(samples[rows & kept].tolist()) for role, rows in roles.items()}
    return Fold(track, index, ids["train"], ids["validation"], ids["test"], tuple(left_out))


def share_of(fold: Fold, cohort: Cohort, fraction: float) -> Fold:
    """The fold with a share of its training and validation patients, for a generator that is fitted on few.

    Of every class of the finest label at least 5 patients (all of a smaller class) stay in each part, among them one
    of every label combination, so that none is unknown to the generator. Chosen by hashed id: those of a smaller
    fraction are among those of a larger one. All samples of a chosen patient stay.

    Raises:
        ValueError: unless 0 < fraction <= 1.
    """
    if not 0.0 < fraction <= 1.0:
        raise ValueError(f"fraction is {fraction}; it must be above 0 and at most 1")
    labels = {column: cohort.labels(column) for column in cohort.label_columns}
    frame = pd.DataFrame({**labels, "patient": cohort.groups}, index=cohort.samples)
    parts = {part: _share(frame.loc[list(getattr(fold, part))], fraction) for part in ("train", "validation")}
    return Fold(fold.track, fold.index, parts["train"], parts["validation"], fold.test, fold.left_out)


def _share(samples: pd.DataFrame, fraction: float) -> tuple[str, ...]:
    """Ids of the share, in the order of the samples; columns: labels, finest first, and `patient`."""
    first = samples.drop_duplicates("patient").set_index("patient")
    first = first.iloc[hash_order(FOLD_SEED, first.index.to_numpy(dtype=str))]
    finest = first.columns[0]
    # The first patient of every combination comes before the second of any.
    repeated = first.duplicated().to_numpy()
    first = pd.concat([first[~repeated], first[repeated]])
    combinations = first[finest][: int((~repeated).sum())].value_counts()
    shares = (first[finest].value_counts() * fraction).round().astype(int)
    wanted = np.maximum(np.maximum(shares, SCARCE_MINIMUM), combinations[shares.index])
    place = first.groupby(finest).cumcount()
    chosen = first.index[(place < first[finest].map(wanted)).to_numpy()]
    return tuple(samples.index[samples["patient"].isin(chosen)].tolist())


def read_folds(path: Path, cohort: Cohort) -> tuple[Fold, ...]:
    """A user's folds: JSON, a list of objects with the id lists `train`, `validation` and `test`.

    Raises:
        InputError: unknown ids, ids in two parts, a patient split over parts, empty parts; all at once.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read as JSON ({error})") from None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path.name}: must hold a list of folds, each with 'train', 'validation' and 'test'")
    problems: list[str] = []
    found = []
    for index, item in enumerate(content):
        problems += [f"{path.name}: fold {index}: {problem}" for problem in _fold_problems(item, cohort)]
        if not problems:
            found.append(Fold("custom", index, *(tuple(item[part]) for part in ("train", "validation", "test"))))
    if problems:
        raise InputError(problems)
    return tuple(found)


def _fold_problems(item: Any, cohort: Cohort) -> list[str]:
    parts = ("train", "validation", "test")
    if not isinstance(item, dict) or set(item) != set(parts):
        return ["must be an object with exactly the keys 'train', 'validation' and 'test'"]
    lists: list[Sequence[Any]] = [item[part] for part in parts]
    if not all(isinstance(ids, list) and ids and all(isinstance(name, str) for name in ids) for ids in lists):
        return ["every part must be a list of at least one sample id"]
    names = [name for ids in lists for name in ids]
    position = {name: row for row, name in enumerate(cohort.samples.tolist())}
    unknown_ids = [name for name in names if name not in position]
    if unknown_ids:
        return [f"{len(unknown_ids)} ids are not in cohort {cohort.name} ({examples(unknown_ids)})"]
    if len(set(names)) != len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        return [f"{len(repeated)} ids appear more than once ({examples(repeated)})"]
    owner: dict[str, str] = {}
    crossing = set()
    for part, ids in zip(parts, lists, strict=True):
        for name in ids:
            group = str(cohort.groups[position[name]])
            if owner.setdefault(group, part) != part:
                crossing.add(group)
    if crossing:
        return [f"{len(crossing)} patients are in two parts ({examples(sorted(crossing))})"]
    labels = cohort.labels(cohort.finest_label)
    found = {part: {str(labels[position[name]]) for name in ids} for part, ids in zip(parts, lists, strict=True)}
    problems = [
        f"classes of {cohort.finest_label} in test but not in {part}: {examples(missing)}; leave their patients out"
        for part in ("train", "validation")
        if (missing := sorted(found["test"] - found[part]))
    ]
    smallest = min(len(item["test"]), len(item["validation"]))
    if smallest < SMALLEST_PART:
        problems.append(f"test and validation need at least {SMALLEST_PART} samples each, here {smallest}")
    return problems


def equal_size_rows(fold: Fold, test_labels: NDArray[np.str_], validation_labels: NDArray[np.str_]) -> NDArray[np.intp]:
    """Rows of test that set metrics use: per class min(test, validation) patients, in hashed order, ascending.

    n is then equal for all generators, and `real-holdout` repeats no row.
    """
    chosen = []
    order = hash_order(FOLD_SEED, fold.test)
    for name in np.unique(test_labels):
        rows = order[test_labels[order] == name]
        chosen.append(rows[: int((validation_labels == name).sum())])
    return np.sort(np.concatenate(chosen))

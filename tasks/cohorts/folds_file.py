"""Folds that a user brings in a JSON file."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.folds import ROLES, Fold, check_size, fifth, samples_of
from gexbench.tasks.errors import InputError, examples

SMALLEST_PART = 10
_GIVEN, _DEALT = ("train", "test"), ("audit", "validation")


def read_folds(path: Path, cohort: Cohort) -> tuple[Fold, ...]:
    """A user's folds: JSON, a list of objects with the id lists `train` and `test`, and `validation` and `audit`.

    Where a fold has no `audit`, one development patient in five of every class becomes one, by hash; then one in five
    of the others becomes a validation patient where it has no `validation` either. Whole sites are taken where the
    fold keeps the sites of its test patients apart.

    Raises:
        InputError: unknown ids, ids in two parts, a patient split over parts, empty parts; all at once. Fewer than 60
            patients.
    """
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: cannot be read as JSON ({error})") from None
    if not isinstance(content, list) or not content:
        raise InputError(f"{path.name}: must hold a list of folds, each with 'train' and 'test'")
    check_size(cohort)
    samples, problems, found = samples_of(cohort), [], []
    for index, item in enumerate(content):
        wrong = _item_problems(item, samples, cohort.name)
        if not wrong:
            fold = _fold(item, samples, index)
            wrong = _fold_problems(fold, samples["label"], cohort.finest_label)
            found.append(fold)
        problems += [f"{path.name}: fold {index}: {problem}" for problem in wrong]
    if problems:
        raise InputError(problems)
    return tuple(found)


def _fold(item: dict[str, list[str]], samples: pd.DataFrame, index: int) -> Fold:
    role = pd.Series({name: part for part, ids in item.items() for name in ids}).reindex(samples.index)
    given = samples[role.notna()].assign(role=role.dropna())
    test = given["role"] == "test"
    apart = "site" in given and not set(given["site"][test]) & set(given["site"][~test])
    for part in _DEALT:
        if part not in item:
            development = given[given["role"].isin(("train", "validation"))]
            given.loc[given["patient"].isin(fifth(development, part, whole_sites=apart)), "role"] = part
    return Fold("custom", index, **{part: tuple(given.index[given["role"] == part].tolist()) for part in ROLES})


def _item_problems(item: Any, samples: pd.DataFrame, cohort: str) -> list[str]:
    if not isinstance(item, dict) or not {*_GIVEN} <= set(item) <= {*ROLES}:
        return ["must be an object with the keys 'train' and 'test', and 'validation' and 'audit' or not"]
    if not all(isinstance(ids, list) and ids and all(isinstance(name, str) for name in ids) for ids in item.values()):
        return ["every part must be a list of at least one sample id"]
    names = pd.Series([name for ids in item.values() for name in ids])
    unknown_ids = names[~names.isin(samples.index)].tolist()
    if unknown_ids:
        return [f"{len(unknown_ids)} ids are not in cohort {cohort} ({examples(unknown_ids)})"]
    repeated = sorted(set(names[names.duplicated()]))
    if repeated:
        return [f"{len(repeated)} ids appear more than once ({examples(repeated)})"]
    owners = [set(samples.loc[ids, "patient"]) for ids in item.values()]
    patients = pd.Series([patient for each in owners for patient in each])
    crossing = sorted(set(patients[patients.duplicated()]))
    return [f"{len(crossing)} patients are in two parts ({examples(crossing)})"] if crossing else []


def _fold_problems(fold: Fold, labels: pd.Series, column: str) -> list[str]:
    classes = {part: set(labels.loc[list(getattr(fold, part))]) for part in ROLES}
    problems = [
        f"classes of {column} in test but not in {part}: {examples(missing)}; leave their patients out"
        for part in ("train", "audit")
        if (missing := sorted(classes["test"] - classes[part]))
    ]
    smallest = min(len(fold.test), len(fold.audit))
    if smallest < SMALLEST_PART:
        problems.append(f"test and audit need at least {SMALLEST_PART} samples each, here {smallest}")
    return problems

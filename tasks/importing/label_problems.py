"""Labels that have too few classes to learn from, and what to type in their place."""

import pandas as pd

from gexbench.tasks.cohorts.cohort import MINIMUM_CLASS_SIZE
from gexbench.tasks.errors import examples
from gexbench.tasks.importing.alignment import Aligned


def class_problems(aligned: Aligned, name: str, *, typed: bool) -> list[str]:
    """Labels with fewer than two classes of at least 25 patients.

    Args:
        aligned: the cohort's samples with their labels.
        name: of the cohort, for messages.
        typed: whether the labels were named; else they are the default ones.
    """
    owners = pd.Series(aligned.groups, index=aligned.clinical.index)
    origin = "" if typed else "it was used by default, because --labels is missing; "
    problems = []
    for label in aligned.label_columns:
        sizes = owners.groupby(aligned.clinical[label]).nunique().sort_values(ascending=False)
        if (usable := _usable(sizes)) < 2:
            found = examples((f"{one}: {size}" for one, size in sizes.items()), 5)
            problems.append(
                f"{name}: label {label!r} has {usable} classes of at least {MINIMUM_CLASS_SIZE} patients "
                f"({found or 'no samples left'}); {origin}a label needs two: {_remedy(aligned, owners)}"
            )
    return problems


def _usable(sizes: pd.Series) -> int:
    return int((sizes >= MINIMUM_CLASS_SIZE).sum())


def _remedy(aligned: Aligned, owners: pd.Series) -> str:
    """The remedy: the labels with two classes, or else other columns that have two."""
    table = aligned.clinical

    def fits(column: str) -> bool:
        return _usable(owners.groupby(table[column]).nunique()) >= 2

    if kept := [label for label in aligned.label_columns if fits(label)]:
        return f"leave it out (--labels {','.join(kept)}), or merge its classes"
    texts = [column for column in table if column not in aligned.label_columns and table[column].dtype == object]
    if others := [column for column in texts if fits(column)]:
        return f"name another column, such as --labels {others[0]} (with two such classes: {examples(others, 8)})"
    return "merge its classes, or add a column with two and name it with --labels"

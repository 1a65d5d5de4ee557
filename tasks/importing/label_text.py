"""Labels, patients and sites as text: as written, trimmed; what is missing and what looks alike is named."""

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from gexbench.tasks.errors import examples
from gexbench.tasks.files.notes import Note
from gexbench.tasks.text.clinical_text import is_absent


def as_written(column: pd.Series) -> pd.Series:
    """Text, trimmed; numbers without a decimal that they do not need (1.0 → `1`); missing values stay missing."""

    def text(value: object) -> str:
        if isinstance(value, float | np.floating) and float(value).is_integer():
            return str(int(value))
        return str(value).strip()

    if pd.api.types.is_numeric_dtype(column.dtype) or column.dtype == object:
        return column.astype(object).map(text, na_action="ignore").astype(object)
    return column.astype(object).map(lambda value: str(value).strip(), na_action="ignore").astype(object)


def without(table: pd.DataFrame, absent: Iterable[str]) -> pd.DataFrame:
    """The table with fields that the user declared missing taken out of its columns of text."""
    words = list(absent)
    if not words:
        return table
    changed = {
        column: table[column].astype(object).where(~table[column].astype(str).str.strip().isin(words))
        for column in table
        if not pd.api.types.is_numeric_dtype(table[column])
    }
    return table.assign(**changed)


def missing_label(column: pd.Series) -> pd.Series:
    """True where a label is missing: blank, or a word for absence such as `[Unknown]`; `None` is a class."""
    return is_absent(column) & ~column.astype(object).map(lambda value: str(value).strip().lower() == "none",
                                                          na_action="ignore").fillna(False).astype(bool)  # fmt: skip


def unlabelled_note(clinical: pd.DataFrame, labels: Sequence[str]) -> list[Note]:
    """Samples that a missing label leaves out, with the words that count as missing."""
    notes = []
    for label in labels:
        absent = missing_label(clinical[label])
        if not absent.any():
            continue
        words = clinical.loc[absent.to_numpy(), label].astype(object)
        counts = words.map(lambda value: repr(str(value).strip()), na_action="ignore").fillna("blank").value_counts()
        said = ", ".join(f"{word} {count}" for word, count in counts.head(4).items())
        notes.append(Note.of(f"no value of a label: {label} ({said})", clinical.index[absent.to_numpy()]))
    return notes


def alike(clinical: pd.DataFrame, labels: Sequence[str]) -> list[Note]:
    """Classes that differ in nothing but the case of letters or blanks."""
    notes = []
    for label in labels:
        names = [str(name) for name in clinical[label][~missing_label(clinical[label])].unique()]
        folded: dict[str, list[str]] = {}
        for name in names:
            folded.setdefault(re.sub(r"[\s_-]+", " ", name).casefold(), []).append(name)
        pairs = [" and ".join(map(repr, found)) for found in folded.values() if len(found) > 1]
        if pairs:
            notes.append(Note.of(f"classes of {label} that differ in case or blanks alone", pairs, left_out=False))
    return notes


def trimmed_note(clinical: pd.DataFrame, labels: Sequence[str]) -> list[Note]:
    """Labels with blanks around them, which are trimmed."""
    notes = []
    for label in labels:
        texts = clinical[label].dropna().astype(str)
        around = texts[texts != texts.str.strip()]
        if len(around):
            reason = f"values of {label} trimmed, such as {examples(map(repr, around.unique()), 2)}"
            notes.append(Note.of(reason, around.index, left_out=False))
    return notes

"""Inspecting tables: delimited text and parquet, by their heads."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd

from gexbench.tasks.errors import examples
from gexbench.tasks.files.delimited import text_type
from gexbench.tasks.files.gene_columns import ANNOTATIONS
from gexbench.tasks.files.sample_ids import mostly_samples
from gexbench.tasks.public.inspecting.heads import Head, head_of_table
from gexbench.tasks.public.inspecting.inspection import (
    Inspection,
    UnitGuess,
    facts_of_samples,
    labels_that_serve,
    of_patients,
    unit_of_values,
)
from gexbench.tasks.text.clinical_text import FIELDS, plain_name

_SAMPLE = re.compile(r"sample|model|case|barcode|patient", re.IGNORECASE)
_CLINICAL = {name for field in FIELDS["full"] for name in field.columns}
Facts = list[tuple[str, str]]


def inspect_table(path: Path) -> Inspection:
    """A delimited or parquet file: orientation, ids, unit, labels, and the command.

    Raises:
        InputError: a file that is no table.
    """
    head = head_of_table(path)
    seen = f"{head.rows:,} rows" if head.whole else f"more than {head.rows:,} rows (the first were read)"
    facts = [("what", head.kind), ("size", f"{seen} × {len(head.names):,} columns")]
    if not head.rows:
        return Inspection(path.name, tuple(facts), ("the table has no rows",))
    found = _of_head(path, head, facts)
    return replace(found, lost=(*_damage(head), *found.lost))


def _damage(head: Head) -> list[str]:
    """What a build will refuse, as far as the head shows it."""
    twice = [name for name, count in Counter(head.names).items() if count > 1]
    said = [(head.ragged, f"{head.ragged:,} rows have not the {len(head.names):,} fields of the header"),
            (twice, f"{len(twice):,} column names appear more than once ({examples(twice)})"),
            (head.broken, f"columns of numbers with fields that are none: {examples(head.broken)}")]  # fmt: skip
    return [f"{line}; a build refuses them: fix the file" for wrong, line in said if wrong]


def _of_head(path: Path, head: Head, facts: Facts) -> Inspection:
    if text_type(path) == ".gct" or mostly_samples(head.names[1:]):
        return _turned(path, head, facts)
    if 2 * len(head.texts) > len(head.names):
        return _clinical(path, head, facts)
    return _samples(path, head, facts)


def _samples(path: Path, head: Head, facts: Facts) -> Inspection:
    clinical = [name for name in head.names if plain_name(name) in _CLINICAL or name in ("project", "tss")]
    first = head.names[0]
    id_column = first
    if first in clinical or (head.texts and not head.is_text[0]):
        unique = [name for name in head.texts if name not in clinical and head.columns[name].is_unique]
        id_column = next((name for name in unique if _SAMPLE.search(name)), unique[0] if unique else "")
    others = [name for name in head.texts if name != id_column]
    no_genes = {"", id_column, *clinical}
    genes = [name for name in head.numbers if name not in no_genes]
    at = [place for place, name in enumerate(head.numbers[: head.values.shape[1]]) if name not in no_genes]
    guess = unit_of_values(head.values[:, at], whole=head.every_column)
    ids = head.columns[id_column].dropna().astype(str).tolist() if id_column in head.columns else []
    more, group, normals = facts_of_samples(ids, head.columns[others])
    labels = labels_that_serve(head.columns[[*others, *(name for name in clinical if name in head.columns
                                                        and name not in others)]])  # fmt: skip
    none = "none here with two classes of 25 rows; give them with --clinical FILE"
    facts += [("orientation", f"samples × genes; {len(genes):,} genes ({examples(genes)})"),
              ("id column", repr(id_column) if id_column else "none that names each row"), *more,
              ("unit by its values", f"{guess.unit} ({guess.why})"),
              ("labels", ", ".join(labels) or none)]  # fmt: skip
    ignored = [name for name in others if name not in labels[:1] and name not in clinical]
    lost = [f"columns of text that are no genes: {examples(ignored)}; the command ignores them"] if ignored else []
    lost += [] if id_column else ["no column holds sample ids; name the one that does with --id-column"]
    if id_column and (blank := head.rows - len(ids)) and id_column in head.columns:
        lost.append(f"{blank:,} rows have no id; a build refuses them: fix the file")
    reading = ["--id-column", id_column or "COLUMN"] if id_column != first else []
    reading += ["--ignore", ",".join(ignored)] if ignored else []
    reading += ["--clinical", "FILE"] if not labels else []
    command = (*_build(path, reading, labels[0] if labels else "COLUMN", guess), *of_patients(group, normals=normals))
    return Inspection(path.name, tuple(facts), tuple(lost), command, role="expression")


def _turned(path: Path, head: Head, facts: Facts) -> Inspection:
    annotations = [name for name in head.names[1:] if name.casefold() in ANNOTATIONS]
    samples = [name for name in head.names[1:] if name not in annotations]
    at = [place for place, name in enumerate(head.numbers[: head.values.shape[1]]) if name not in annotations]
    guess = unit_of_values(head.values[:, at].T, whole=False)
    more, group, normals = facts_of_samples(samples, pd.DataFrame(index=range(len(samples))))
    symbol = next((name for name in annotations if name.casefold() in ("description", "gene_name", "symbol")), None)
    rows = examples(head.columns.iloc[:, 0])
    facts += [("orientation", f"genes × samples; {len(samples):,} samples; rows such as {rows}"), *more,
              ("unit by its values", f"{guess.unit} ({guess.why})"),
              ("labels", "none here; give them with --clinical FILE")]  # fmt: skip
    lost = [f"columns that describe the gene: {examples(annotations)}"] if annotations else []
    reading = [] if text_type(path) == ".gct" else ["--transpose"]
    reading += ["--gene-column", symbol] if symbol else []
    reading += ["--clinical", "FILE"]
    command = (*_build(path, reading, "COLUMN", guess), *of_patients(group, normals=normals))
    return Inspection(path.name, tuple(facts), tuple(lost), command, role="expression")


def _build(path: Path, reading: list[str], label: str, guess: UnitGuess) -> list[str]:
    words = ["gexbench", "cohort", "build", "NAME", "--expression", str(path), *reading]
    return [*words, "--labels", label, "--unit", guess.unit, *(["--scale", guess.scale] if guess.scale else [])]


def _clinical(path: Path, head: Head, facts: Facts) -> Inspection:
    first, columns = head.names[0], head.columns.iloc[:, 1:]
    labels = labels_that_serve(columns)
    more, group, _ = facts_of_samples(head.columns.iloc[:, 0].astype(str).tolist(), columns)
    known = [str(name) for name in columns if plain_name(name) in _CLINICAL]
    facts += [("orientation", f"a clinical table, ids in {first!r}"), *more,
              ("labels", ", ".join(labels) or "none with two classes of 25 rows"),
              ("clinical text", examples(known, 8) or "no column that the text is written from")]  # fmt: skip
    command = ["gexbench", "cohort", "build", "NAME", "--expression", "FILE", "--clinical", str(path), "--labels"]
    command += [labels[0] if labels else "COLUMN", "--unit", "UNIT", *of_patients(group, normals=False)]
    return Inspection(path.name, tuple(facts), (), tuple(command), role="clinical")

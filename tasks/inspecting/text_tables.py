"""Inspecting tables: delimited text and parquet, by their heads."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import examples
from gexbench.tasks.files.delimited import Dialect, dialect_of, text_type, typed
from gexbench.tasks.files.gene_columns import ANNOTATIONS
from gexbench.tasks.files.matrix_files import is_number
from gexbench.tasks.files.sample_ids import mostly_samples
from gexbench.tasks.files.text_files import head_of, is_gzip
from gexbench.tasks.inspecting.inspection import (
    Inspection,
    UnitGuess,
    facts_of_samples,
    labels_that_serve,
    of_patients,
    unit_of_values,
)
from gexbench.tasks.text.clinical_text import FIELDS, plain_name

_HEAD = 24 * 2**20
"""Bytes of text that are looked at."""
_SAMPLE = re.compile(r"sample|model|case|barcode|patient", re.IGNORECASE)
_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons"}
_CLINICAL = {name for field in FIELDS["full"] for name in field.columns}


def inspect_table(path: Path) -> Inspection:
    """A delimited or parquet file: orientation, ids, unit, labels, and the command.

    Raises:
        InputError: a file that is no table.
    """
    if text_type(path):
        dialect = dialect_of(path)
        rows, whole = _head_rows(path, dialect)
        packed = ", gzip" if is_gzip(path) else ""
        kind = f"text separated by {_NAMES[dialect.separator]}{packed}, {dialect.encoding.removesuffix('-sig')}"
        if dialect.decimal == ",":
            kind += ", decimal commas"
        decimal = dialect.decimal
    else:
        rows, whole, total = _parquet_rows(path)
        kind, decimal = f"parquet, {total:,} rows", "."
    if not len(rows):
        return Inspection(path.name, (("what", f"{kind}; no rows"),))
    return _of_rows(path, rows, kind, decimal, whole=whole)


def _of_rows(path: Path, rows: pd.DataFrame, kind: str, decimal: str, *, whole: bool) -> Inspection:
    names = [str(name) for name in rows.columns]
    is_text = [not _numeric(rows.iloc[:20, place], decimal) for place in range(len(names))]
    turned = text_type(path) == ".gct" or bool(mostly_samples(names[1:]))
    texts = [name for name, text in zip(names, is_text, strict=True) if text]
    seen = f"{len(rows):,} rows" if whole else f"more than {len(rows):,} rows (the first were read)"
    facts = [("what", kind), ("size", f"{seen} × {len(names):,} columns")]
    if not turned and 2 * len(texts) > len(names):
        return _clinical(path, rows, facts)
    if turned:
        return _turned(path, rows, names, facts, decimal)
    clinical = [name for name in names if plain_name(name) in _CLINICAL or name in ("project", "tss")]
    id_column = names[0]
    if names[0] in clinical or (texts and not is_text[0]):
        unique = [name for name in texts if name not in clinical and rows[name].is_unique]
        id_column = next((name for name in unique if _SAMPLE.search(name)), unique[0] if unique else names[0])
    others = [name for name in texts if name != id_column]
    genes = [name for name in names if name not in {"", id_column, *others, *clinical}]
    values = _values(rows[genes].head(64), decimal)
    guess = unit_of_values(values)
    more, group, normals = facts_of_samples(rows[id_column].astype(str).tolist(), rows[others])
    labels = labels_that_serve(rows[[*others, *(name for name in clinical if name not in others)]])
    facts += [("orientation", f"samples × genes; {len(genes):,} genes ({examples(genes)})"),
              ("id column", repr(id_column)), *more, ("unit by its values", f"{guess.unit} ({guess.why})")]  # fmt: skip
    facts.append(
        ("labels", ", ".join(labels) or "none here with two classes of 25 rows; give them with --clinical FILE")
    )
    ignored = [name for name in others if name not in labels[:1] and name not in clinical]
    lost = [f"columns of text that are no genes: {examples(ignored)}; the command ignores them"] if ignored else []
    reading = ["--id-column", id_column] if id_column != names[0] else []
    reading += ["--ignore", ",".join(ignored)] if ignored else []
    reading += ["--clinical", "FILE"] if not labels else []
    command = (*_build(path, reading, labels[0] if labels else "COLUMN", guess), *of_patients(group, normals=normals))
    return Inspection(path.name, tuple(facts), tuple(lost), command)


def _turned(path: Path, rows: pd.DataFrame, names: list[str], facts: list[tuple[str, str]], decimal: str) -> Inspection:
    annotations = [name for name in names[1:] if name.casefold() in ANNOTATIONS]
    samples = [name for name in names[1:] if name not in annotations]
    values = _values(rows[samples].head(4000), decimal).T
    guess = unit_of_values(values[:64], whole=False)
    more, group, normals = facts_of_samples(samples, pd.DataFrame(index=range(len(samples))))
    symbol = next((name for name in annotations if name.casefold() in ("description", "gene_name", "symbol")), None)
    facts += [
        ("orientation", f"genes × samples; {len(samples):,} samples; rows such as {examples(rows.iloc[:, 0])}"), *more,
        ("unit by its values", f"{guess.unit} ({guess.why})"), ("labels", "none here; give them with --clinical FILE"),
    ]  # fmt: skip
    lost = [f"columns that describe the gene: {examples(annotations)}"] if annotations else []
    reading = [] if text_type(path) == ".gct" else ["--transpose"]
    reading += ["--gene-column", symbol] if symbol else []
    reading += ["--clinical", "FILE"]
    command = (*_build(path, reading, "COLUMN", guess), *of_patients(group, normals=normals))
    return Inspection(path.name, tuple(facts), tuple(lost), command)


def _build(path: Path, reading: list[str], label: str, guess: UnitGuess) -> list[str]:
    words = ["gexbench", "cohort", "build", "NAME", "--expression", str(path), *reading]
    return [*words, "--labels", label, "--unit", guess.unit, *(["--scale", guess.scale] if guess.scale else [])]


def _clinical(path: Path, rows: pd.DataFrame, facts: list[tuple[str, str]]) -> Inspection:
    first = str(rows.columns[0])
    columns = rows.iloc[:, 1:]
    labels = labels_that_serve(columns)
    more, group, _ = facts_of_samples(rows[first].astype(str).tolist(), columns)
    known = [str(name) for name in columns if plain_name(name) in _CLINICAL]
    facts += [("orientation", f"a clinical table, ids in {first!r}"), *more,
              ("labels", ", ".join(labels) or "none with two classes of 25 rows"),
              ("clinical text", examples(known, 8) or "no column that the text is written from")]  # fmt: skip
    command = ["gexbench", "cohort", "build", "NAME", "--expression", "FILE", "--clinical", str(path)]
    command += ["--labels", labels[0] if labels else "COLUMN", "--unit", "UNIT"]
    command += ["--group", group] if group else []
    return Inspection(path.name, tuple(facts), (), tuple(command))


def _head_rows(path: Path, dialect: Dialect) -> tuple[pd.DataFrame, bool]:
    """The rows of the head as text, and whether they are all."""
    head = head_of(path, _HEAD)
    whole = len(head) < _HEAD
    lines = head.decode(dialect.encoding, "replace").splitlines()[dialect.skipped + 1 :]
    rows = [line.split(dialect.separator) for line in (lines if whole else lines[:-1])[:20_000]]
    fitting = [[field.strip().strip('"') for field in row] for row in rows if len(row) == len(dialect.header)]
    frame = pd.DataFrame(fitting, columns=pd.RangeIndex(len(dialect.header)), dtype=object)
    return frame.set_axis(list(dialect.header), axis=1), whole and len(lines) <= 20_000


def _parquet_rows(path: Path) -> tuple[pd.DataFrame, bool, int]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        total = file.metadata.num_rows
        batch = next(file.iter_batches(batch_size=256), None)
        if batch is None:
            return pd.DataFrame(), True, 0
        texts = [field.name for field in file.schema_arrow if str(field.type) in ("string", "large_string")
                 or str(field.type).startswith("dictionary")]  # fmt: skip
        frame = batch.to_pandas()
        if texts and total <= 10**6:  # labels and ids are counted over all rows
            frame = pd.concat([file.read(columns=texts).to_pandas().reset_index(), batch.to_pandas().reset_index()
                               .drop(columns=texts, errors="ignore")], axis=1)  # fmt: skip
            frame = frame.loc[:, ~frame.columns.duplicated()].drop(columns="index", errors="ignore")
    return frame, True, total


def _numeric(column: pd.Series, decimal: str) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return not pd.api.types.is_bool_dtype(column)
    fields = [str(field) for field in column.dropna() if str(field)]
    return all(is_number(field, decimal) or field in ("NA", "nan", "NaN") for field in fields)


def _values(frame: pd.DataFrame, decimal: str) -> NDArray[np.float64]:
    if all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes):
        return np.asarray(frame.dropna(how="all"), dtype=np.float64)
    fields = frame.to_numpy(dtype=object).ravel()
    text = typed(pd.Series(fields, dtype=object).fillna("").astype(str), as_text=True)
    if decimal == ",":
        text = text.str.replace(",", ".")
    return np.asarray(pd.to_numeric(text, errors="coerce"), dtype=np.float64).reshape(frame.shape)

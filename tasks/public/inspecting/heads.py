"""The head of a table: which columns are text, the text columns' values, and a sample of the numbers."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.files.delimited import ABSENT, dialect_of, text_type
from gexbench.tasks.files.matrix_files import is_number
from gexbench.tasks.files.reading import opened_parquet
from gexbench.tasks.files.text_files import head_of, is_gzip

_BYTES = 8 * 2**20
"""Bytes of text that are looked at."""
_TYPED, _SAMPLED, _FEW_COLUMNS = 8, 16, 400
_NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons"}


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The first rows of a table.

    Attributes:
        kind: of file, in words.
        names: of the columns.
        is_text: whether each holds text.
        columns: those that hold text (of narrow tables all), for every row that was read, as text.
        values: (some rows, columns that hold numbers), missing fields NaN.
        rows: that were read.
        whole: whether these are all.
        every_column: whether `values` has all columns of numbers.
        ragged: rows passed over as they have not one field for each column.
        broken: columns of numbers with a field that is none, as `NAME ('FIELD')`.
    """

    kind: str
    names: tuple[str, ...]
    is_text: tuple[bool, ...]
    columns: pd.DataFrame
    values: NDArray[np.float64]
    rows: int
    whole: bool
    every_column: bool = True
    ragged: int = 0
    broken: tuple[str, ...] = ()

    @property
    def texts(self) -> list[str]:
        """Names of the columns that hold text."""
        return [name for name, text in zip(self.names, self.is_text, strict=True) if text]

    @property
    def numbers(self) -> list[str]:
        """Names of the others."""
        return [name for name, text in zip(self.names, self.is_text, strict=True) if not text]


def head_of_table(path: Path) -> Head:
    """The head of delimited text or parquet.

    Raises:
        InputError: a file that is no table, or a damaged one.
    """
    return _of_text(path) if text_type(path) else _of_parquet(path)


def _of_text(path: Path) -> Head:
    dialect = dialect_of(path)
    content = head_of(path, _BYTES)
    whole = len(content) < _BYTES
    lines = content.decode(dialect.encoding, "replace").splitlines()[dialect.skipped + 1 :]
    width = len(dialect.header)
    split = [_split(line, dialect.separator) for line in (lines if whole else lines[:-1]) if line.strip()]
    rows = [row for row in split if len(row) == width]
    fields = list(zip(*rows[:_TYPED], strict=True)) or [()] * width
    no_numbers = [[field for field in column if not _is_number(field, dialect.decimal)] for column in fields]
    is_text = tuple(
        2 * len(none) > sum(field.strip() not in ABSENT for field in column)
        for none, column in zip(no_numbers, fields, strict=True)
    )
    broken = tuple(
        f"{name} ({none[0]!r})"
        for name, none, text in zip(dialect.header, no_numbers, is_text, strict=True)
        if none and not text
    )
    shown = [place for place in range(width) if is_text[place] or width <= _FEW_COLUMNS or place == 0]
    table = pd.DataFrame({place: [row[place].strip() for row in rows] for place in shown}, dtype=object)
    table = table.where(~table.isin(ABSENT)).set_axis([dialect.header[place] for place in shown], axis=1)
    numbers = [place for place in range(width) if not is_text[place]]
    values = np.asarray(
        [[_number(row[place], dialect.decimal) for place in numbers] for row in rows[: _sampled(width)]], dtype=float
    ).reshape(min(len(rows), _sampled(width)), len(numbers))
    packed = ", gzip" if is_gzip(path) else ""
    commas = ", decimal commas" if dialect.decimal == "," else ""
    encoding = dialect.encoding.removesuffix("-sig")
    kind = f"text separated by {_NAMES[dialect.separator]}{packed}, {encoding}{commas}"
    return Head(kind, dialect.header, is_text, table, values, len(rows), whole,
                ragged=len(split) - len(rows), broken=broken)  # fmt: skip


def _sampled(width: int) -> int:
    """Rows whose numbers are read: all of a narrow table's first thousands, some of a wide one's."""
    return max(_SAMPLED, 200_000 // max(1, width))


def _of_parquet(path: Path) -> Head:
    import pyarrow as pa

    with opened_parquet(path) as file:
        schema, total = file.schema_arrow, file.metadata.num_rows
        names = [name for name in schema.names if not name.startswith("__index_level_")]
        index = [name for name in schema.names if name.startswith("__index_level_")]
        numeric = [pa.types.is_floating(schema.field(name).type) or pa.types.is_integer(schema.field(name).type)
                   for name in names]  # fmt: skip
        texts = [name for name, number in zip(names, numeric, strict=True) if not number]
        numbers = [name for name, number in zip(names, numeric, strict=True) if number]
        table = file.read(columns=[*index, *texts]).to_pandas().reset_index()
        table = table.drop(columns=["index"], errors="ignore").astype(object).map(str, na_action="ignore")
        sample = next(file.iter_batches(batch_size=_SAMPLED, columns=numbers[:_FEW_COLUMNS]), None)
        values = (
            sample.to_pandas()[numbers[:_FEW_COLUMNS]].to_numpy(dtype=float) if sample is not None else np.empty((0, 0))
        )
    kept = [name for name in table.columns if name in texts]
    others = [name for name in table.columns if name not in texts]
    table = table[[*others[:1], *kept]]
    ids = [str(name) for name in others[:1]]
    return Head("parquet", (*ids, *names), (*([True] * len(ids)), *(not number for number in numeric)), table, values,
                total, True, every_column=len(numbers) <= _FEW_COLUMNS)  # fmt: skip


def _split(line: str, separator: str) -> Sequence[str]:
    return next(csv.reader([line], delimiter=separator), []) if '"' in line else line.split(separator)


def _is_number(field: str, decimal: str) -> bool:
    return is_number(field, decimal) or field.strip() in ABSENT


def _number(field: str, decimal: str) -> float:
    try:
        return float(field.replace(",", ".") if decimal == "," else field)
    except ValueError:
        return float("nan")

"""Matrices in delimited text, read a block of rows at a time into one array."""

import csv
import io
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.delimited import ABSENT, UTF8, Dialect, check_widths, dialect_of, typed
from gexbench.tasks.files.text_files import is_gzip, opened

_BLOCK = 16 * 2**20
"""Bytes of text parsed at once, at least; every block costs a little per column, so wide files have larger ones."""
_BLOCK_PER_COLUMN = 3200
_ROWS_AT_FIRST = 4096


@dataclass(frozen=True, slots=True, eq=False)
class TextMatrix:
    """A matrix as it stands in the file.

    Attributes:
        ids: (rows,) values of the id column, trimmed, as written.
        columns: names of the numeric columns.
        values: (rows, columns) float32; missing fields are NaN.
        texts: the other columns, (rows, …), as text or numbers.
        encoding: of the text.
    """

    ids: NDArray[np.str_]
    columns: tuple[str, ...]
    values: NDArray[np.float32]
    texts: pd.DataFrame
    encoding: str = UTF8


def read_matrix(
    path: Path, id_column: str, texts: Collection[str], ignore: Collection[str] = (), as_text: Collection[str] = ()
) -> TextMatrix:
    """The matrix of a delimited file. Memory: the values in float32 and one block of text.

    Args:
        path: the file, packed or not.
        id_column: name of the column with the ids.
        texts: columns that are no numbers of the matrix.
        ignore: columns that are not read.
        as_text: columns of `texts` that stay text as written.

    Raises:
        InputError: rows of unequal length, fields that are no numbers, no rows, names as `dialect_of`.
    """
    import pyarrow as pa

    dialect = dialect_of(path)
    others = {id_column, *texts, *ignore}
    numbers = [name for name in dialect.header if name not in others]
    if not numbers:
        raise InputError(f"{path.name}: no gene columns; rows are samples, columns are genes")
    kept = [id_column, *(name for name in dialect.header if name in set(texts) and name != id_column)]
    try:
        ids, values, rest = _filled(path, dialect, numbers, kept)
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: neither UTF-8 nor Windows-1252 ({error}); save it as UTF-8") from None
    except (pa.ArrowException, OSError) as error:
        raise _explained(path, dialect, numbers, error) from None
    if not len(values):
        raise InputError(f"{path.name}: the table has no rows")
    columns = {
        name: typed(pd.Series(column, dtype=object).fillna("").astype(str), as_text=name in as_text,
                    decimal=dialect.decimal)
        for name, column in rest.items()
    }  # fmt: skip
    return TextMatrix(ids, tuple(numbers), values, pd.DataFrame(columns, index=range(len(ids))), dialect.encoding)


def _filled(
    path: Path, dialect: Dialect, numbers: Sequence[str], kept: Sequence[str]
) -> tuple[NDArray[np.str_], NDArray[np.float32], dict[str, list[str]]]:
    """Ids, values and the other columns; the array grows with the rows, in place where the system can."""
    values = np.empty((_ROWS_AT_FIRST, len(numbers)), dtype=np.float32)
    columns: list[list[str]] = [[] for _ in kept]
    done = 0
    for batch in _batches(path, dialect, numbers, kept):
        rows = batch.num_rows
        if done + rows > len(values):
            values.resize((max(done + rows, len(values) * 3 // 2), len(numbers)), refcheck=False)
        block = batch.select(range(len(kept), len(kept) + len(numbers)))
        values[done : done + rows] = block.to_tensor(null_to_nan=True, row_major=True).to_numpy()
        for place, found in enumerate(columns):
            found += batch.column(place).to_pylist()
        done += rows
    values.resize((done, len(numbers)), refcheck=False)
    ids = np.asarray([str(name or "").strip() for name in columns[0]], dtype=str)
    return ids, values, dict(zip(kept[1:], columns[1:], strict=True))


def _batches(path: Path, dialect: Dialect, numbers: Sequence[str], kept: Sequence[str]) -> Iterator[Any]:
    """Blocks of rows: the kept columns as text, then the numbers in double precision, as a decimal is defined."""
    import pyarrow as pa
    from pyarrow import csv as arrow

    # Columns are numbered: names may repeat among those that are not read.
    place = {name: str(number) for number, name in enumerate(dialect.header)}
    chosen = [place[name] for name in (*kept, *numbers)]
    types = dict.fromkeys((place[name] for name in kept), pa.string())
    types |= dict.fromkeys((place[name] for name in numbers), pa.float64())
    with pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None) as stream:
        reader = arrow.open_csv(
            stream,
            read_options=arrow.ReadOptions(
                use_threads=True, block_size=max(_BLOCK, _BLOCK_PER_COLUMN * len(dialect.header)),
                skip_rows=dialect.skipped + 1,
                column_names=[str(number) for number in range(len(dialect.header))],
                encoding="utf8" if dialect.encoding == UTF8 else dialect.encoding,
            ),
            parse_options=arrow.ParseOptions(delimiter=dialect.separator),
            convert_options=arrow.ConvertOptions(
                include_columns=chosen, column_types=types, null_values=[*ABSENT, "None"], strings_can_be_null=False,
                decimal_point=dialect.decimal,
            ),
        )  # fmt: skip
        yield from reader


def _explained(path: Path, dialect: Dialect, numbers: Sequence[str], error: Exception) -> InputError:
    """Every problem of a file that could not be parsed, found by a slow look at its rows."""
    encoding = dialect.encoding
    try:
        with opened(path) as file:
            if (line := next((number for number, line in enumerate(file, 1) if b"\0" in line), 0)) > 0:
                return InputError(
                    f"{path.name}: line {line} holds a zero byte, so it is damaged or no text in UTF-8; export it "
                    "again as UTF-8"
                )
        check_widths(_decoded(path, dialect.skipped + 1, encoding), dialect, path.name)
        if problem := _no_numbers(path, dialect, numbers):
            return InputError(problem)
    except UnicodeDecodeError as problem:
        return InputError(f"{path.name}: not a text file in UTF-8 ({problem}); save it as UTF-8")
    except InputError as problem:
        return problem
    except csv.Error as problem:
        error = problem
    return InputError(f"{path.name}: not a readable table, perhaps truncated ({' '.join(str(error).split())[:200]})")


def _decoded(path: Path, skipped: int, encoding: str) -> Iterator[str]:
    with opened(path) as file, io.TextIOWrapper(file, encoding, newline="") as text:
        yield from itertools.islice(text, skipped, None)


def _no_numbers(path: Path, dialect: Dialect, numbers: Sequence[str]) -> str:
    """Which columns hold fields that are no numbers, with the whole list of those that hold none."""
    absent, place = {*ABSENT, "None"}, {name: number for number, name in enumerate(dialect.header)}
    found: dict[str, list[str]] = {}
    rows = 0
    for row in csv.reader(_decoded(path, dialect.skipped + 1, dialect.encoding), delimiter=dialect.separator):
        rows += bool(row)
        for name in numbers if row else ():
            field = row[place[name]].strip()
            if field not in absent and not is_number(field, dialect.decimal):
                found.setdefault(name, []).append(field)
    return not_numbers(path.name, found, rows)


def not_numbers(name: str, found: dict[str, list[str]], rows: int) -> str:
    """The problem of columns that should be genes and hold text, and what to type.

    Args:
        name: of the file.
        found: column → its fields that are no numbers.
        rows: of the file.
    """
    if not found:
        return ""
    first = next(iter(found))
    said = f"{name}: {len(found)} columns hold values that are not numbers ({examples(found)}; in {first}: "
    said += f"{examples(found[first])}); "
    wholly = [column for column, fields in found.items() if len(fields) >= rows / 2]
    if not wholly:
        return said + "fix these values"
    listed = ",".join(wholly[:40]) + (",…" if len(wholly) > 40 else "")
    return said + f"name label columns with --labels, or leave them out: --ignore '{listed}'"


def is_number(field: str, decimal: str = ".") -> bool:
    """Whether a field is a number."""
    try:
        float(field.replace(",", ".") if decimal == "," else field)
    except ValueError:
        return False
    return "_" not in field

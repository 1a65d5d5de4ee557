"""Reading the tables of a cohort: .parquet, .csv, AnnData (.h5ad, .zarr) and MuData (.h5mu)."""

import csv
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.anndata_files import ANNDATA_TYPES, read_annotated
from gexbench.tasks.files.input_paths import check_file, is_folder

TABLE_TYPES = (".parquet", ".csv", *ANNDATA_TYPES)
FOLD_COLUMNS = ("fold_random", "fold_site")
"""Columns of a cohort's clinical table that hold the part of every patient."""


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionFile:
    """Expression as read: `samples` (n,) may repeat; `values` (n, genes) float32 may hold anything.

    `columns` are the file's columns that are no genes (n rows, in the order of `samples`); `unit` is the unit that an
    AnnData file states in `uns["unit"]`; `counts` (n, genes) int32 are read counts beside another unit; `stated` is
    what gexbench wrote of the cohort that the file was exported from, else empty.
    """

    name: str
    samples: NDArray[np.str_]
    genes: tuple[str, ...]
    values: NDArray[np.float32]
    columns: pd.DataFrame
    unit: str | None = None
    counts: NDArray[np.int32] | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)


def read_expression(path: Path, clinical_columns: Collection[str] = ()) -> ExpressionFile:
    """Expression, samples × genes: the first column (or the index) holds the sample ids, every other one is a gene.

    Args:
        path: .parquet, .csv, .h5ad, .zarr or .h5mu (X dense or sparse; layers and raw are not read).
        clinical_columns: columns that are no genes where they occur.

    Raises:
        InputError: an unreadable file, duplicate gene names, values that are no numbers, missing sample ids.
    """
    _check_file(path)
    if path.suffix in ANNDATA_TYPES:
        return _annotated_expression(path)
    frame = _read_frame(path)
    others = set(clinical_columns)
    genes = [column for column in frame.columns if column not in others]
    if not genes:
        raise InputError(f"{path.name}: no gene columns; rows are samples, columns are genes")
    problems = _text_columns(frame, genes, path.name)
    if problems:
        raise InputError(problems)
    values = frame[genes].to_numpy(dtype=np.float32, na_value=np.nan)
    columns = frame[[column for column in frame.columns if column in others]]
    return ExpressionFile(path.name, frame.index.to_numpy(dtype=str), tuple(genes), values, columns)


def read_clinical(path: Path) -> pd.DataFrame:
    """A clinical table indexed by sample or patient id, which may repeat; of an AnnData file the `obs`.

    Raises:
        InputError: an unreadable file, duplicate column names, missing ids.
    """
    _check_file(path)
    return _obs(read_annotated(path).obs, path.name) if path.suffix in ANNDATA_TYPES else _read_frame(path)


def _check_file(path: Path) -> None:
    if path.suffix not in TABLE_TYPES and not is_folder(path):
        raise InputError(f"{path.name}: use a table of type {', '.join(TABLE_TYPES)}, not {path.suffix or 'this'}")
    if path.suffix == ".zarr" and is_folder(path):
        return
    check_file(path)
    if not path.stat().st_size:
        raise InputError(f"{path.name}: the file is empty")


def _read_frame(path: Path) -> pd.DataFrame:
    frame = _read_csv(path) if path.suffix == ".csv" else _read_parquet(path)
    if not len(frame):
        raise InputError(f"{path.name}: the table has no rows")
    return _with_string_index(frame, path.name)


def _with_string_index(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    missing = int(frame.index.isna().sum() + (frame.index.astype(str).str.strip() == "").sum())
    if missing:
        raise InputError(f"{name}: {missing} rows have no id in the first column")
    return frame.set_axis(frame.index.astype(str).rename("sample"), axis=0)


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        _check_text(path)
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
        if len(header) < 2:
            raise InputError(f"{path.name}: the header has {len(header)} fields; separate fields with commas")
        _check_columns(header[1:], path.name)
        frame = pd.read_csv(
            path, header=None, skiprows=1, names=range(len(header)), dtype={0: str}, encoding="utf-8-sig",
            float_precision="round_trip", low_memory=False,
        )  # fmt: skip
        if isinstance(frame.index, pd.RangeIndex) and frame[len(header) - 1].isna().any():
            with path.open(newline="", encoding="utf-8-sig") as file:
                check_short_rows(file, ",", path.name)
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: not a csv file in UTF-8 ({error}); save it as UTF-8") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(f"{path.name}: {' '.join(str(error).split())}") from None
    if not isinstance(frame.index, pd.RangeIndex):
        raise InputError(
            f"{path.name}: rows have more fields than the header, which has {len(header)} ({examples(header)}); the "
            "first line names every column"
        )
    return frame.set_index(0).set_axis(pd.Index(header[1:]), axis=1)


def _check_text(path: Path) -> None:
    """Refuse zero bytes, at which number parsers would stop within a field."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if b"\0" in line:
                raise InputError(
                    f"{path.name}: line {number} holds a zero byte, so it is damaged or not a csv file in UTF-8; "
                    "export it again"
                )


def check_short_rows(file: Iterable[str], delimiter: str, name: str) -> None:
    """Refuse rows with fewer fields than the header: truncated fields would be read as missing values.

    Args:
        file: the lines; blank ones are ignored.
        delimiter: between fields.
        name: of the file, for messages.

    Raises:
        InputError: names lines and ids.
    """
    reader = csv.reader(file, delimiter=delimiter)
    width = len(next(reader, []))
    short = [(reader.line_num, row) for row in reader if row and len(row) < width]
    if short:
        said = examples(f"line {line}, {row[0]}: {len(row)}" for line, row in short)
        raise InputError(
            f"{name}: {len(short)} rows have fewer fields than the header, which has {width} ({said}); the file may "
            "be truncated: export it again, with an empty field for every missing value"
        )


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        _check_columns(table.column_names, path.name)
        frame = table.to_pandas()
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        problem = " ".join(str(error).split())
        raise InputError(f"{path.name}: not a readable parquet file, perhaps truncated ({problem})") from None
    if isinstance(frame.index, pd.MultiIndex):
        raise InputError(
            f"{path.name}: {frame.index.nlevels} index columns ({examples(frame.index.names)}); keep the one with the "
            "sample ids"
        )
    if isinstance(frame.index, pd.RangeIndex):
        first = frame.columns[0]
        if pd.api.types.is_numeric_dtype(frame[first]):
            raise InputError(f"{path.name}: no sample ids: neither an index nor a first column of text")
        frame = frame.set_index(first)
    return frame


def _check_columns(names: Sequence[str], file: str) -> None:
    columns = pd.Index([unicodedata.normalize("NFC", str(name)).strip() for name in names])
    repeated = columns[columns.duplicated()].unique()
    if len(repeated):
        raise InputError(
            f"{file}: {len(repeated)} column names appear more than once ({examples(repeated)}); "
            "keep one column per name"
        )
    reserved = [name for name in names if str(name) in FOLD_COLUMNS]
    if reserved:
        raise InputError(f"{file}: columns {examples(reserved)} are reserved for the folds; rename them")
    blank = sum(not str(name).strip() for name in names)
    if blank:
        raise InputError(f"{file}: {blank} columns have no name")


def _text_columns(frame: pd.DataFrame, genes: Sequence[str], file: str) -> list[str]:
    """Problems with columns that should be genes and hold no numbers."""
    types = frame.dtypes
    wrong = [gene for gene in genes if not _is_number(types[gene])]
    if not wrong:
        return []
    values = frame[wrong[0]].dropna()
    bad = values[pd.to_numeric(values, errors="coerce").isna()] if values.dtype == object else values
    bad = bad if len(bad) else values
    return [
        f"{file}: {len(wrong)} columns hold values that are not numbers ({examples(wrong)}; in {wrong[0]}: "
        f"{examples(bad)}); fix them, or name label columns with --labels and move others to --clinical"
    ]


def _is_number(kind: Any) -> bool:
    """Whether a column is numeric; booleans are not."""
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _annotated_expression(path: Path) -> ExpressionFile:
    found = read_annotated(path)
    if found.values is None or not len(found.genes):
        raise InputError(f"{path.name}: X is empty")
    if not len(found.obs):
        raise InputError(f"{path.name}: the table has no rows")
    _check_columns(found.genes, path.name)
    obs = _obs(found.obs, path.name)
    samples = obs.index.to_numpy(dtype=str)
    return ExpressionFile(path.name, samples, tuple(found.genes), found.values, obs, found.unit, stated=found.header)


def _obs(obs: pd.DataFrame, name: str) -> pd.DataFrame:
    return _with_string_index(obs.drop(columns=[*FOLD_COLUMNS], errors="ignore"), name)

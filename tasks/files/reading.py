"""Reading the tables of a cohort: delimited text, .parquet, AnnData (.h5ad, .zarr) and MuData (.h5mu)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.anndata_files import ANNDATA_TYPES, read_annotated
from gexbench.tasks.files.delimited import TEXT_TYPES, UTF8, dialect_of, read_text_table, text_type
from gexbench.tasks.files.gene_columns import ANNOTATIONS, FOLD_COLUMNS, check_columns, named_by, plain_genes
from gexbench.tasks.files.input_paths import check_file, is_folder
from gexbench.tasks.files.matrix_files import TextMatrix, is_number, not_numbers, read_matrix
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.sample_ids import mostly_samples
from gexbench.tasks.files.table_rules import AS_IT_IS, TableRules

if TYPE_CHECKING:
    import pyarrow.parquet as pq

TABLE_TYPES = (".parquet", *TEXT_TYPES, *ANNDATA_TYPES)
CONVERTIBLE = {
    ".loom": "loom", ".rds": "R data", ".rda": "R data", ".rdata": "R data", ".xlsx": "Excel", ".xls": "Excel",
    ".h5": "HDF5 (ARCHS4)", ".hdf5": "HDF5", ".mtx": "Matrix Market", ".feather": "Feather",
}  # fmt: skip
"""Kinds of files that the documentation has a recipe for."""
RECIPES = "docs/cohorts/files.md, 'Convert first'"


@dataclass(frozen=True, slots=True, eq=False)
class ExpressionFile:
    """Expression as read: `samples` (n,) may repeat; `values` (n, genes) float32 may hold anything.

    Attributes:
        name: of the file.
        samples: (n,) ids, as written.
        genes: (genes,) names.
        values: (n, genes).
        columns: the file's columns that are no genes (n rows, in the order of `samples`).
        unit: the unit that an AnnData file states in `uns["unit"]`.
        counts: (n, genes) int32 read counts beside another unit.
        stated: what gexbench wrote of the cohort that the file was exported from, else empty.
        logarithm: `ln` where the file states natural logarithms, as scanpy's log1p does.
        counts_by: option that reads the file's counts as the expression, else empty.
        notes: what was left out or changed in reading.
    """

    name: str
    samples: NDArray[np.str_]
    genes: tuple[str, ...]
    values: NDArray[np.float32]
    columns: pd.DataFrame
    unit: str | None = None
    counts: NDArray[np.int32] | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)
    logarithm: str | None = None
    counts_by: str = ""
    notes: tuple[Note, ...] = ()


def read_expression(
    path: Path, clinical_columns: Collection[str] = (), rules: TableRules = AS_IT_IS, as_text: Collection[str] = ()
) -> ExpressionFile:
    """Expression, samples × genes: the first column (or the index) holds the sample ids, every other one is a gene.

    Args:
        path: delimited text (packed or not), .parquet, .h5ad, .zarr or .h5mu (X dense or sparse).
        clinical_columns: columns that are no genes where they occur, in any case of letters.
        rules: what the user says of the table.
        as_text: of the clinical columns those that are kept as written (ids, labels, patients).

    Raises:
        InputError: an unreadable file, duplicate gene names, values that are no numbers, missing sample ids, genes ×
            samples without `rules.transpose`.
    """
    check_table_file(path)
    if path.suffix in ANNDATA_TYPES:
        return _annotated_expression(path, rules)
    others = {name.casefold() for name in clinical_columns}
    read = _text_matrix if text_type(path) else _parquet_matrix
    found, turned = read(path, others, rules, as_text)
    return _turned(path.name, found, rules) if turned else _as_it_stands(path.name, found)


def read_clinical(path: Path, as_text: Collection[str] = (), rules: TableRules = AS_IT_IS) -> pd.DataFrame:
    """A clinical table indexed by sample or patient id, which may repeat; of an AnnData file the `obs`.

    Args:
        path: see `read_expression`.
        as_text: columns that are kept as written (labels, patients, sites).
        rules: its id column, if the table has it.

    Raises:
        InputError: an unreadable file, duplicate column names, missing ids.
    """
    check_table_file(path)
    if path.suffix in ANNDATA_TYPES:
        return _obs(read_annotated(path).obs, path.name)
    if not text_type(path):
        return _indexed(_read_parquet(path, rules.id_column), path.name)
    frame, dialect = read_text_table(path, {*as_text, rules.id_column or "", dialect_of(path).header[0]})
    place = list(frame.columns).index(rules.id_column) if rules.id_column in frame else 0
    check_columns([name for number, name in enumerate(dialect.header) if number != place], path.name)
    ids = frame.iloc[:, place]
    rest = frame.iloc[:, [number for number in range(frame.shape[1]) if number != place]]
    return _indexed(rest.set_axis(pd.Index(ids.to_numpy(dtype=object)), axis=0), path.name)


def check_table_file(path: Path) -> None:
    """Refuse a file that is no table that can be read.

    Raises:
        InputError: another type (with the recipe that converts it), nothing there, an empty file.
    """
    kind = text_type(path) or path.suffix
    if kind not in TABLE_TYPES and not is_folder(path):
        check_file(path)
        suffix = next((end for end in CONVERTIBLE if path.name.lower().removesuffix(".gz").endswith(end)), "")
        way = f"; a recipe for {CONVERTIBLE[suffix]} files: {RECIPES}" if suffix else ""
        raise InputError(
            f"{path.name}: use a table of type {', '.join(TABLE_TYPES)} (text also as .gz), not "
            f"{path.suffix or 'this'}{way}"
        )
    if path.suffix == ".zarr" and is_folder(path):
        return
    check_file(path)
    if not path.stat().st_size:
        raise InputError(f"{path.name}: the file is empty")


def _text_matrix(path: Path, others: set[str], rules: TableRules, as_text: Collection[str]) -> tuple[TextMatrix, bool]:
    """The matrix of a text file, and whether its rows are genes."""
    dialect = dialect_of(path)
    header, turned = dialect.header, rules.transpose or text_type(path) == ".gct"
    if turned:
        clinical = [name for name in header[1:] if name.casefold() in ANNOTATIONS or name == rules.gene_column]
    else:
        clinical = [name for name in header if name.casefold() in others]
        _check_direction(header, path.name)
    texts = [name for name, fields in zip(header, zip(*dialect.first, strict=False), strict=False)
             if not all(is_number(field, dialect.decimal) for field in fields if field)]  # fmt: skip
    id_column = _id_column(header, texts, clinical, rules, path.name)
    ignore = set(rules.ignore) | ({""} if header[0] == "" != id_column else set())
    _check_ignored(rules.ignore, header, path.name)
    check_columns([name for name in header if name != id_column and name not in ignore], path.name)
    found = read_matrix(path, id_column, [name for name in clinical if name != id_column], ignore, as_text)
    return found, turned


def _parquet_matrix(
    path: Path, others: set[str], rules: TableRules, as_text: Collection[str]
) -> tuple[TextMatrix, bool]:
    turned = rules.transpose
    frame = _read_parquet(path, rules.id_column, others, rules.gene_column)
    _check_ignored(rules.ignore, [*frame.columns, frame.index.name], path.name)
    frame = frame.drop(columns=list(rules.ignore), errors="ignore")
    if turned:
        clinical = [name for name in frame if str(name).casefold() in ANNOTATIONS or name == rules.gene_column]
    else:
        clinical = [name for name in frame if str(name).casefold() in others]
        _check_direction([str(name) for name in frame.columns], path.name)
    numbers = [name for name in frame.columns if name not in set(clinical)]
    if not numbers:
        raise InputError(f"{path.name}: no gene columns; rows are samples, columns are genes")
    if problem := _text_columns(frame, numbers, path.name):
        raise InputError(problem)
    frame = _indexed(frame, path.name)
    values = frame[numbers].to_numpy(dtype=np.float32, na_value=np.nan)
    ids = frame.index.to_numpy(dtype=str)
    return TextMatrix(ids, tuple(map(str, numbers)), values, frame[clinical].reset_index(drop=True)), turned


def _as_it_stands(name: str, found: TextMatrix) -> ExpressionFile:
    missing = int((found.ids == "").sum())
    if missing:
        raise InputError(f"{name}: {missing} rows have no id in the first column")
    genes, notes = plain_genes(found.columns)
    if found.encoding != UTF8:
        notes.append(Note(f"file that is no UTF-8, read as {found.encoding}", 1, (name,), left_out=False))
    columns = found.texts.set_axis(pd.Index(found.ids, name="sample"), axis=0)
    return ExpressionFile(name, found.ids, tuple(genes), found.values, columns, notes=tuple(notes))


def _turned(name: str, found: TextMatrix, rules: TableRules) -> ExpressionFile:
    """Samples × genes of a matrix whose rows are genes."""
    genes, notes = plain_genes(found.ids.tolist())
    if rules.gene_column is not None:
        if rules.gene_column not in found.texts:
            raise _no_gene_column(name, rules.gene_column, [str(column) for column in found.texts])
        genes, notes = named_by(genes, found.texts[rules.gene_column].tolist(), rules.gene_column)
    check_columns(genes, f"{name}: names of genes")
    samples = np.asarray([str(column).strip() for column in found.columns], dtype=str)
    columns = pd.DataFrame(index=pd.Index(samples, name="sample"))
    return ExpressionFile(
        name, samples, tuple(genes), np.ascontiguousarray(found.values.T), columns, notes=tuple(notes)
    )


def _no_gene_column(name: str, column: str, there: Sequence[str]) -> InputError:
    return InputError(f"{name}: no column {column!r} for --gene-column (there: {examples(there, 10) or 'none'})")


def _check_direction(header: Sequence[str], name: str) -> None:
    if samples := mostly_samples(header[1:]):
        raise InputError(
            f"{name}: its columns are samples ({examples(samples)}) and its rows genes; turn it with --transpose, and "
            "give the labels with --clinical FILE"
        )


def _check_ignored(ignore: Sequence[str], header: Sequence[Any], name: str) -> None:
    if strange := [column for column in ignore if column not in header]:
        raise InputError(f"{name}: no column {examples(strange)} for --ignore (there: {examples(header, 8)})")


def _id_column(
    header: Sequence[str], texts: Sequence[str], clinical: Sequence[str], rules: TableRules, name: str
) -> str:
    """The column with the ids: the one named, else the first unless that is a label's and another one can be it."""
    if rules.id_column is not None:
        if rules.id_column not in header:
            raise InputError(f"{name}: no column {rules.id_column!r} for --id-column (there: {examples(header, 8)})")
        return rules.id_column
    if header[0] not in clinical:
        return header[0]
    left = [column for column in texts if column not in clinical and column not in rules.ignore]
    if len(left) == 1:
        return left[0]
    raise InputError(
        f"{name}: the first column, {header[0]!r}, holds no sample ids; name the one that does with --id-column "
        f"(there: {examples(left or header, 8)})"
    )


def _indexed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table with its ids as trimmed text."""
    if not len(frame):
        raise InputError(f"{name}: the table has no rows")
    ids = frame.index.astype(str).str.strip()
    missing = int((frame.index.isna() | (ids == "")).sum())
    if missing:
        raise InputError(f"{name}: {missing} rows have no id in the first column")
    return frame.set_axis(ids.rename("sample"), axis=0)


@contextmanager
def opened_parquet(path: Path) -> "Iterator[pq.ParquetFile]":
    """A parquet file to read from.

    Raises:
        InputError: a damaged file, also where it shows only as it is read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            yield file
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        problem = " ".join(str(error).split())
        raise InputError(
            f"{path.name}: not a readable parquet file, perhaps truncated ({problem}); write or download it again"
        ) from None


def _read_parquet(
    path: Path, id_column: str | None = None, others: Collection[str] = (), gene_column: str | None = None
) -> pd.DataFrame:
    with opened_parquet(path) as file:
        table = file.read()
        check_columns(table.column_names, path.name)
        frame = table.to_pandas()
    if isinstance(frame.index, pd.MultiIndex):
        raise InputError(
            f"{path.name}: {frame.index.nlevels} index columns ({examples(frame.index.names)}); keep the one with the "
            "sample ids"
        )
    if id_column is not None and id_column != frame.index.name:
        if id_column not in frame:
            raise InputError(f"{path.name}: no column {id_column!r} for --id-column (there: {examples(frame, 8)})")
        return frame.set_index(id_column)
    if isinstance(frame.index, pd.RangeIndex) and len(frame.columns):
        texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
        if frame.columns[0] not in texts:
            raise InputError(
                f"{path.name}: no sample ids: neither an index nor a first column of text; name it with --id-column"
            )
        clinical = [name for name in frame if str(name).casefold() in others]
        unique = [name for name in texts if name not in clinical and frame[name].is_unique]
        return frame.set_index(_id_column(list(frame.columns), unique, clinical, AS_IT_IS, path.name))
    return frame


def _text_columns(frame: pd.DataFrame, genes: Sequence[str], file: str) -> str:
    """The problem of columns that should be genes and hold no numbers; booleans and dates are none."""
    types = frame.dtypes
    wrong = [gene for gene in genes if not _is_number(types[gene])]
    found: dict[str, list[str]] = {}
    for gene in wrong:
        values = frame[gene].dropna()
        bad = values[pd.to_numeric(values, errors="coerce").isna()] if values.dtype == object else values
        found[str(gene)] = [str(value) for value in (bad if len(bad) else values)]
    return not_numbers(file, found, len(frame))


def _is_number(kind: Any) -> bool:
    """Whether a column is numeric; booleans are not."""
    return pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind)


def _annotated_expression(path: Path, rules: TableRules) -> ExpressionFile:
    found = read_annotated(path, rules)
    if found.values is None or not len(found.genes):
        way = f"; it holds {found.there}" if found.there else ""
        raise InputError(f"{path.name}: X is empty{way}")
    if not len(found.obs):
        raise InputError(f"{path.name}: the table has no rows")
    genes, notes = list(found.genes), list(found.notes)
    if rules.gene_column is not None:
        if rules.gene_column not in found.var:
            raise _no_gene_column(path.name, rules.gene_column, [str(column) for column in found.var])
        genes, more = named_by(genes, found.var[rules.gene_column].tolist(), rules.gene_column)
        notes += more
    check_columns(genes, path.name)
    obs = _obs(found.obs, path.name)
    if rules.id_column is not None:
        if rules.id_column not in obs:
            raise InputError(f"{path.name}: no column {rules.id_column!r} of obs for --id-column")
        obs = _indexed(obs.set_index(rules.id_column), path.name)
    _check_ignored(rules.ignore, list(obs.columns), path.name)
    samples = obs.index.to_numpy(dtype=str)
    return ExpressionFile(
        path.name, samples, tuple(genes), found.values, obs.drop(columns=list(rules.ignore)), found.unit, found.counts,
        found.header, found.logarithm, found.counts_by, tuple(notes),
    )  # fmt: skip


def _obs(obs: pd.DataFrame, name: str) -> pd.DataFrame:
    return _indexed(obs.drop(columns=[*FOLD_COLUMNS], errors="ignore"), name)


def with_values(given: ExpressionFile, values: NDArray[np.float32], *notes: Note) -> ExpressionFile:
    """The same table with other values, and notes on why."""
    return replace(given, values=values, notes=(*given.notes, *notes))

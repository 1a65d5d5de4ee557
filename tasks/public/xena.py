"""Expression matrices of UCSC Xena: tab-separated, genes × samples, often gzip, read a block of genes at a time."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.files.text_files import header_of, input_facts, is_gzip, opened
from gexbench.tasks.importing.barcodes import Barcode, barcode
from gexbench.tasks.importing.building import Report
from gexbench.tasks.importing.values import Scale
from gexbench.tasks.public.gene_names import KeptGenes, is_ensembl, kept_genes, read_probemap
from gexbench.tasks.public.picking import Picked, PublicExpression, columns_of, missing_values, pick
from gexbench.tasks.public.selection import Selection
from gexbench.tasks.public.xena_names import named_unit

_BLOCK = 32 * 2**20
_STATED = {
    "log2(norm_count+1)": "log2(rsem+1)",
    "log2(norm_value+1)": "log2(rsem+1)",
    "log2(tpm+0.001)": "log2(tpm+0.001)",
    "log2(tpm+1)": "log2(tpm+1)",
    "log2(count+1)": "log2(count+1)",
}
"""Units as the `unit` of Xena's dataset JSON states them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    path: Path
    header: list[str]
    ids: list[str]
    firehose: bool


def read_xena(
    paths: Sequence[Path],
    clinical: pd.DataFrame,
    selection: Selection,
    probemap: Path | None = None,
    report: Report | None = None,
    *,
    stated: bool = False,
) -> PublicExpression:
    """The chosen samples and genes of one or several matrices (one per project), over the genes that all of them have.

    Memory: the chosen samples × chosen genes in float32, and one block of 32 MB of text.

    Args:
        paths: the matrices; all of one unit.
        clinical: by patient, see `picking.pick`.
        selection: the rules; its unit overrides what the files state.
        probemap: symbols of Ensembl ids; without one the ids stay, without their versions.
        report: called with the stages.
        stated: whether the user stated the unit, which then counts, whatever a file's name says.

    Raises:
        InputError: units that are unknown or differ, damaged files, nothing left.
    """
    say = report or (lambda stage, done, total: None)
    unit, notes = _unit(paths, selection, stated=stated)
    matrices = []
    for done, path in enumerate(paths):
        say("read gene names", done, len(paths))
        firehose = has_second_header(path)
        matrices.append(_Matrix(path, _checked_header(path), _row_names(path)[firehose:], firehose))
    say("read gene names", len(paths), len(paths))
    where = paths[0].name if len(paths) == 1 else f"{len(paths)} matrices"
    picked = pick(_barcodes(matrices), clinical, selection, where)
    genes = _genes(matrices, selection, probemap, where)
    values = np.full((len(picked.samples), len(genes.names)), np.nan, dtype=np.float32)
    for done, matrix in enumerate(matrices):
        say("read expression", done, len(matrices))
        _fill(values, matrix, picked, [matrices[0].ids[row] for row in genes.rows])
    say("read expression", len(matrices), len(matrices))
    _check_infinite(values, picked, genes.names, where)
    dropped = [*notes, *_other_columns(matrices), *picked.dropped, *genes.dropped]
    names = genes.names
    scale: Scale | None = "linear" if unit != "other" and all(map(_is_linear, matrices)) else None
    if unit != "other" and all(is_log_without_one(path) for path in paths):
        zeros = _linear_again(values)
        scale = "linear"
        dropped.append(Note("missing values of log2(x), which are 0 there", zeros, (), left_out=False))
    lacking = missing_values(values, names)
    if lacking.any() and not selection.genes.names:
        dropped.append(Note.of("genes with missing values", np.asarray(names)[lacking]))
        values, names = values[:, ~lacking], tuple(np.asarray(names)[~lacking].tolist())
    table = ExpressionFile(where, np.asarray(picked.ids), names, values, columns_of(picked), unit)
    return PublicExpression(table, tuple(dropped), tuple(input_facts(path, "expression") for path in paths), scale)


def has_second_header(path: Path) -> bool:
    """Whether a matrix of Firehose has a second line that names what its columns hold."""
    with opened(path) as file:
        lines = [file.readline(), file.readline()]
    return lines[0].startswith(b"Hybridization REF") and lines[1].startswith(b"gene_id\t")


def is_log_without_one(path: Path) -> bool:
    """Whether a matrix holds log2(x), not log2(x + 1), with NA for 0, as Firehose's does."""
    return "_RSEM_normalized_log2" in path.name


def _is_linear(matrix: _Matrix) -> bool:
    return matrix.firehose or matrix.path.name.startswith("EBPlusPlusAdjustPANCAN")


def _linear_again(values: NDArray[np.float32]) -> int:
    """Values of log2(x) back to x, in place, missing ones as 0; returns how many were missing."""
    missing = 0
    for start in range(0, len(values), 512):
        block = values[start : start + 512]
        absent = np.isnan(block)
        missing += int(absent.sum())
        np.exp2(block, out=block)
        block[absent] = 0.0
    return missing


def _other_columns(matrices: Sequence[_Matrix]) -> list[Note]:
    """Columns that are samples of other programmes, such as GTEx, or describe the gene."""
    others = [name for matrix in matrices for name in matrix.header[1:] if not barcode(name)]
    return [Note.of("columns that are no samples of TCGA", others)] if others else []


def unit_of(path: Path) -> str | None:
    """The unit of a matrix: by the JSON beside it (`NAME.json`), else by its name; None where neither tells."""
    for beside in (path.with_name(path.name + ".json"), path.with_name(path.name.removesuffix(".gz") + ".json")):
        if beside.is_file():
            try:
                stated = str(json.loads(beside.read_text()).get("unit", "")).replace(" ", "").lower()
            except (ValueError, AttributeError):
                continue
            if stated in _STATED:
                return _STATED[stated]
    return named_unit(path.name)


def _unit(paths: Sequence[Path], selection: Selection, *, stated: bool) -> tuple[str, list[Note]]:
    """The selection's unit, with a note where a file's name says another; else that of the files.

    A recipe's unit is no statement on these files: names that contradict it are an error.
    """
    if selection.unit is None:
        return _common_unit(paths), []
    others = {path.name: unit for path in paths if (unit := unit_of(path)) not in (None, selection.unit)}
    said = [f"{name}: {unit}" for name, unit in others.items()]
    if others and not stated:
        raise InputError(
            f"recipe {selection.recipe} requests {selection.unit}, but the files hold another unit ({examples(said)}); "
            "state their unit with --unit"
        )
    reason = f"files whose names speak of another unit than --unit {selection.unit}"
    return selection.unit, [Note.of(reason, said, left_out=False)] if said else []


def _common_unit(paths: Sequence[Path]) -> str:
    units = {path.name: unit_of(path) for path in paths}
    unknown = [name for name, unit in units.items() if unit is None]
    if unknown:
        raise InputError(
            f"{examples(unknown)}: the unit is neither in the file name nor in a JSON file beside it; state it, for "
            "example with --unit 'log2(rsem+1)' or --unit 'log2(tpm+0.001)', for linear values also --scale linear"
        )
    if len(set(units.values())) > 1:
        said = "; ".join(f"{name}: {unit}" for name, unit in list(units.items())[:4])
        raise InputError(f"matrices have different units ({said}); choose those of one unit with --expression")
    return Unit(str(next(iter(units.values())))).name


def _checked_header(path: Path) -> list[str]:
    header = header_of(path)
    columns = pd.Index(header)
    if not columns.is_unique:
        raise InputError(f"{path.name}: columns {examples(columns[columns.duplicated()])} appear more than once")
    return header


def _row_names(path: Path) -> list[str]:
    with opened(path) as file:
        next(file)
        fields = [line.partition(b"\t")[0] for line in file if line.strip()]
    if not fields:
        raise InputError(f"{path.name}: the matrix has no rows")
    try:
        names = [field.decode() for field in fields]
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: gene names are not UTF-8 ({error}); download it again") from None
    if quoted := [name for name in names if name.startswith('"')]:
        raise InputError(f"{path.name}: names are quoted ({examples(quoted)}); save the matrix without quotes")
    return names


def _barcodes(matrices: Sequence[_Matrix]) -> list[Barcode]:
    return [found for matrix in matrices for name in matrix.header[1:] if (found := barcode(name))]


def _genes(matrices: Sequence[_Matrix], selection: Selection, probemap: Path | None, where: str) -> KeptGenes:
    """Kept rows of the first matrix, among those whose name all matrices have."""
    ids = matrices[0].ids
    symbols = ids
    if probemap is not None and any(is_ensembl(name) for name in ids[:100]):
        known = read_probemap(probemap)
        symbols = [known.get(name.partition(".")[0], name) for name in ids]
    elif ids and all("|" in name for name in ids):  # Firehose: SYMBOL|Entrez id, ? for no symbol
        parts = [name.partition("|") for name in ids]
        symbols = [entrez if symbol == "?" else symbol for symbol, _, entrez in parts]
    held = set.intersection(*(set(matrix.ids) for matrix in matrices))
    # What the first matrix holds twice is left out by the rule of names.
    twice = held & {name for matrix in matrices[1:] for name, times in Counter(matrix.ids).items() if times > 1}
    twice -= {name for name, times in Counter(ids).items() if times > 1}
    shared = held - twice
    places = [row for row, name in enumerate(ids) if name in shared]
    kept = kept_genes([ids[row] for row in places], [symbols[row] for row in places], selection.genes, where)
    rows = np.asarray(places, dtype=np.intp)[kept.rows]
    dropped = list(kept.dropped)
    if twice:
        dropped.append(Note.of("genes whose name stands for several rows of a matrix", np.asarray(sorted(twice))))
    if lost := sorted({name for matrix in matrices for name in matrix.ids} - held):
        dropped.append(Note.of("genes that not every matrix has", np.asarray(lost)))
    return KeptGenes(rows, kept.names, tuple(dropped))


def _check_infinite(values: NDArray[np.float32], picked: Picked, genes: Sequence[str], where: str) -> None:
    """A missing value leaves a gene out; an infinite one was never measured.

    Raises:
        InputError: names a gene and a sample.
    """
    number, first = 0, ""
    for start in range(0, len(values), 512):
        rows, columns = np.nonzero(np.isinf(values[start : start + 512]))
        if len(rows) and not number:
            first = f"{genes[columns[0]]} of {picked.samples[start + rows[0]].name}"
        number += len(rows)
    if number:
        raise InputError(
            f"{where}: {number} values are infinite or too large (first {first}); fix them, or use NA for missing "
            "values"
        )


def _fill(values: NDArray[np.float32], matrix: _Matrix, picked: Picked, wanted: Sequence[str]) -> None:
    """Put the matrix's samples into their rows of `values`, a block of genes at a time."""
    import pyarrow as pa
    from pyarrow import csv

    held = set(matrix.header)
    rows = [(row, sample.name) for row, sample in enumerate(picked.samples) if sample.name in held]
    if not rows:
        return
    place = {name: column for column, name in enumerate(wanted)}
    start = 0
    names = [name for _, name in rows]
    try:
        with pa.input_stream(str(matrix.path), compression="gzip" if is_gzip(matrix.path) else None) as stream:
            reader = csv.open_csv(stream, **_options(names, matrix))
            for batch in reader:
                ids = matrix.ids[start : start + batch.num_rows]
                start += batch.num_rows
                _put(values, batch, rows, ids, place)
        if start != len(matrix.ids):
            raise InputError(
                f"{matrix.path.name}: {len(matrix.ids)} lines but {start} rows: line endings are mixed, or lines "
                "hold only tabs; export it again"
            )
    except (pa.ArrowException, OSError) as error:
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"{matrix.path.name}: not a readable matrix, perhaps truncated ({problem})") from None


def _options(names: Sequence[str], matrix: _Matrix) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv

    block = max(_BLOCK, 4 * 32 * len(matrix.header))
    return {
        "read_options": csv.ReadOptions(
            use_threads=False, block_size=block, skip_rows_after_names=int(matrix.firehose)
        ),
        "parse_options": csv.ParseOptions(delimiter="\t", quote_char=False),
        "convert_options": csv.ConvertOptions(
            include_columns=list(names), column_types={name: pa.float32() for name in names},
            null_values=["", "NA", "NaN", "nan", "null", "NULL"], strings_can_be_null=True,
        ),
    }  # fmt: skip


def _put(
    values: NDArray[np.float32], batch: Any, rows: Sequence[tuple[int, str]], ids: Sequence[str], place: dict[str, int]
) -> None:
    here = [(line, place[name]) for line, name in enumerate(ids) if name in place]
    if not here:
        return
    lines, columns = (np.asarray(part, dtype=np.intp) for part in zip(*here, strict=True))
    for number, (row, _) in enumerate(rows):
        values[row, columns] = batch.column(number).to_numpy(zero_copy_only=False)[lines]

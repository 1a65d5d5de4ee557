"""A study folder of cBioPortal: expression, genes × samples, with a patient and a sample table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.delimited import dialect_of, read_text_table
from gexbench.tasks.files.matrix_files import TextMatrix, read_matrix
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.files.text_files import input_facts
from gexbench.tasks.importing.values import Scale
from gexbench.tasks.public.picking import missing_values

SYMBOL, ENTREZ = "Hugo_Symbol", "Entrez_Gene_Id"
PATIENT, SAMPLE = "PATIENT_ID", "SAMPLE_ID"
TABLES = ("data_clinical_sample.txt", "data_clinical_patient.txt")
_LINEAR_ABOVE = 64


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A study as read: expression, clinical rows by sample, the scale of the values, notes and inputs."""

    expression: ExpressionFile
    clinical: pd.DataFrame
    scale: Scale | None
    notes: tuple[Note, ...]
    inputs: tuple[dict[str, object], ...]


def is_study(folder: Path) -> bool:
    """Whether a folder is laid out as a study of cBioPortal."""
    return (folder / TABLES[0]).is_file() and any(folder.glob("data_mrna*.txt*"))


def study_matrices(folder: Path) -> list[Path]:
    """Its matrices of expression; z-scores are none."""
    return sorted(path for path in folder.glob("data_mrna*.txt*") if "zscore" not in path.name.lower())


def read_study(folder: Path, matrix: Path | None = None, as_text: Sequence[str] = ()) -> Study:
    """The study's expression and its two tables, joined by PATIENT_ID and SAMPLE_ID, under the machine's column names.

    Rows without a symbol are left out. Of several rows with one symbol the one with the highest mean counts. Genes with
    a missing value are left out.

    Args:
        folder: the study.
        matrix: file of the expression; None where the folder holds one.
        as_text: clinical columns that stay as written.

    Raises:
        InputError: no matrix or several, tables that do not fit.
    """
    matrices = study_matrices(folder)
    if matrix is None and len(matrices) != 1:
        names = [path.name for path in matrices]
        raise InputError(
            f"{folder.name}: {len(names)} expression files ({examples(names, 8)}); choose: --expression FILE"
        )
    path = matrices[0] if matrix is None else matrix if matrix.exists() else folder / matrix
    header = dialect_of(path).header
    symbol = SYMBOL if SYMBOL in header else header[0]
    found = read_matrix(path, symbol, [name for name in (ENTREZ, SYMBOL) if name in header and name != symbol])
    expression, notes = _by_symbol(path.name, found)
    clinical, files = clinical_tables(folder, as_text)
    known = np.isin(expression.samples, clinical.index.to_numpy(dtype=str))
    if not known.any():
        raise InputError(
            f"{path.name}: none of {len(known)} samples is in {TABLES[0]} ({examples(expression.samples)})"
        )
    if not known.all():
        notes.append(Note.of("no clinical row", expression.samples[~known]))
    kept = ExpressionFile(
        path.name, expression.samples[known], expression.genes, np.ascontiguousarray(expression.values[known]),
        expression.columns[known],
    )  # fmt: skip
    lacking = missing_values(kept.values, kept.genes)
    if lacking.any():
        genes = np.asarray(kept.genes)
        notes.append(Note.of("genes with missing values", genes[lacking]))
        kept = ExpressionFile(kept.name, kept.samples, tuple(genes[~lacking].tolist()), kept.values[:, ~lacking],
                              kept.columns)  # fmt: skip
    linear = bool(kept.values.size and kept.values.max() > _LINEAR_ABOVE and kept.values.min() >= 0)
    inputs = [input_facts(path, "expression"), *(input_facts(file, "clinical") for file in files)]
    return Study(kept, clinical, "linear" if linear else None, tuple(notes), tuple(inputs))


def _by_symbol(name: str, found: TextMatrix) -> tuple[ExpressionFile, list[Note]]:
    notes = []
    blank = found.ids == ""
    if blank.any():
        rows = np.flatnonzero(blank)
        entrez = found.texts[ENTREZ].astype(str).to_numpy() if ENTREZ in found.texts else rows.astype(str)
        notes.append(Note.of("rows without a gene symbol", entrez[rows]))
    means = np.nan_to_num(np.nanmean(found.values, axis=1), nan=-np.inf)
    best: dict[str, int] = {}
    for row in np.flatnonzero(~blank).tolist():
        symbol = str(found.ids[row])
        if symbol not in best or means[row] > means[best[symbol]]:
            best[symbol] = row
    rows = np.asarray(sorted(best.values()), dtype=np.intp)
    further = [str(symbol) for row, symbol in enumerate(found.ids.tolist()) if symbol and best[symbol] != row]
    if further:
        notes.append(Note.of("further rows of a symbol (the one with the highest mean counts)", further))
    samples = np.asarray(found.columns, dtype=str)
    values = np.ascontiguousarray(found.values[rows].T)
    return ExpressionFile(name, samples, tuple(found.ids[rows].tolist()), values, pd.DataFrame(index=samples)), notes


def clinical_tables(folder: Path, as_text: Sequence[str]) -> tuple[pd.DataFrame, list[Path]]:
    """Rows by sample: the sample table with what the patient table adds."""
    files = [folder / name for name in TABLES if (folder / name).is_file()]
    text = {PATIENT, SAMPLE, *as_text}
    samples, _ = read_text_table(files[0], text)
    if missing := [column for column in (PATIENT, SAMPLE) if column not in samples]:
        raise InputError(f"{files[0].name}: no column {examples(missing)} (there: {examples(samples.columns, 8)})")
    if (twice := samples[SAMPLE][samples[SAMPLE].duplicated()]).size:
        raise InputError(
            f"{files[0].name}: {len(twice)} samples appear more than once ({examples(twice)}); keep one row each"
        )
    if len(files) > 1:
        patients, _ = read_text_table(files[1], text)
        if PATIENT not in patients:
            raise InputError(f"{files[1].name}: no column {PATIENT} (there: {examples(patients.columns, 8)})")
        more = [column for column in patients if column == PATIENT or column not in samples]
        samples = samples.merge(patients[more].drop_duplicates(PATIENT), on=PATIENT, how="left")
    table = samples.set_index(SAMPLE).rename(columns=lambda name: str(name).replace("/", " or "))
    return table.set_axis(table.index.astype(str).str.strip().rename("sample"), axis=0), files

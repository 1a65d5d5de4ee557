"""Names of genes as files write them: blanks, symbols beside ids, and ids in brackets."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.notes import Note

FOLD_COLUMNS = ("fold_random", "fold_site")
"""Columns of a cohort's clinical table that hold the part of every patient."""
ANNOTATIONS = (
    "description", "entrez_gene_id", "entrezgene", "entrez", "gene_name", "gene_symbol", "symbol", "gene_type",
    "gene_biotype", "biotype", "cytoband", "chromosome", "chrom", "start", "end", "strand", "gene_length", "length",
)  # fmt: skip
"""Columns of genes × samples that describe the gene, in lower case."""
_DEPMAP = re.compile(r"(?P<symbol>.+) \((?P<entrez>\d+|ENSG\d+|unknown)\)")
_VERSION = re.compile(r"(ENS[A-Z]*G\d+)\.\d+")


def unversioned(name: str) -> str:
    """An Ensembl gene id without its version; any other name as it is."""
    found = _VERSION.fullmatch(name)
    return found[1] if found else name


def named_by(ids: Sequence[str], symbols: Sequence[object], column: str) -> tuple[list[str], list[Note]]:
    """Symbols where one gene has it, else the id without version; a note on those that keep their id.

    Args:
        ids: (genes,) as the file names them.
        symbols: (genes,) of the column that the user named; blank or missing where there is none.
        column: its name, for the note.
    """
    texts = ["" if symbol is None or symbol != symbol else str(symbol).strip() for symbol in symbols]
    times = Counter(texts)
    names = [text if text and times[text] == 1 else unversioned(name) for name, text in zip(ids, texts, strict=True)]
    kept = [f"{name} ({text or 'blank'})" for name, text in zip(names, texts, strict=True) if times[text] > 1]
    reason = f"genes that keep their id: {column!r} is blank or names several"
    return names, [Note.of(reason, kept, left_out=False)] if kept else []


def plain_genes(names: Sequence[str]) -> tuple[list[str], list[Note]]:
    """Trimmed names; `SYMBOL (id)`, as DepMap writes them, become symbols if all are such and none repeats."""
    trimmed = [str(name).strip() for name in names]
    found = [_DEPMAP.fullmatch(name) for name in trimmed]
    if trimmed and all(found):
        symbols = [match["symbol"] for match in found if match]
        if len(set(symbols)) == len(symbols):
            return symbols, [Note.of("genes named 'SYMBOL (id)' are called by their symbol", trimmed, left_out=False)]
    return trimmed, []


def check_columns(names: Sequence[str], file: str) -> None:
    """Refuse names that repeat, are blank, or are reserved for the folds.

    Raises:
        InputError: each kind with how many and examples.
    """
    columns = pd.Index([unicodedata.normalize("NFC", str(name)).strip() for name in names])
    problems = []
    repeated = columns[columns.duplicated() & (columns != "")].unique()
    if len(repeated):
        problems.append(
            f"{file}: {len(repeated)} column names appear more than once ({examples(repeated)}); keep one column per "
            "name"
        )
    if reserved := [name for name in names if str(name) in FOLD_COLUMNS]:
        problems.append(f"{file}: columns {examples(reserved)} are reserved for the folds; rename them")
    if blank := int((columns == "").sum()):
        problems.append(f"{file}: {blank} columns have no name")
    if problems:
        raise InputError(problems)

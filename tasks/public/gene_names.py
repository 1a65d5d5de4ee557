"""Names of genes in public files, and the genes that a rule keeps."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.text_files import opened
from gexbench.tasks.public.selection import GeneRule

_ENSEMBL = re.compile(r"(ENS[A-Z]*G\d+)(?:\.\d+)?(?:_PAR_Y)?")


@dataclass(frozen=True, slots=True, eq=False)
class KeptGenes:
    """Rows of the file that are kept, in the cohort's order, with the names they get and what was left out."""

    rows: NDArray[np.intp]
    names: tuple[str, ...]
    dropped: tuple[Note, ...]


def is_ensembl(name: str) -> bool:
    """Whether a name is an Ensembl gene id, with or without version."""
    return _ENSEMBL.fullmatch(name) is not None


def read_probemap(path: Path) -> dict[str, str]:
    """Id → symbol of a Xena probe map (tab-separated, columns `id` and `gene`, packed or not), ids without version.

    Raises:
        InputError: no such columns, no text.
    """
    try:
        with opened(path) as file:
            rows = csv.DictReader(io.StringIO(file.read().decode("utf-8-sig")), delimiter="\t")
            name = "id" if "id" in (rows.fieldnames or ()) else "#id"
            if not {name, "gene"} <= set(rows.fieldnames or ()):
                raise InputError(f"{path.name}: a probe map must have the columns 'id' and 'gene'")
            return {_stable(row[name]): row["gene"] for row in rows if row["gene"]}
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path.name}: not a tab-separated table in UTF-8 ({error}); download it again") from None


def kept_genes(
    ids: Sequence[str], symbols: Sequence[str], rule: GeneRule, where: str, coding: NDArray[np.bool_] | None = None
) -> KeptGenes:
    """The genes that a rule keeps, named by symbol where one row has it, else by Ensembl id without version.

    Rows of the Y copy of a pseudo-autosomal gene, and rows whose name stands for several rows, are left out.

    Args:
        ids: (rows,) the file's row names.
        symbols: (rows,) symbols; the id itself where none is known.
        rule: names, aliases, protein-coding; `top` is applied later, when the folds are known.
        where: the file, for messages.
        coding: (rows,) True for protein-coding genes; None where the file does not state types.

    Raises:
        InputError: listed genes that are not there, protein-coding genes of a file without types.
    """
    if rule.protein_coding and coding is None:
        raise InputError(f"{where}: states no gene types; use --genes FILE with the genes to keep")
    plain = [_stable(name) for name in ids]
    usable = [not name.endswith("_PAR_Y") for name in ids]
    repeated = Counter(symbol for symbol, use in zip(symbols, usable, strict=True) if use)
    names = [_stable(symbol) if repeated[symbol] == 1 else name for symbol, name in zip(symbols, plain, strict=True)]
    count = Counter(name for name, use in zip(names, usable, strict=True) if use)
    place = {name: row for row, name in enumerate(names) if usable[row] and count[name] == 1}
    dropped = []
    if several := sorted(name for name, number in count.items() if number > 1):
        dropped.append(Note.of("genes whose name stands for several rows", np.asarray(several)))
    if rule.names:
        times = Counter(name for name, use in zip(plain, usable, strict=True) if use)
        by_id = {name: row for row, name in enumerate(plain) if usable[row] and times[name] == 1}
        rows = _listed(place, by_id, rule, where)
        return KeptGenes(np.asarray(rows, dtype=np.intp), rule.names, tuple(dropped))
    rows = [row for row in place.values() if not rule.protein_coding or (coding is not None and coding[row])]
    return KeptGenes(np.asarray(rows, dtype=np.intp), tuple(names[row] for row in rows), tuple(dropped))


def _listed(place: dict[str, int], by_id: dict[str, int], rule: GeneRule, where: str) -> list[int]:
    rows, missing = [], []
    for name in rule.names:
        found = [place[other] for other in (name, *rule.aliases.get(name, ())) if other in place]
        found = found or [by_id[_stable(name)]] if is_ensembl(name) and _stable(name) in by_id else found
        if found:
            rows.append(found[0])
        else:
            missing.append(name)
    if missing:
        raise InputError(
            f"{where}: {len(missing)} of {len(rule.names)} listed genes are missing or match several rows "
            f"({examples(missing, 10)}); add a synonym after the gene in the list (--genes FILE, after a tab), or "
            "remove the gene"
        )
    return rows


def _stable(name: str) -> str:
    found = _ENSEMBL.fullmatch(name)
    return found[1] if found else name

"""Gene sets from a .gmt file (MSigDB's gene matrix transposed: set, description, genes; tabs between them)."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.files.input_paths import read_regular

SET_GENES = 10
"""Genes of the cohort below which a set takes no part."""
_SHOWN = 20


class GeneSetsError(ValueError):
    """A file that holds no readable gene sets; `problems` names every line concerned, with the fix."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class GeneSets:
    """name: of the file, without its folder; sha256: of its bytes; sets: (set, its genes), in the file's order."""

    name: str
    sha256: str
    sets: tuple[tuple[str, tuple[str, ...]], ...]


def read_gene_sets(path: Path) -> GeneSets:
    """The gene sets of a .gmt file; blank lines and empty fields at a line's end are skipped, repeated genes too.

    Raises:
        GeneSetsError: a file that cannot be read, is not UTF-8 or holds no set; lines without tabs, name or genes,
            names that appear twice, genes with white space: all at once.
    """
    try:
        content = read_regular(path)
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise GeneSetsError([f"{path}: cannot be read ({error.strerror})"]) from None
    except UnicodeDecodeError as error:
        raise GeneSetsError([f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8 text"]) from None
    problems: list[str] = []
    found: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if "\0" in line:
            problems.append(f"{path.name}, line {number}: holds a zero byte; export the file again")
        elif line.strip():
            problems += [f"{path.name}, line {number}: {problem}" for problem in _take(line, found)]
    if not found and not problems:
        problems.append(f"{path.name}: holds no gene set; each line is a set's name, a description and its genes")
    if problems:
        more = len(problems) - _SHOWN
        raise GeneSetsError([*problems[:_SHOWN], *([f"{path.name}: {more} more problems"] if more > 0 else [])])
    return GeneSets(path.name, hashlib.sha256(content).hexdigest(), tuple(found.items()))


def _take(line: str, found: dict[str, tuple[str, ...]]) -> list[str]:
    """Add the set of a line to ``found``; what is wrong with the line."""
    fields = [field.strip() for field in line.rstrip().split("\t")]
    name, genes = fields[0], [gene for gene in fields[2:] if gene]
    if not genes:
        return [f"{len(fields)} fields; a name, a description and at least one gene are needed, tabs between them"]
    problems = []
    if not name:
        problems.append("the set has no name; write it in the first field")
    if name in found:
        problems.append(f"set {name!r} appears twice; keep one of them")
    spaced = [gene for gene in genes if len(gene.split()) > 1]
    if spaced:
        problems.append(f"gene {spaced[0]!r} holds white space; put tabs between genes")
    found[name] = tuple(dict.fromkeys(genes))
    return problems


def usable_sets(
    gene_sets: GeneSets, genes: Sequence[str], *, smallest: int = SET_GENES
) -> tuple[tuple[str, ...], NDArray[np.bool_]]:
    """Names of the sets with at least ``smallest`` of the genes, but not all, and their membership (genes, sets).

    Genes are matched by name.
    """
    place = {gene: row for row, gene in enumerate(genes)}
    names, columns = [], []
    for name, members in gene_sets.sets:
        rows = [place[gene] for gene in members if gene in place]
        if smallest <= len(rows) < len(place):
            names.append(name)
            columns.append(rows)
    membership = np.zeros((len(place), len(names)), dtype=bool)
    for column, rows in enumerate(columns):
        membership[rows, column] = True
    return tuple(names), membership

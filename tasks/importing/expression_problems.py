"""Problems in the values of an expression table."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import examples
from gexbench.tasks.files.reading import ExpressionFile
from gexbench.tasks.importing.column_problems import zero_bytes

_ROWS = 256
"""Rows looked at once: a genome-wide table is not held a second time, as true and false."""

_HIGHEST_LOG2 = 64.0
"""2⁶⁴ reads are more than any sequencer gives."""
_OF_A_MILLION = ("log2(tpm+", "log2(cpm+")
"""Units whose linear values are parts of a million."""


def expression_problems(expression: ExpressionFile, unit: Unit | None) -> list[str]:
    """Values that are missing, infinite, too low, too high for a logarithm, all equal, or no whole numbers of counts.

    Names of genes and samples with zero bytes, too. Each with how many and examples.
    """
    values, name = expression.values, expression.name
    problems = zero_bytes(expression.genes, name, "genes") + zero_bytes(expression.samples.tolist(), name, "samples")
    if values.size > 1 and values.min() == values.max():
        problems.append(f"{name}: every value is {values[0, 0]:g}; the file holds no expression values, or is damaged")
    number, rows, genes = _places(values, lambda block: ~np.isfinite(block))
    if number:
        problems.append(
            f"{name}: {number} values are missing or infinite, in {len(rows)} samples "
            f"({examples(expression.samples[rows])}) and {len(genes)} genes "
            f"({examples(expression.genes[gene] for gene in genes)}); impute them, or remove these samples or genes"
        )
    if unit is None or unit.floor is None:
        return problems
    floor = np.float32(unit.floor)
    number, rows, _ = _places(values, lambda block: block < floor)
    if number:
        row = min(rows, key=lambda row: float(np.fmin.reduce(values[row])))
        place = _place(expression, row, np.nanargmin(values[row]))
        problems.append(
            f"{name}: {number} values in {len(rows)} samples ({examples(expression.samples[rows])}) are below "
            f"{unit.floor:g}, the floor of {unit.name} (lowest {place}); check --unit, or raise a few such values to "
            "it with --clip"
        )
    return problems + (_fractions(expression) if unit.name == "counts" else _no_logarithms(expression, unit))


def _no_logarithms(expression: ExpressionFile, unit: Unit) -> list[str]:
    """Values that no logarithm of reads can reach: they were not taken, or the unit is another."""
    highest = _HIGHEST_LOG2
    if unit.name.startswith(_OF_A_MILLION):
        highest = math.log2(1e6 + (unit.offset or 0.0)) + 0.01
    number, rows, _ = _places(expression.values, lambda block: np.isfinite(block) & (block > np.float32(highest)))
    if not number:
        return []
    place = _place(expression, rows[0], np.nanargmax(expression.values[rows[0]]))
    return [
        f"{expression.name}: {number} values in {len(rows)} samples ({examples(expression.samples[rows])}) are above "
        f"{highest:.4g} (first {place}), too high for {unit.name}; take the logarithm with --scale linear, or state "
        "the right unit with --unit"
    ]


def _fractions(expression: ExpressionFile) -> list[str]:
    """Counts that are not whole numbers; values below 0 are reported as too low."""
    values = expression.values
    number, rows, genes = _places(values, _is_fraction)
    if not number:
        return []
    place = _place(expression, rows[0], np.argmax(_is_fraction(values[rows[0]])))
    return [
        f"{expression.name}: {number} values in {len(rows)} samples ({examples(expression.samples[rows])}) and "
        f"{len(genes)} genes are not whole numbers, unlike counts (first {place}); round estimated counts (RSEM, "
        "Salmon), or state the right unit with --unit, for example 'log2(tpm+1)' or 'other'"
        + (f"; the file holds counts: add {expression.counts_by}" if expression.counts_by else "")
    ]


def _is_fraction(block: NDArray[np.float32]) -> NDArray[np.bool_]:
    return np.asarray((block > 0) & np.isfinite(block) & (block != np.floor(block)))


def _place(expression: ExpressionFile, row: np.intp, gene: np.intp) -> str:
    """A value with its gene and its sample."""
    return f"{expression.values[row, gene]:g}, {expression.genes[gene]} of {expression.samples[row]}"


def _places(
    values: NDArray[np.float32], wrong: Callable[[NDArray[np.float32]], NDArray[np.bool_]]
) -> tuple[int, NDArray[np.intp], NDArray[np.intp]]:
    """How many values are wrong, and in which rows and columns, some rows at a time."""
    number, genes = 0, np.zeros(values.shape[1], dtype=bool)
    rows: list[NDArray[np.intp]] = []
    for start in range(0, len(values), _ROWS):
        found = wrong(values[start : start + _ROWS])
        number += int(np.count_nonzero(found))
        rows.append(start + np.flatnonzero(found.any(axis=1)))
        genes |= found.any(axis=0)
    return number, np.concatenate(rows) if rows else np.zeros(0, dtype=np.intp), np.flatnonzero(genes)

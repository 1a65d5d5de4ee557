"""What was found out about a file or folder, and the command that builds a cohort from it."""

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import MINIMUM_CLASS_SIZE
from gexbench.tasks.errors import examples
from gexbench.tasks.files.sample_ids import donor_of
from gexbench.tasks.importing.patients import is_normal, repeated_patients, sample_types

_MOST_CLASSES = 60


@dataclass(frozen=True, slots=True)
class Inspection:
    """One file or folder.

    Attributes:
        name: of it.
        facts: what it is, as (heading, text) pairs.
        lost: what a build would leave out or refuse, a sentence each.
        command: words of the command to build a cohort; empty where none can be built from it alone.
        role: of a table: `expression` or `clinical`; else empty.
    """

    name: str
    facts: tuple[tuple[str, str], ...]
    lost: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    role: str = ""

    @property
    def command_line(self) -> str:
        """The command as it is typed."""
        return shlex.join(self.command)


@dataclass(frozen=True, slots=True)
class UnitGuess:
    """The unit that values suggest, `?` in its place where none does, the scale to convert from, and why."""

    unit: str
    why: str
    scale: str | None = None


def unit_of_values(values: NDArray[np.floating], *, whole: bool = True) -> UnitGuess:
    """What unit a sample of values is in.

    Args:
        values: (samples, genes), missing values NaN.
        whole: whether the columns are all genes, so that a sample's sum says whether it is TPM or CPM.
    """
    known = values[np.isfinite(values)].astype(np.float64)
    if not known.size:
        return UnitGuess("?", "no finite values")
    low, high = float(known.min()), float(known.max())
    spread = f"values {low:.4g} to {high:.4g}"
    if low >= 0 and not (known % 1).any() and high > 30:
        return UnitGuess("counts", f"{spread}, all whole numbers")
    if low < 0:
        share = float((known == low).mean())
        constant = 2.0**low
        if share > 0.01 and constant < 0.5 and abs(np.log10(constant) - round(np.log10(constant))) < 0.02:
            return UnitGuess(
                f"log2(tpm+{10.0 ** round(np.log10(constant)):g})", f"{spread}; {100 * share:.0f} % at the lowest"
            )
        return UnitGuess("other", f"{spread}: below zero, so scores, centred values or corrected logarithms")
    positive = known[known > 0]
    skew = float((((positive - positive.mean()) / (positive.std() or 1)) ** 3).mean()) if positive.size else 0.0
    if high > 32 or skew > 3:
        name = _summing_name(values, lambda block: block, whole=whole) or "tpm"
        return UnitGuess(f"log2({name}+1)", f"{spread}, skewness {skew:.1f}: linear values", "linear")
    summed = _summing_name(values, lambda block: np.exp2(block) - 1, whole=whole)
    if _summing_name(values, np.expm1, whole=whole):
        return UnitGuess("log2(cpm+1)", f"{spread}; e^x - 1 sums to one round number: natural logarithms", "ln")
    return UnitGuess(f"log2({summed or 'tpm'}+1)", f"{spread}, skewness {skew:.1f}: logarithms")


def _summing_name(values: NDArray[np.floating], linear: object, *, whole: bool) -> str | None:
    """`tpm` where every sample's linear values sum to a million, which TPM and CPM do over all genes."""
    if not whole or values.shape[1] < 1000 or not callable(linear):
        return None
    sums = np.nansum(linear(values.astype(np.float64)), axis=1)
    return "tpm" if np.allclose(sums, 1e6, rtol=0.02) or np.allclose(sums, 1e4, rtol=0.02) else None


def facts_of_samples(samples: Sequence[str], columns: pd.DataFrame) -> tuple[list[tuple[str, str]], str | None, bool]:
    """Facts on the ids, the value of --group that they call for, and whether normal tissue is among them."""
    ids = np.asarray(list(samples), dtype=str)
    donors = {donor for name in ids.tolist() if (donor := donor_of(name))}
    facts = [("ids", f"{examples(ids)}" + (f"; of {len(donors):,} donors by their scheme" if donors else ""))]
    kinds = sample_types(ids, columns)
    if counted := Counter(kind for kind in kinds.tolist() if kind):
        facts.append(("sample types", ", ".join(f"{count:,} {kind}" for kind, count in counted.most_common(6))))
    problems = repeated_patients(ids, columns, "")
    group = problems[0].partition("add --group ")[2].partition(",")[0] if problems else None
    normal = is_normal(kinds)
    return facts, group, bool(normal.any() and not normal.all())


def of_patients(group: str | None, *, normals: bool) -> tuple[str, ...]:
    """The options that several samples of a patient, and normal tissue among them, call for."""
    return (*(("--group", group) if group else ()), *(("--normals", "drop") if normals else ()))


def labels_that_serve(columns: pd.DataFrame, most: int = 4) -> list[str]:
    """Columns with two classes of at least 25 rows, the one with the most such classes first."""
    found = []
    for column in columns:
        sizes = columns[column].dropna().astype(str).value_counts()
        usable = int((sizes >= MINIMUM_CLASS_SIZE).sum())
        if usable >= 2 and len(sizes) <= _MOST_CLASSES:
            found.append((usable, str(column)))
    return [name for _, name in sorted(found, key=lambda item: -item[0])][:most]

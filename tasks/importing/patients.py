"""Samples that belong to one patient, and normal tissue among tumours: named, never dealt in silence."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import examples
from gexbench.tasks.files.sample_ids import donor_of
from gexbench.tasks.importing.barcodes import barcode, named_type

Normals = Literal["drop", "label", "keep"]
BY_BARCODE, BY_ID, EACH = "barcode12", "from-id", "none"
"""Values of --group that are no columns: the first 12 characters, the id's own scheme, every sample a patient."""
_PATIENT = re.compile(r"(patient|donor|subject|subj|individual|case|participant)(id|barcode|)|bcrpatientbarcode")
_TYPE = re.compile(r"_?sample_?type(\.samples)?|tissue_?type(\.samples)?|specimen_?type", re.IGNORECASE)
NORMAL = " (normal tissue)"
"""Ends the class of normal tissue with `--normals label`."""


def repeated_patients(samples: NDArray[np.str_], clinical: pd.DataFrame, name: str) -> list[str]:
    """The problem of several samples per patient where every sample was taken for one.

    Args:
        samples: (n,) ids.
        clinical: n rows in their order.
        name: of the expression file, for messages.
    """
    donors = [donor_of(sample) for sample in samples.tolist()]
    known = [donor for donor in donors if donor]
    types = Counter(sample_types(samples, clinical)[samples != ""].tolist())
    counted = "; ".join(f"{count} {kind}" for kind, count in types.most_common(6) if kind)
    listed = f"; sample types: {counted}" if counted else ""
    if known and len(known) >= 0.9 * len(donors) and len(set(known)) < len(known):
        way = BY_BARCODE if all(donor.startswith("TCGA-") for donor in known) else BY_ID
        shown = _shown(samples, np.asarray([donor or "" for donor in donors]))
        return [_problem(name, len(samples), len(set(known)), shown, listed, f"--group {way}")]
    for column in clinical:
        if not _PATIENT.fullmatch(re.sub(r"[^a-z]", "", str(column).lower())):
            continue
        values = clinical[column].dropna().astype(str)
        if 1 < values.nunique() < len(values):
            owners = clinical[column].astype(object).map(str, na_action="ignore").fillna("").to_numpy(dtype=str)
            shown = _shown(samples, owners)
            return [_problem(name, len(values), values.nunique(), shown, listed, f"--group {column}")]
    return []


def sample_types(samples: NDArray[np.str_], clinical: pd.DataFrame) -> NDArray[np.str_]:
    """(n,) kind of each sample by its barcode, else by a column of sample types; empty where neither says."""
    codes = [barcode(sample) for sample in samples.tolist()]
    if any(codes):
        return np.asarray([named_type(code.type) if code else "" for code in codes], dtype=str)
    column = next((name for name in clinical if _TYPE.fullmatch(str(name))), None)
    if column is None:
        return np.full(len(samples), "", dtype=str)
    return np.asarray(clinical[column].astype(object).map(str, na_action="ignore").fillna(""), dtype=str)


def is_normal(kinds: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(n,) whether a kind of sample is normal tissue, by barcode codes 10 to 14 or by the word."""
    codes = {named_type(str(code)) for code in range(10, 15)}
    normal = [kind in codes or re.search(r"\bnormal\b", kind, re.IGNORECASE) is not None for kind in kinds.tolist()]
    return np.asarray(normal, dtype=bool)


def mixed_classes(normal: NDArray[np.bool_], kinds: NDArray[np.str_], labels: NDArray[np.str_]) -> list[str]:
    """Classes that hold both normal tissue and other samples."""
    known = kinds != ""
    return sorted(set(labels[normal].tolist()) & set(labels[known & ~normal].tolist()))


def normals_refused(
    name: str, samples: NDArray[np.str_], kinds: NDArray[np.str_], normal: NDArray[np.bool_], classes: Sequence[str]
) -> str:
    """The problem of normal tissue that bears the label of its patient's tumour."""
    counted = "; ".join(f"{count} {kind}" for kind, count in Counter(kinds.tolist()).most_common(6) if kind)
    return (
        f"{name}: {int(normal.sum())} samples are normal tissue and bear a tumour's label "
        f"({examples(samples[normal])}; sample types: {counted}; classes with both: {examples(classes)}); leave them "
        "out with --normals drop, give them classes of their own with --normals label, or keep the labels with "
        "--normals keep"
    )


def _problem(name: str, number: int, patients: int, shown: str, listed: str, way: str) -> str:
    return (
        f"{name}: {number} samples are of {patients} patients ({shown}{listed}); add {way}, so that no fold parts a "
        f"patient (--group {EACH} takes every sample for a patient)"
    )


def _shown(samples: NDArray[np.str_], owners: NDArray[np.str_]) -> str:
    times = Counter(owner for owner in owners.tolist() if owner)
    several = [owner for owner, count in times.items() if count > 1][:4]
    return examples(f"{owner}: {' and '.join(samples[owners == owner][:2].tolist())}" for owner in several)

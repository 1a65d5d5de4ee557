"""Inspecting AnnData: tables whole, matrices by their first rows."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.anndata_files import COUNTS
from gexbench.tasks.files.hdf5_files import opened_hdf5
from gexbench.tasks.public.inspecting.inspection import (
    Inspection,
    facts_of_samples,
    labels_that_serve,
    of_patients,
    unit_of_values,
)

_ROWS = 64


def inspect_h5ad(path: Path) -> Inspection:
    """An .h5ad file: shape, unit of X, layers, patients and labels of obs, and the command.

    Raises:
        InputError: an unreadable file.
    """
    import anndata

    try:
        with opened_hdf5(path) as file:
            obs: pd.DataFrame = anndata.io.read_elem(file["obs"])
            var: pd.DataFrame = anndata.io.read_elem(file["var"])
            layers = sorted(file["layers"]) if "layers" in file else []
            stated = file["uns/unit"][()] if "uns/unit" in file else None
            raw = "raw/X" in file
            log1p = "uns/log1p" in file
            x = _first_rows(file["X"], len(var)) if "X" in file else None
    except Exception as error:  # anndata raises many kinds for a damaged file
        raise InputError(f"{path.name}: not a readable .h5ad file ({' '.join(str(error).split())[:150]})") from None
    unit = stated.decode() if isinstance(stated, bytes) else None
    guess = None if x is None else unit_of_values(x)
    facts, group, normals = facts_of_samples(obs.index.astype(str).tolist(), obs)
    labels = labels_that_serve(obs)
    said = "X is empty" if guess is None else f"{guess.unit} ({guess.why})"
    beside = [*(f"layer {name!r}" for name in layers), *(["raw"] if raw else [])]
    shown = [("what", "AnnData"), ("size", f"{len(obs):,} samples × {len(var):,} genes ({examples(var.index)})"),
             *facts,
             ("unit", f"states {unit}" if unit else said),
             ("also there", ", ".join(beside) or "nothing"),
             ("columns of var", examples(var.columns, 6) or "none"),
             ("labels", ", ".join(labels) or "none with two classes of 25 samples")]  # fmt: skip
    command = ["gexbench", "cohort", "build", "NAME", "--expression", str(path)]
    command += ["--labels", labels[0] if labels else "COLUMN"]
    lost = []
    if x is None and layers:
        chosen = COUNTS if COUNTS in layers else layers[0]
        command += ["--layer", chosen]
        guess = None
        command += ["--unit", "counts" if chosen == COUNTS else "UNIT"]
    elif not unit and guess is not None:
        natural = log1p and guess.unit.startswith("log2")
        scale = "ln" if natural else guess.scale
        command += ["--unit", "log2(cpm+1)" if natural else guess.unit]
        command += ["--scale", scale] if scale else []
    symbols = next((name for name in ("feature_name", "gene_symbol", "gene_name", "symbol") if name in var), None)
    if symbols and str(var.index[0]).startswith("ENS"):
        command += ["--gene-column", symbols]
        lost.append(f"gene names are Ensembl ids; symbols stand in the column {symbols!r} of var")
    command += of_patients(group, normals=normals)
    if raw and COUNTS not in layers:
        lost.append("raw is kept only where it holds whole counts of the same genes (--raw reads it as the expression)")
    lost += [f"layer {name!r} is not kept (--layer {name} reads it)" for name in layers if name != COUNTS]
    return Inspection(path.name, tuple(shown), tuple(lost), tuple(command), role="expression")


def _first_rows(held: Any, genes: int) -> NDArray[np.float64]:
    """The first rows of a dense or row-wise sparse matrix; of a column-wise one a sample of its values."""
    import h5py

    if isinstance(held, h5py.Dataset):
        return np.asarray(held[:_ROWS], dtype=np.float64)
    if held.attrs.get("encoding-type") == "csc_matrix":
        return np.asarray(held["data"][:100_000], dtype=np.float64)[None]
    ends = held["indptr"][: _ROWS + 1]
    rows = np.zeros((len(ends) - 1, genes))
    for row, (start, stop) in enumerate(pairwise(ends)):
        rows[row, held["indices"][start:stop]] = held["data"][start:stop]
    return rows

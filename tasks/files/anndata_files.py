"""AnnData (.h5ad, .zarr) and MuData (.h5mu) files: expression with its table, and image features beside it."""

import json
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.hdf5_files import opened_hdf5
from gexbench.tasks.files.notes import Note
from gexbench.tasks.files.table_rules import AS_IT_IS, TableRules

ANNDATA_TYPES = (".h5ad", ".zarr", ".h5mu")
EXPRESSION_NAMES = ("expression", "rna", "gex", "mrna")
"""Names of a MuData's modality that holds the expression, the first that is there."""
IMAGE_NAMES = ("patches", "images", "image", "histology")
"""Names of the modality that holds image features: one row per region, or per sample."""
OWNER_COLUMNS = ("sample", "patient")
"""Columns of the image modality that name the sample of a region; without one the row names are the samples."""
HEADER = "gexbench"
"""Key of `uns` with the JSON text of a cohort: name, unit, label columns, site column, provenance, fingerprint, …"""
COUNTS = "counts"
"""Layer of read counts."""
_COMPRESSION_LIMIT = 1032


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedRows:
    """An AnnData object as read.

    Attributes:
        obs: n rows, by name.
        values: (n, genes) float32 of X, or of the layer or raw that was asked for; None where X is empty.
        genes: names.
        unit: `uns["unit"]`.
        header: what gexbench wrote of a cohort, else empty.
        var: columns of the genes.
        counts: (n, genes) int32, whole numbers that a layer `counts` or `raw` holds beside other values.
        counts_by: option that reads them as the expression.
        logarithm: `ln` where `uns["log1p"]` says that the values are natural logarithms.
        there: layers and raw that may be read in place of X, in words with their options.
        notes: what of them is not kept.
    """

    obs: pd.DataFrame
    values: NDArray[np.float32] | None
    genes: list[str]
    unit: str | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    var: pd.DataFrame = field(default_factory=pd.DataFrame)
    counts: NDArray[np.int32] | None = None
    counts_by: str = ""
    logarithm: str | None = None
    there: str = ""
    notes: tuple[Note, ...] = ()


def columns_kept_apart() -> AbstractContextManager[Any]:
    """A context in which mudata does not copy the modalities' columns into the whole, which is what 0.4 never does."""
    import mudata

    before_04: Any = getattr(mudata, "set_options", None)
    kept_apart: AbstractContextManager[Any] = before_04(pull_on_update=False) if before_04 else nullcontext()
    return kept_apart


def read_annotated(path: Path, rules: TableRules = AS_IT_IS) -> AnnotatedRows:
    """The rows of an .h5ad or .zarr file, or of the expression of an .h5mu; sparse values become dense.

    Args:
        path: the file or folder.
        rules: `layer` or `raw` in place of X.

    Raises:
        InputError: an unreadable file, a dataset that promises more than the file holds, no expression modality, no
            such layer or raw.
    """
    data = _opened(path, EXPRESSION_NAMES, "expression")
    return _with_counts(_rows(_chosen(data, rules, path.name), path.name), data, rules, path.name)


def read_image_rows(path: Path) -> AnnotatedRows:
    """The image features of an .h5mu file.

    Raises:
        InputError: as `read_annotated`.
    """
    return _rows(_opened(path, IMAGE_NAMES, "image features"), path.name)


def has_image_rows(path: Path) -> bool:
    """Whether an .h5mu file holds image features."""

    try:
        with opened_hdf5(path) as file:
            return "mod" in file and any(name in file["mod"] for name in IMAGE_NAMES)
    except (OSError, RuntimeError):
        return False


def _opened(path: Path, names: tuple[str, ...], what: str) -> Any:
    import anndata

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if path.suffix == ".zarr":
                _check_zarr(path)
                return anndata.read_zarr(path)
            return _of_hdf5(path, names, what)
    except InputError:
        raise
    except Exception as error:  # anndata raises many kinds for a damaged file
        problem = " ".join(str(error).split())[:200]
        raise InputError(f"{path.name}: not a readable {path.suffix} file, perhaps truncated ({problem})") from None


def _of_hdf5(path: Path, names: tuple[str, ...], what: str) -> Any:
    import anndata

    with opened_hdf5(path) as file:
        if path.suffix == ".h5ad":
            return anndata.read_h5ad(path)
        there = sorted(file["mod"]) if "mod" in file else []
        chosen = next((name for name in names if name in there), None)
        if chosen is None:
            raise InputError(
                f"{path.name}: no modality with {what} (there: {examples(there, 10) or 'none'}); rename it to "
                f"{' or '.join(names)}"
            )
        return anndata.io.read_elem(file["mod"][chosen])


def _check_zarr(path: Path) -> None:
    """Refuse arrays whose shapes promise more than the folder holds; a reader would allocate by the shape."""
    import zarr

    held = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) * _COMPRESSION_LIMIT
    group = zarr.open_group(path, mode="r")
    for place, item in group.members(max_depth=None):
        promised = getattr(item, "nbytes", 0) if isinstance(item, zarr.Array) else 0
        if promised > held:
            raise InputError(
                f"{path.name}: array {place!r} should hold {promised} bytes, but the folder has at most {held}; copy "
                "it again"
            )


def _chosen(data: Any, rules: TableRules, name: str) -> Any:
    """The object whose X is the matrix that was asked for."""
    import anndata

    if rules.layer is not None and rules.raw:
        raise InputError(f"{name}: --layer and --raw exclude each other; give one")
    if rules.layer is not None:
        if rules.layer not in data.layers:
            raise InputError(
                f"{name}: no layer {rules.layer!r} for --layer (there: {examples(data.layers, 8) or 'none'})"
            )
        return anndata.AnnData(data.layers[rules.layer], obs=data.obs, var=data.var, uns=data.uns)
    if rules.raw:
        if data.raw is None:
            raise InputError(f"{name}: holds no raw for --raw; leave the option out")
        return anndata.AnnData(data.raw.X, obs=data.obs, var=data.raw.var, uns=data.uns)
    return data


def _with_counts(found: AnnotatedRows, data: Any, rules: TableRules, name: str) -> AnnotatedRows:
    """Counts beside the values, and a note on every layer that is not kept."""
    of_x = rules.layer is None and not rules.raw
    log1p = data.uns.get("log1p")
    base = log1p.get("base") if isinstance(log1p, Mapping) else None
    natural = of_x and log1p is not None and (base is None or abs(float(base) - np.e) < 1e-6)
    layers = [layer for layer in data.layers if layer != rules.layer]
    options = [f"layer {layer!r} (--layer {layer})" for layer in layers]
    if data.raw is not None and not rules.raw:
        options.append("raw (--raw)")
    counts, way = None, ""
    if COUNTS in layers:
        counts, way = whole_counts(data.layers[COUNTS]), f"--layer {COUNTS}"
    elif data.raw is not None and not rules.raw and set(found.genes) <= set(data.raw.var_names.astype(str)):
        counts, way = whole_counts(data.raw[:, found.genes].X), "--raw"
    kept = COUNTS if way == f"--layer {COUNTS}" else "raw"
    lost = [option for option in options if counts is None or kept not in option.split(" (")[0]]
    notes = [Note.of("matrices of the file that are not kept; the option in brackets reads one as the expression", lost,
                     left_out=False)] if lost else []  # fmt: skip
    if counts is not None and found.values is not None and np.array_equal(counts, found.values):
        counts = None  # X holds them
    elif counts is not None:
        notes.append(Note(f"genes with read counts kept beside them (of {kept})", counts.shape[1], (), False))
    return replace(
        found, counts=counts, counts_by=way if counts is not None else "", logarithm="ln" if natural else None,
        there="; ".join(options), notes=tuple(notes),
    )  # fmt: skip


def whole_counts(matrix: Any) -> NDArray[np.int32] | None:
    """A dense or sparse matrix as read counts; None where its values are no whole numbers from 0 to 2³¹ − 1."""
    import scipy.sparse

    values = matrix.data if scipy.sparse.issparse(matrix) else np.asarray(matrix)
    if values.dtype.kind not in "iuf" or (values.size and not ((values >= 0) & (values < 2**31)).all()):
        return None
    if values.dtype.kind == "f" and not (values == np.floor(values)).all():
        return None
    return np.ascontiguousarray(matrix.toarray() if scipy.sparse.issparse(matrix) else matrix, dtype=np.int32)


def _rows(data: Any, name: str) -> AnnotatedRows:
    import scipy.sparse

    if data.X is not None and np.dtype(data.X.dtype).kind not in "biuf":
        raise InputError(f"{name}: X holds complex numbers; store real values")
    dense = data.X.toarray() if scipy.sparse.issparse(data.X) else data.X
    try:
        values = None if dense is None else np.asarray(dense, dtype=np.float32)
        header = json.loads(data.uns[HEADER]) if isinstance(data.uns.get(HEADER), str) else {}
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: X or uns[{HEADER!r}] is not as expected ({error})") from None
    unit = data.uns.get("unit")
    return AnnotatedRows(
        data.obs,
        values,
        data.var_names.astype(str).tolist(),
        unit if isinstance(unit, str) else None,
        header if isinstance(header, dict) else {},
        data.var,
    )

"""AnnData (.h5ad, .zarr) and MuData (.h5mu) files: expression with its table, and image features beside it."""

import json
import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.hdf5_files import check_promises

ANNDATA_TYPES = (".h5ad", ".zarr", ".h5mu")
EXPRESSION_NAMES = ("expression", "rna", "gex", "mrna")
"""Names of a MuData's modality that holds the expression, the first that is there."""
IMAGE_NAMES = ("patches", "images", "image", "histology")
"""Names of the modality that holds image features: one row per region, or per sample."""
OWNER_COLUMNS = ("sample", "patient")
"""Columns of the image modality that name the sample of a region; without one the row names are the samples."""
HEADER = "gexbench"
_COMPRESSION_LIMIT = 1032


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedRows:
    """An AnnData object as read: obs (n rows, by name), values (n, genes) float32 or None, names, what `uns` states.

    unit: `uns["unit"]`; header: what gexbench wrote of a cohort, else empty.
    """

    obs: pd.DataFrame
    values: NDArray[np.float32] | None
    genes: list[str]
    unit: str | None = None
    header: Mapping[str, Any] = field(default_factory=dict)


def columns_kept_apart() -> AbstractContextManager[Any]:
    """A context in which mudata does not copy the modalities' columns into the whole, which is what 0.4 never does."""
    import mudata

    before_04: Any = getattr(mudata, "set_options", None)
    kept_apart: AbstractContextManager[Any] = before_04(pull_on_update=False) if before_04 else nullcontext()
    return kept_apart


def read_annotated(path: Path) -> AnnotatedRows:
    """The rows of an .h5ad or .zarr file, or of the expression of an .h5mu; sparse values become dense.

    Raises:
        InputError: an unreadable file, a dataset that promises more than the file holds, no expression modality.
    """
    data = _opened(path, EXPRESSION_NAMES, "expression")
    return _rows(data, path.name)


def read_image_rows(path: Path) -> AnnotatedRows:
    """The image features of an .h5mu file.

    Raises:
        InputError: as `read_annotated`.
    """
    return _rows(_opened(path, IMAGE_NAMES, "image features"), path.name)


def has_image_rows(path: Path) -> bool:
    """Whether an .h5mu file holds image features."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
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
    import h5py

    with h5py.File(path, "r") as file:
        check_promises(file, path.name)
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


def _rows(data: Any, name: str) -> AnnotatedRows:
    import scipy.sparse

    if data.X is not None and np.dtype(data.X.dtype).kind == "c":
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
    )

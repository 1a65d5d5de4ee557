"""A cohort on disk: `cohort.h5ad` and one npz archive per ragged modality, written whole or not at all."""

import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.closed import refuse
from gexbench.tasks.cohorts.cohort import TEXT_VARIANTS, Cohort, Ragged
from gexbench.tasks.cohorts.units import Unit
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.anndata_files import COUNTS, HEADER
from gexbench.tasks.files.atomic import FULL, sync
from gexbench.tasks.files.hdf5_files import opened_hdf5
from gexbench.tasks.files.input_paths import is_writable
from gexbench.tasks.files.npz_files import map_npz, read_npz, write_npz

SCHEMA = 1
TABLE = "cohort.h5ad"
MODALITIES = ("patches", *(f"text-{variant}" for variant in TEXT_VARIANTS))


def place_problems(name: str, folder: Path, *, replace: bool) -> list[str]:
    """Reasons why a cohort cannot be saved in a folder, found before its files are read."""
    problems = []
    if folder.exists() and not replace:
        problems.append(
            f"cohort {name!r} already exists ({folder}); use --force (replace=True in Python) to replace it, or choose "
            "another name"
        )
    if not is_writable(folder.parent):
        problems.append(f"{folder.parent}: is not writable; set GEXBENCH_DATA to a writable folder")
    return problems


def save_cohort(cohort: Cohort, folder: Path, *, replace: bool = False) -> str:
    """Write a cohort and return its fingerprint.

    Everything is first written into a temporary sibling folder, which is then renamed: an interrupted or failed
    save leaves what was there.

    Raises:
        InputError: the folder exists and `replace` is False; a place that cannot be written.
    """
    if folder.exists() and not replace:
        raise InputError(f"cohort {cohort.name}: {folder} already exists; use --force to replace it")
    with _said_when_locked(folder.parent, "cannot be made"):
        folder.parent.mkdir(parents=True, exist_ok=True)
    fingerprint = cohort.fingerprint()
    with _said_when_locked(folder.parent, "cannot be written"):
        beside = tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent)
    with beside as temporary:
        written, former = Path(temporary) / "new", Path(temporary) / "former"
        written.mkdir()
        for name, ragged in modalities(cohort).items():
            write_npz(written / f"{name}.npz", {"values": ragged.values, "offsets": ragged.offsets})
        _write_table(cohort, fingerprint, written / TABLE)
        for path in [*written.iterdir(), written]:
            sync(path)
        if folder.exists():
            with _said_when_locked(folder, "cannot be replaced"):
                folder.rename(former)
        written.rename(folder)
        sync(folder.parent)
        shutil.rmtree(former, ignore_errors=True)
    return fingerprint


@contextmanager
def _said_when_locked(place: Path, what: str) -> Iterator[None]:
    """Turn an operating-system error into one that says what to do; a full disk is handled elsewhere."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise
        raise InputError(f"{place}: {what} ({error.strerror}); set GEXBENCH_DATA to a writable folder") from None


def read_cohort(folder: Path, *, verify: bool = True, conditions: bool = True) -> Cohort:
    """The cohort of a folder.

    Sizes are always compared with the header; no pickle is ever read. Patches are mapped, not read: only what is asked
    for takes memory (see `device_fold.all_conditions`).

    Args:
        folder: written by `save_cohort`.
        verify: also compare the fingerprint (about 0.1 s per 100 MB).
        conditions: also read text and patches; a cohort without them cannot be verified.

    Raises:
        InputError: no cohort there, another schema, a folder that is not what was saved, or a cohort that is closed
            here (`closed`).
    """
    if not (folder / TABLE).is_file():
        raise InputError(f"{folder} holds no cohort ({TABLE} is missing)")
    expression, counts, clinical, genes, groups, header = _read_table(folder / TABLE)
    if header.get("schema") != SCHEMA:
        raise InputError(
            f"{folder.name}: schema {header.get('schema')!r}, but this version reads {SCHEMA}; build it again"
        )
    kept = header["modalities"].items() if conditions else ()
    ragged = {name: read_ragged(folder, name, size) for name, size in kept}
    cohort = Cohort(
        name=header["name"],
        unit=Unit(header["unit"]),
        expression=expression,
        genes=genes,
        samples=clinical.index.to_numpy(dtype=str),
        groups=groups,
        clinical=clinical,
        label_columns=tuple(header["label_columns"]),
        patches=ragged.get("patches"),
        text={variant: ragged[f"text-{variant}"] for variant in TEXT_VARIANTS if f"text-{variant}" in ragged},
        site_column=header["site_column"],
        provenance=header["provenance"],
        counts=counts,
    )
    if verify and conditions and cohort.fingerprint() != header["fingerprint"]:
        raise _damaged(folder, "its fingerprint differs from the one it was saved with")
    return cohort


def modalities(cohort: Cohort) -> dict[str, Ragged]:
    """Name → text and patches of a cohort, one archive each."""
    given = {"patches": cohort.patches, **{f"text-{variant}": ragged for variant, ragged in cohort.text.items()}}
    return {name: ragged for name, ragged in given.items() if ragged is not None}


def size_of(ragged: Ragged) -> list[Any]:
    """Rows, width and type of a modality's values."""
    return [*ragged.values.shape, ragged.values.dtype.name]


def _write_table(cohort: Cohort, fingerprint: str, path: Path) -> None:
    import anndata

    header = {
        "schema": SCHEMA,
        "name": cohort.name,
        "unit": cohort.unit.name,
        "label_columns": list(cohort.label_columns),
        "site_column": cohort.site_column,
        "provenance": dict(cohort.provenance),
        "fingerprint": fingerprint,
        "modalities": {name: size_of(ragged) for name, ragged in modalities(cohort).items()},
    }
    data = anndata.AnnData(
        X=cohort.expression,
        obs=storable(cohort.clinical).set_axis(pd.Index(cohort.samples.astype(object)), axis=0),
        layers={} if cohort.counts is None else {COUNTS: cohort.counts},
        var=pd.DataFrame(index=pd.Index(cohort.genes, name="gene", dtype=object)),
        uns={
            "unit": cohort.unit.name,
            "groups": cohort.groups.astype(object),
            HEADER: json.dumps(header, sort_keys=True, allow_nan=False),
        },
    )
    data.write_h5ad(path)


def storable(clinical: pd.DataFrame) -> pd.DataFrame:
    """Text columns as categories, which hold missing values; HDF5 strings do not."""

    def stored(column: pd.Series) -> pd.Series:
        if column.dtype != object:
            return column
        text = column.map(str, na_action="ignore").astype(object)
        categories = pd.Index(sorted(text.dropna().unique()), dtype=object)
        return text.astype(pd.CategoricalDtype(categories))

    return pd.DataFrame({column: stored(clinical[column]) for column in clinical}, index=clinical.index)


def _read_table(
    path: Path,
) -> tuple[
    NDArray[np.float32], NDArray[np.int32] | None, pd.DataFrame, tuple[str, ...], NDArray[np.str_], dict[str, Any]
]:
    import anndata

    with _said_when_damaged(path), opened_hdf5(path) as file:
        header = json.loads(file["uns"][HEADER].asstr()[()])
    refuse(header.get("name"), header.get("fingerprint"))
    with _said_when_damaged(path), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = anndata.read_h5ad(path)
        groups = np.asarray(data.uns["groups"], dtype=str)
    obs = data.obs.set_axis(pd.Index(data.obs_names.astype(str), name="sample"), axis=0)
    clinical = obs.apply(lambda column: column.astype(object) if column.dtype == "category" else column, axis=0)
    expression = np.ascontiguousarray(data.X, dtype=np.float32)
    counts = np.ascontiguousarray(data.layers[COUNTS], dtype=np.int32) if COUNTS in data.layers else None
    return expression, counts, clinical, tuple(data.var_names.astype(str)), groups, header


@contextmanager
def _said_when_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # anndata raises many kinds for a damaged file
        raise _damaged(path.parent, f"{path.name}: {' '.join(str(error).split())[:200]}") from None


def read_ragged(folder: Path, name: str, size: list[Any]) -> Ragged:
    """A modality from a folder, patches mapped.

    Args:
        size: rows, width and type of the values, as `size_of` gives them.

    Raises:
        InputError: an archive that is missing, damaged or of another size.
    """
    if name not in MODALITIES:
        raise _damaged(folder, f"unknown modality {name!r}")
    path = folder / f"{name}.npz"
    try:
        values = map_npz(path, "values") if name == "patches" else None
        arrays = read_npz(path, ("offsets",) if values is not None else ("values", "offsets"))
        ragged = Ragged(arrays["values"] if values is None else values, arrays["offsets"])
    except (InputError, ValueError) as error:
        raise _damaged(folder, str(error)) from None
    if size_of(ragged) != size:
        raise _damaged(folder, f"{name}.npz holds {ragged.values.shape} {ragged.values.dtype}, expected {size}")
    return ragged


def _damaged(folder: Path, problem: str) -> InputError:
    return InputError(f"cohort folder {folder.name}: {problem}; build the cohort again with --force")

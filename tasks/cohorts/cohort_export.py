"""A cohort as one file for other tools: AnnData (.h5ad, .zarr), or MuData (.h5mu) with its image features."""

import json
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.cohort_folder import storable
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.anndata_files import (
    ANNDATA_TYPES,
    COUNTS,
    EXPRESSION_NAMES,
    HEADER,
    IMAGE_NAMES,
    OWNER_COLUMNS,
    columns_kept_apart,
)
from gexbench.tasks.files.atomic import FULL, sync
from gexbench.tasks.files.gene_columns import FOLD_COLUMNS

PATIENT = "gexbench_patient"
"""Column of `obs` that names the patient of each sample."""


def check_export(path: Path, *, force: bool = False) -> None:
    """Check the name of a file before anything is read.

    Raises:
        InputError: another suffix, a folder that is not there, a file that is, mudata missing.
    """
    problems = []
    if path.suffix not in ANNDATA_TYPES:
        problems.append(f"--out {path.name}: cohorts are written as {', '.join(ANNDATA_TYPES)}")
    if not path.parent.is_dir():
        problems.append(f"--out {path}: folder {path.parent} does not exist; create it first")
    if path.is_dir() and path.suffix != ".zarr":
        problems.append(f"--out {path.name}: is a folder; choose another name")
    elif path.exists() and not force:
        problems.append(f"--out {path.name}: already exists; use --force to replace it")
    if path.suffix == ".h5mu":
        try:
            import mudata  # noqa: F401
        except ImportError:
            problems.append(f"--out {path.name}: .h5mu files are written with mudata; install gexbench[mudata]")
    if problems:
        raise InputError(problems)


def export_cohort(cohort: Cohort, fingerprint: str, path: Path, *, force: bool = False) -> None:
    """Write expression, counts, clinical columns, labels, unit and provenance; with .h5mu the image features too.

    `gexbench cohort build` reads the file back, and takes labels, sites, patients and unit from it. Text is not in it:
    it is encoded anew from the clinical columns. Written whole or not at all.

    Raises:
        InputError: as `check_export`.
    """
    check_export(path, force=force)
    try:
        beside = tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        if error.errno in FULL:
            raise
        raise InputError(
            f"--out {path}: {path.parent} cannot be written ({error.strerror}); choose another folder"
        ) from None
    with beside as temporary:
        target, former = Path(temporary) / path.name, Path(temporary) / "former"
        _write(cohort, fingerprint, target)
        if path.exists():
            path.rename(former)
        target.rename(path)
        sync(path.parent)
        shutil.rmtree(former, ignore_errors=True)


def _write(cohort: Cohort, fingerprint: str, target: Path) -> None:
    expression = _expression(cohort, fingerprint)
    if target.suffix == ".h5ad":
        expression.write_h5ad(target)
    elif target.suffix == ".zarr":
        with warnings.catch_warnings():
            # Version 2 is what every reader of AnnData knows; a user can do nothing about its coming default.
            warnings.filterwarnings("ignore", "Writing zarr v2 data will no longer be the default", UserWarning)
            expression.write_zarr(target)
    else:
        import mudata

        modalities = {EXPRESSION_NAMES[0]: expression}
        if cohort.patches is not None:
            modalities[IMAGE_NAMES[0]] = _images(cohort)
        with columns_kept_apart():
            mudata.MuData(modalities).write_h5mu(target)


def _expression(cohort: Cohort, fingerprint: str) -> Any:
    import anndata

    header = {
        "kind": "cohort",
        "name": cohort.name,
        "fingerprint": fingerprint,
        "label_columns": list(cohort.label_columns),
        "site_column": cohort.site_column,
        "group": PATIENT,
        "provenance": dict(cohort.provenance),
    }
    obs = storable(cohort.clinical.drop(columns=[*FOLD_COLUMNS], errors="ignore"))
    obs = obs.assign(**{PATIENT: cohort.groups.astype(object)})
    return anndata.AnnData(
        X=cohort.expression,
        obs=obs.set_axis(pd.Index(cohort.samples.astype(object)), axis=0),
        var=pd.DataFrame(index=pd.Index(cohort.genes, name="gene", dtype=object)),
        layers={} if cohort.counts is None else {COUNTS: cohort.counts},
        uns={"unit": cohort.unit.name, HEADER: json.dumps(header, sort_keys=True, allow_nan=False)},
    )


def _images(cohort: Cohort) -> Any:
    """Image features, one row per region, named SAMPLE/NUMBER in the order of the draw."""
    import anndata

    patches = cohort.patches
    if patches is None:
        raise ValueError("the cohort holds no patches")
    owners = np.repeat(cohort.samples.astype(object), patches.counts)
    places = np.arange(len(owners)) - np.repeat(patches.offsets[:-1], patches.counts)
    names = [f"{owner}/{place}" for owner, place in zip(owners, places, strict=True)]
    obs = pd.DataFrame({OWNER_COLUMNS[0]: owners}, index=pd.Index(names, dtype=object))
    var = pd.DataFrame(index=pd.Index([f"feature{number}" for number in range(patches.width)], dtype=object))
    return anndata.AnnData(X=np.asarray(patches.values, dtype=np.float32), obs=obs, var=var)

"""Synthetic cohorts as files: .h5ad, .parquet and .csv, each with its provenance, written atomically."""

import json
import warnings
from pathlib import Path

import pandas as pd

from gexbench.benchmark.reproducing.release import Synthetic
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import replacement, write_text

PROVENANCE = "gexbench"
"""Key of `uns` (.h5ad) and of the schema's metadata (.parquet) with the provenance as JSON text."""


def write_synthetic(synthetic: Synthetic, path: Path) -> tuple[Path, ...]:
    """Write a synthetic cohort and return its files.

    .h5ad: X, obs (sample, draw, labels), var, `uns["gexbench"]`, `uns["unit"]`. .parquet and .csv: one row per
    profile (index: its name), genes, and the label columns behind them; a .csv has its provenance in a
    JSON file beside it.
    """
    names = synthetic.patients["sample"].astype(str) + "-synthetic-" + synthetic.patients["draw"].astype(str)
    provenance = json.dumps(synthetic.provenance, sort_keys=True, allow_nan=False)
    if path.suffix == ".h5ad":
        with replacement(path) as target:
            _write_h5ad(synthetic, names, provenance, target)
        return (path,)
    frame = pd.DataFrame(synthetic.expression, index=pd.Index(names, name="sample"), columns=list(synthetic.genes))
    labels = synthetic.patients.drop(columns=["sample", "draw"]).set_axis(frame.index, axis=0)
    frame = frame.join(labels)
    if path.suffix == ".parquet":
        with replacement(path) as target:
            _write_parquet(frame, provenance, target)
        return (path,)
    beside = path.with_name(f"{path.name}.provenance.json")
    with replacement(path) as target:
        frame.to_csv(target)
    write_text(beside, provenance + "\n")
    return path, beside


def check_target(path: Path) -> None:
    """Refuse a file that cannot be written.

    Raises:
        InputError: an unknown suffix, a missing folder, an existing file.
    """
    if path.suffix not in (".h5ad", ".parquet", ".csv"):
        raise InputError(f"--out {path.name}: synthetic cohorts are written as .h5ad, .parquet or .csv")
    if not path.absolute().parent.is_dir():
        raise InputError(f"--out {path}: folder {path.parent} does not exist; create it first")
    if path.exists():
        raise InputError(f"--out {path}: already exists; choose another name, or remove it first")


def _write_h5ad(synthetic: Synthetic, names: pd.Series, provenance: str, target: Path) -> None:
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        anndata.AnnData(
            X=synthetic.expression,
            obs=synthetic.patients.set_axis(pd.Index(names.to_numpy(dtype=str)), axis=0),
            var=pd.DataFrame(index=list(synthetic.genes)),
            uns={PROVENANCE: provenance, "unit": synthetic.provenance["unit"], "synthetic": True},
        ).write_h5ad(target)


def _write_parquet(frame: pd.DataFrame, provenance: str, target: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame)
    metadata = {**(table.schema.metadata or {}), PROVENANCE.encode(): provenance.encode()}
    pq.write_table(table.replace_schema_metadata(metadata), target)

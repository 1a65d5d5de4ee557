"""Reading tables: three formats give the same, and every kind of bad file is one clear error."""

from collections.abc import Callable
from pathlib import Path

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from gexbench.tasks.errors import InputError
from gexbench.tasks.reading import read_clinical, read_expression

SAMPLES = ["P1", "P2", "P3"]
GENES = ["TP53", "KRAS", "CD3E"]
VALUES = np.asarray([[0, 1.5, 2.25], [3.125, 0, 0.1], [7, 8, 9]], dtype=np.float32)


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(VALUES, index=pd.Index(SAMPLES, name="patient"), columns=GENES)


def written(frame: pd.DataFrame, path: Path) -> Path:
    if path.suffix == ".csv":
        frame.to_csv(path)
    elif path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        sparse = scipy.sparse.csr_matrix(frame[GENES].to_numpy())
        data = anndata.AnnData(sparse, obs=frame.drop(columns=GENES), var=pd.DataFrame(index=GENES))
        data.uns["unit"] = "log2(tpm+1)"
        data.write_h5ad(path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".h5ad"])
def test_formats_agree(tmp_path: Path, table: pd.DataFrame, suffix: str) -> None:
    path = written(table.assign(project=["A", "B", "A"]), tmp_path / f"expression{suffix}")
    found = read_expression(path, {"project", "age"})
    assert found.genes == tuple(GENES)
    assert found.samples.tolist() == SAMPLES
    np.testing.assert_array_equal(found.values, VALUES)
    assert found.columns["project"].tolist() == ["A", "B", "A"]
    assert found.unit == ("log2(tpm+1)" if suffix == ".h5ad" else None)


def test_parquet_without_an_index_takes_its_first_column(tmp_path: Path, table: pd.DataFrame) -> None:
    path = tmp_path / "expression.parquet"
    table.reset_index().to_parquet(path, index=False)
    assert read_expression(path).samples.tolist() == SAMPLES
    table.reset_index(drop=True).to_parquet(path, index=False)
    with pytest.raises(InputError, match="no sample ids"):
        read_expression(path)


def test_h5ad_obs_is_a_clinical_table(tmp_path: Path, table: pd.DataFrame) -> None:
    path = written(table.assign(stage=["I", None, "II"], fold_random=1), tmp_path / "clinical.h5ad")
    clinical = read_clinical(path)
    assert clinical.index.tolist() == SAMPLES
    assert list(clinical.columns) == ["stage"]


def _csv(text: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "expression.csv"
        path.write_text(text)
        return path

    return write


def _truncated(suffix: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        frame = pd.DataFrame(VALUES, index=SAMPLES, columns=GENES)
        path = written(frame, folder / f"expression{suffix}")
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
        return path

    return write


def _empty(folder: Path) -> Path:
    (folder / "expression.parquet").touch()
    return folder / "expression.parquet"


def _promising_h5ad(folder: Path) -> Path:
    """X of 10¹² values of which none is in the file."""
    path = written(pd.DataFrame(VALUES, index=SAMPLES, columns=GENES), folder / "expression.h5ad")
    with h5py.File(path, "r+") as file:
        del file["X"]
        file.create_dataset("X", shape=(10**6, 10**6), dtype="f4", chunks=(100, 100))
        file["X"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
    return path


def _duplicated_parquet(folder: Path) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "expression.parquet"
    pq.write_table(pa.table([["P1"], [1.0], [2.0]], names=["id", "TP53", "TP53"]), path)
    return path


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: folder / "absent.csv", r"absent.csv: no such file"),
        (
            lambda folder: folder / "expression.xlsx",
            r"expression.xlsx: tables come as .parquet, .csv, .h5ad, .zarr, .h5mu, not as .xlsx",
        ),
        (_empty, "the file is empty"),
        (_csv("id,TP53,KRAS,TP53\nP1,1,2,3\n"), r"1 column names appear more than once \(TP53\)"),
        (_duplicated_parquet, r"1 column names appear more than once \(TP53\)"),
        (_csv("id,TP53,KRAS\nP1,1,abc\nP2,2,3\n"), r"1 columns hold values that are no numbers \(KRAS; in KRAS: abc\)"),
        (_csv("id,TP53,KRAS\nP1,1,2\n,3,4\n"), "1 rows have no id"),
        (_csv("id,TP53,KRAS\n"), "the table has no rows"),
        (_csv("id,TP53\nP1,1,2\n"), "more fields than the header"),
        (_csv("id,TP53\nP1,1\nP2,1,2\n"), "Expected 2 fields in line 3, saw 3"),
        (_csv("id;TP53\nP1;1\n"), "separate fields by commas"),
        (_csv("id,TP53,\nP1,1,2\n"), "1 columns have no name"),
        (_csv("id,TP53,fold_random\nP1,1,2\n"), "reserved for the folds"),
        (_csv("id,project\nP1,A\n"), "no gene columns"),
        (_truncated(".parquet"), "not a readable parquet file"),
        (_truncated(".h5ad"), "not a readable .h5ad file"),
        (_promising_h5ad, r"dataset 'X' promises 4000000000000 bytes"),
    ],
)
def test_bad_files(tmp_path: Path, write: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read_expression(write(tmp_path), {"project"})
    assert len(raised.value.problems) == 1


def test_a_shorter_row_leaves_missing_values(tmp_path: Path) -> None:
    """The header promises more than the row holds: the importer refuses the missing value."""
    found = read_expression(_csv("id,TP53,KRAS\nP1,1,2\nP2,3\n")(tmp_path))
    assert np.isnan(found.values).tolist() == [[False, False], [False, True]]


def test_csv_is_read_to_the_last_bit(tmp_path: Path, table: pd.DataFrame) -> None:
    values = np.random.default_rng(0).gamma(2.0, 3.0, size=(50, 3))
    frame = pd.DataFrame(values, index=[f"P{row}" for row in range(50)], columns=GENES)
    found = read_expression(written(frame, tmp_path / "expression.csv"))
    np.testing.assert_array_equal(found.values, values.astype(np.float32))

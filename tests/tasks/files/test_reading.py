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
from gexbench.tasks.files.reading import read_clinical, read_expression

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


def _bytes(content: bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        path = folder / "expression.csv"
        path.write_bytes(content)
        return path

    return write


def _parquet(index: list[str] | None = None, **columns: object) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        frame = pd.DataFrame(VALUES, index=SAMPLES, columns=GENES).assign(**columns)
        if index:
            frame = frame.set_axis(pd.MultiIndex.from_product([SAMPLES, ["x"]], names=index), axis=0)
        return written(frame, folder / "expression.parquet")

    return write


def _complex_h5ad(folder: Path) -> Path:
    path = folder / "expression.h5ad"
    anndata.AnnData(VALUES.astype(np.complex64), obs=pd.DataFrame(index=SAMPLES)).write_h5ad(path)
    return path


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


def _excel(folder: Path) -> Path:
    (folder / "expression.xlsx").write_bytes(b"PK")
    return folder / "expression.xlsx"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: folder / "absent.xlsx", r"absent.xlsx: no such file"),
        (lambda folder: folder / "absent.csv", r"absent.csv: no such file"),
        (
            _excel,
            r"expression.xlsx: use a table of type .parquet, .csv, .* not .xlsx; a recipe for Excel files",
        ),
        (_empty, "the file is empty"),
        (_csv("id,TP53,KRAS,TP53\nP1,1,2,3\n"), r"1 column names appear more than once \(TP53\)"),
        (_duplicated_parquet, r"1 column names appear more than once \(TP53\)"),
        (
            _csv("id,TP53,KRAS\nP1,1,abc\nP2,2,3\n"),
            r"1 columns hold values that are not numbers \(KRAS; in KRAS: abc\)",
        ),
        (_csv("id,TP53,KRAS\nP1,1,2\n,3,4\n"), "1 rows have no id"),
        (_csv("id,TP53,KRAS\n"), "the table has no rows"),
        (_csv("id,TP53\nP1,1,2\n"), "more fields than the header"),
        (_csv("id,TP53\nP1,1\nP2,1,2\n"), r"1 rows have more fields than the header, which has 2 \(line 3, P2: 3\)"),
        (_csv("TP53\n1\n"), "the header has 1 fields"),
        (_csv("id,TP53,\nP1,1,2\n"), "1 columns have no name"),
        (_csv("id,TP53,fold_random\nP1,1,2\n"), "reserved for the folds"),
        (_csv("id,project\nP1,A\n"), "no gene columns"),
        (_csv("id,TP53\nP1,1\nP2,1\0002\n"), "line 3 holds a zero byte"),
        (_bytes("id,TP53\nP1,1\n".encode("utf-16")), "holds a zero byte, so it is damaged or no text in UTF-8"),
        (_csv("id,caf\u00e9,cafe\u0301\nP1,1,2\n"), "1 column names appear more than once"),
        (_csv("id,TP53, TP53\nP1,1,2\n"), r"1 column names appear more than once \(TP53\)"),
        (_csv("id,TP53,mutated\nP1,1,True\n"), r"not numbers \(mutated; in mutated: True\)"),
        (_parquet(when=pd.Timedelta("1s")), r"not numbers \(when; in when: 0 days 00:00:01"),
        (_parquet(index=["a", "b"]), r"expression.parquet: 2 index columns \(a, b\); keep the one with the sample ids"),
        (_complex_h5ad, "X holds complex numbers"),
        (_truncated(".parquet"), "not a readable parquet file"),
        (_truncated(".h5ad"), "not a readable .h5ad file"),
        (_promising_h5ad, r"dataset 'X' should hold 4000000000000 bytes"),
    ],
)
def test_bad_files(tmp_path: Path, write: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read_expression(write(tmp_path), {"project"})
    assert len(raised.value.problems) == 1


@pytest.mark.parametrize("read", [read_expression, read_clinical])
def test_rows_that_are_cut_short_are_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    """An empty field is a missing value; a field that is not there is a damaged row, whatever the line ends."""
    read(_csv("id,TP53,KRAS\r\nP1,1,2\r\n\r\nP2,3,\r\n")(tmp_path))
    with pytest.raises(InputError) as raised:
        read(_csv("id,TP53,KRAS\r\nP1,1,2\r\n\r\nP2,3\nP3,4,5\rP4\n")(tmp_path))
    assert str(raised.value) == (
        "expression.csv: 2 rows have fewer fields than the header, which has 3 (line 4, P2: 2, line 6, P4: 1); the "
        "file may be truncated: export it again, with an empty field for every missing value"
    )


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "table.h5ad", "table"])
def test_folders_dead_links_and_locked_files_are_said(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.mkdir()
    with pytest.raises(InputError, match=f"{name}: is a folder; give a file"):
        read_clinical(path)
    if not path.suffix:
        return
    path.rmdir()
    path.symlink_to(tmp_path / "absent")
    with pytest.raises(InputError, match=f"{name}: is a link to .*absent, which is not there"):
        read_clinical(path)
    path.unlink()
    path.write_text("id,A\n")

    def locked(*names: object, **more: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(InputError, match=f"{name}: cannot be read \\(Permission denied\\)"):
        read_clinical(path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".h5ad"])
def test_repeated_genes_are_refused_in_every_format(tmp_path: Path, suffix: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / f"expression{suffix}"
    if suffix == ".csv":
        path.write_text("id,TP53,KRAS,TP53\nP1,1,2,3\n")
    elif suffix == ".parquet":
        pq.write_table(pa.table([["P1"], [1.0], [2.0], [3.0]], names=["id", "TP53", "KRAS", "TP53"]), path)
    else:
        genes = pd.DataFrame(index=["TP53", "KRAS", "TP53"])
        anndata.AnnData(VALUES[:1], obs=pd.DataFrame(index=["P1"]), var=genes).write_h5ad(path)
    with pytest.raises(InputError, match=r"1 column names appear more than once \(TP53\)"):
        read_expression(path)


def test_csv_is_read_to_the_last_bit(tmp_path: Path, table: pd.DataFrame) -> None:
    values = np.random.default_rng(0).gamma(2.0, 3.0, size=(50, 3))
    frame = pd.DataFrame(values, index=[f"P{row}" for row in range(50)], columns=GENES)
    found = read_expression(written(frame, tmp_path / "expression.csv"))
    np.testing.assert_array_equal(found.values, values.astype(np.float32))


def test_checksums_of_parquet_pages_are_verified(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "expression.parquet"
    table = pa.table({"id": [f"P{row}" for row in range(500)], "TP53": np.random.default_rng(0).normal(size=500)})
    pq.write_table(table, path, write_page_checksum=True, use_dictionary=False, compression="none")
    assert len(read_expression(path).samples) == 500
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="not a readable parquet file"):
        read_expression(path)

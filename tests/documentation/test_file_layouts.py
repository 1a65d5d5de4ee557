"""The page "Which files can I bring?": its table is the one that is run here, and its recipes run."""

import gzip
import re
import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from gexbench.benchmark import cli
from gexbench.tasks.data_directory import load_cohort
from gexbench.tasks.files.reading import CONVERTIBLE, read_expression

sys.path.insert(0, str(Path(__file__).parent))
from file_layouts import LAYOUTS, Layout, with_table

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT.parent / "shared" / "layouts"
PAGE = ROOT / "docs" / "cohorts" / "files.md"

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="needs the source tree")


def gexbench(*words: str) -> int:
    """Exit code of the command line."""
    before, sys.argv = sys.argv, ["gexbench", *words]
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


def test_the_page_holds_the_table_that_is_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run python tests/documentation/file_layouts.py docs/cohorts/files.md"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs ../shared/layouts")
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.folder}: {layout.brings}")
def test_every_row_happens(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    # The examples' 40 patients with two samples each make classes of 20.
    monkeypatch.setattr("gexbench.tasks.importing.label_problems.MINIMUM_CLASS_SIZE", 20)
    monkeypatch.chdir(EXAMPLES / layout.folder)
    code = gexbench("cohort", "build", "mine", *shlex.split(layout.command))
    output = capsys.readouterr()
    told = output.out + output.err
    assert code == (0 if layout.built else 2), told
    assert "Traceback" not in told
    for part in layout.said:
        assert part in told
    if layout.built:
        assert len(load_cohort("mine")) == layout.samples


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason="needs ../shared/layouts")
def test_no_example_is_left_out() -> None:
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir()} == {layout.folder for layout in LAYOUTS}


def recipe(kind: str) -> str:
    """The code under a heading of the page."""
    found = re.search(rf"### {re.escape(kind)}\n.*?```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found, kind
    assert len(found[1].strip().splitlines()) <= 7
    return found[1]


@pytest.fixture
def values() -> pd.DataFrame:
    drawn = np.random.default_rng(0).poisson(20, (6, 4))
    return pd.DataFrame(drawn, index=[f"S{row}" for row in range(6)], columns=["TP53", "KRAS", "CD3E", "EGFR"])


def run(kind: str, folder: Path) -> np.ndarray:
    """Run a recipe in a folder and read what it writes."""
    subprocess.run([sys.executable, "-c", recipe(kind)], cwd=folder, check=True)
    found = read_expression(folder / "expression.parquet")
    assert found.samples.tolist() == [f"S{row}" for row in range(6)]
    assert found.genes == ("TP53", "KRAS", "CD3E", "EGFR")
    return found.values


def test_the_recipe_for_loom(tmp_path: Path, values: pd.DataFrame) -> None:
    with h5py.File(tmp_path / "file.loom", "w") as file:
        file["matrix"] = values.T.to_numpy()
        file["row_attrs/Gene"] = values.columns.to_numpy(dtype="S")
        file["col_attrs/CellID"] = values.index.to_numpy(dtype="S")
    np.testing.assert_array_equal(run("loom", tmp_path), values)


def test_the_recipe_for_archs4(tmp_path: Path, values: pd.DataFrame) -> None:
    with h5py.File(tmp_path / "human_gene_v2.latest.h5", "w") as file:
        file["data/expression"] = values.T.to_numpy()
        file["meta/genes/symbol"] = values.columns.to_numpy(dtype="S")
        file["meta/samples/geo_accession"] = values.index.to_numpy(dtype="S")
        file["meta/samples/series_id"] = np.asarray(["GSE1"] * 6, dtype="S")
    np.testing.assert_array_equal(run("ARCHS4", tmp_path), values)


def test_the_recipe_for_recount3(tmp_path: Path, values: pd.DataFrame) -> None:
    text = "##annotation=G026\n" + values.T.rename_axis("gene_id").to_csv(sep="\t")
    (tmp_path / "sra.gene_sums.SRP000001.G026.gz").write_bytes(gzip.compress(text.encode()))
    np.testing.assert_array_equal(run("recount3", tmp_path), values)


def test_the_recipe_for_excel(tmp_path: Path, values: pd.DataFrame) -> None:
    pytest.importorskip("openpyxl")
    values.to_excel(tmp_path / "file.xlsx")
    np.testing.assert_array_equal(run("xlsx", tmp_path), values)


def test_the_recipe_for_r(tmp_path: Path, values: pd.DataFrame) -> None:
    pyreadr = pytest.importorskip("pyreadr")
    pyreadr.write_rds(tmp_path / "file.rds", values.reset_index(names="sample"))
    np.testing.assert_array_equal(run("rds", tmp_path), values)


def test_every_kind_that_has_to_be_converted_has_a_recipe() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for kind in ("loom", "rds", "xlsx", "h5"):
        assert f".{kind}" in CONVERTIBLE
    for heading in ("loom", "rds", "xlsx", "ARCHS4", "recount3"):
        assert f"### {heading}\n" in page

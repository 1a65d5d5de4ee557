"""Figures of kept rows: the rows of the record's own cell beside the real rows of the same patients."""

import numpy as np
import pytest
from typer.testing import CliRunner

from gexbench.benchmark.cells.kept_rows import matched_rows, record_with_rows
from gexbench.benchmark.cli import app
from gexbench.benchmark.storage.store import Store
from gexbench.leaderboards.records import read_records
from gexbench.tasks.errors import InputError
from gexbench.tasks.simulated.cohort import simulated_cohort


@pytest.fixture
def made(workbench):
    runner = workbench.runner({"one": {}})
    runner.run(2, workbench.display())
    return runner


def test_kept_rows_are_drawn_beside_the_real_rows_of_the_same_patients(made, workbench, tmp_path):
    cohort, store = workbench.cohort, Store(made.results / "store")
    records = read_records(made.folder / "records")
    record = record_with_rows(records, "real-holdout", 0)
    found = matched_rows(record, store, cohort)
    kept, _ = store.read_rows(record.keys.rows)
    assert found.real.shape == found.synthetic.shape == kept["test"].shape
    np.testing.assert_array_equal(found.synthetic, kept["test"])
    at = {str(name): number for number, name in enumerate(cohort.samples)}
    for row in (0, len(found.real) - 1):
        patient = at[str(kept["test_ids"][row])]
        np.testing.assert_array_equal(found.real[row], cohort.expression[patient])
        assert found.labels[row] == cohort.clinical[cohort.label_columns[0]].iloc[patient]

    with pytest.raises(InputError, match="rows: class-gaussian"):
        record_with_rows(records, "two", 0)
    with pytest.raises(InputError, match=r"--fold 3: one .* \(folds: 0\)"):
        record_with_rows(records, "one", 3)
    with pytest.raises(InputError, match="not the cohort of the records"):
        matched_rows(record, store, simulated_cohort(patients=200, genes=40, seed=2, name="other"))
    with pytest.raises(InputError, match="holds no kept rows of real-holdout, fold 0"):
        matched_rows(record, Store(tmp_path / "elsewhere"), cohort)

    out = tmp_path / "figures"
    command = ["figures", "test", "--results", str(made.results), "--only", "overall", "--rows", "one,class-mean"]
    done = CliRunner().invoke(app, [*command, "--out", str(out), "--formats", "png"])
    assert done.exit_code == 0, done.output
    names = {f"{kind}-{row}-fold-0" for kind in ("pca", "correlations") for row in ("one", "class-mean")} | {"overall"}
    assert {path.stem for path in out.glob("*.png")} == {path.stem for path in out.glob("*.txt")} == names
    assert "rows of one for the same patients" in (out / "pca-one-fold-0.txt").read_text()
    assert (out / "pca-one-fold-0.txt").read_text().rstrip().endswith("fold 0.")

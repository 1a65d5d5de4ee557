"""`gexbench sample`: synthetic cohorts from kept models."""

import json
import shutil
from dataclasses import dataclass

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from gexbench.benchmark.cells.development import Development
from gexbench.benchmark.cells.scorer import Scorer
from gexbench.benchmark.cells.trained_on import TrainedOn
from gexbench.benchmark.cells.trainer import Trainer
from gexbench.benchmark.machine.exits import clear_exits
from gexbench.benchmark.reproducing.release import synthetic_cohort
from gexbench.benchmark.running.runner import Runner
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.leaderboards.records import read_record
from gexbench.models import registry
from gexbench.tasks.cohorts.cohort_folder import save_cohort
from gexbench.tasks.data_directory import cohort_folder
from gexbench.tasks.simulated.cohort import simulated_cohort


@pytest.fixture
def board(workbench, monkeypatch):
    """A leaderboard whose cells were trained in this process, with kept models."""
    sweep = sweep_of(registry(), generators=("class-gaussian", "real-holdout"), cohort="small", folds=(0,))
    runner = Runner(
        plan(sweep, registry(), workbench.cohort, workbench.cohort.fingerprint()),
        workbench.cohort,
        workbench.results,
        "board",
        keep_models=True,
    )

    @dataclass
    class Here:
        development: Development

        def run(self, next_job, done, progress, stopping):
            trainer = Trainer(runner.plan, runner.results, self.development.folder, keep_models=True)
            scorer = Scorer(runner.plan, runner.results)
            while (job := next_job()) is not None:
                does = trainer if job.kind == "train" else scorer
                done(job, does.do(job, lambda *_: None))

    monkeypatch.setattr(runner, "_executor", lambda workers, jobs, display, development: Here(development))
    assert runner.run(1, workbench.display()).states == {"ok": 4}
    return runner


def sample(board, *arguments):
    from gexbench.benchmark.cli import app

    with clear_exits():
        app(["sample", *arguments, "--results", str(board.results)], standalone_mode=False)


def test_a_synthetic_cohort_as_h5ad_parquet_and_csv(board, workbench, tmp_path, capsys):
    for name in ("a.h5ad", "a.parquet", "a.csv"):
        sample(board, "board/class-gaussian.random-0.0", "--out", str(tmp_path / name), "--seed", "3")
    assert str(tmp_path / "a.csv") in capsys.readouterr().out.strip().splitlines()[-1]
    data = anndata.read_h5ad(tmp_path / "a.h5ad")
    assert data.shape == (240, 40)
    assert tuple(data.var_names) == workbench.cohort.genes
    assert data.obs["sample"].tolist() == workbench.cohort.samples.tolist()
    column = workbench.cohort.label_columns[0]
    assert data.obs[column].tolist() == workbench.cohort.labels(column).tolist()
    provenance = json.loads(data.uns["gexbench"])
    cell = next(cell for cell in board.plan.cells if cell.entry.name == "class-gaussian")
    assert provenance["keys"] == {"rows": cell.train_key, "record": cell.score_key}
    assert provenance["conditions_of"]["fingerprint"] == workbench.cohort.fingerprint()
    assert (provenance["seed"], provenance["synthetic"]) == (3, True)
    table = pq.read_table(tmp_path / "a.parquet")
    assert json.loads(table.schema.metadata[b"gexbench"]) == provenance
    assert json.loads((tmp_path / "a.csv.provenance.json").read_text()) == provenance
    frame, text = table.to_pandas(), pd.read_csv(tmp_path / "a.csv", index_col=0)
    np.testing.assert_array_equal(frame[list(data.var_names)].to_numpy(), data.X)
    np.testing.assert_allclose(text[list(data.var_names)].to_numpy(), data.X, rtol=1e-6)
    assert not (np.isin(np.round(data.X, 4), np.round(workbench.cohort.expression, 4)).all(axis=1)).any()


def test_scanpy_opens_a_synthetic_cohort_and_its_provenance_leads_back_to_the_record(board, workbench, tmp_path):
    scanpy = pytest.importorskip("scanpy", reason="opens the file as its users do; not a dependency of the tests")
    sample(board, "board/class-gaussian.random-0.0", "--out", str(tmp_path / "a.h5ad"))
    data = scanpy.read_h5ad(tmp_path / "a.h5ad")
    assert data.shape == (len(workbench.cohort), len(workbench.cohort.genes))
    assert {"sample", "draw", *workbench.cohort.label_columns} <= set(data.obs)
    scanpy.pp.pca(data, n_comps=5)
    assert data.obsm["X_pca"].shape == (len(data), 5)
    provenance = json.loads(data.uns["gexbench"])
    record = json.loads((board.folder / "records" / "class-gaussian.random-0.0.json").read_text())
    assert provenance["keys"] == record["keys"]
    assert provenance["generator"]["settings"] == record["generator"]["settings"]
    assert provenance["versions"]["torch"]
    assert provenance["made_by"]["version"]
    assert provenance["unit"] == workbench.cohort.unit.name
    trained = provenance["trained_on"]
    assert (trained["fingerprint"], trained["seed"]) == (workbench.cohort.fingerprint(), record["seeds"]["fit"])
    assert (trained["track"], trained["index"], trained["budget"]) == ("random", 0, record["budget"])


def test_a_part_of_the_fold_and_several_draws(board, workbench, tmp_path):
    sample(
        board, "board/class-gaussian.random-0.0", "--out", str(tmp_path / "t.h5ad"), "--part", "test", "--draws", "3"
    )
    data = anndata.read_h5ad(tmp_path / "t.h5ad")
    assert data.obs["sample"].tolist() == np.repeat(board.plan.folds[0].test, 3).tolist()
    assert data.obs["draw"].tolist() == [0, 1, 2] * len(board.plan.folds[0].test)
    assert len(np.unique(data.X, axis=0)) == len(data)
    assert data.obs_names.is_unique


def test_a_models_classes_are_found_by_name_in_another_cohort(board, workbench):
    """Class codes go by place: a cohort without the first class must not get its neighbour's rows."""
    column = workbench.cohort.label_columns[0]
    labels = workbench.cohort.labels(column)
    rows = np.flatnonzero(labels != np.unique(labels)[0])
    fewer = workbench.cohort.take(rows)
    path = board.folder / "records" / "class-gaussian.random-0.0.json"
    record = read_record(path)
    model = board.results / "store" / "models" / record.keys.rows
    made = synthetic_cohort(record, model, registry(), fewer, part="all", draws=20, seed=0)
    real, classes = workbench.cohort.expression, np.repeat(labels[rows], 20)
    for name in np.unique(classes):
        centre = {other: real[labels == other].mean(0) for other in np.unique(labels)}
        mean = made.expression[classes == name].mean(0)
        nearest = min(centre, key=lambda other: np.linalg.norm(centre[other] - mean))
        assert nearest == name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["board/real-holdout.random-0.0", "--out", "x.h5ad"], "pass --allow-real"),
        (["board/class-gaussian.random-0.0", "--out", "x.txt"], ".h5ad, .parquet or .csv"),
        (["board/class-gaussian.random-0.0", "--out", "nowhere/x.csv"], "create it first"),
        (["board/class-gaussian.random-9.0", "--out", "x.csv"], "no such record"),
        (["board/class-gaussian.random-0.0", "--out", "x.csv", "--part", "tset"], "did you mean 'test'"),
        (["board/class-gaussian.random-0.0", "--out", "x.csv", "--cohort", "other"], "classes of"),
    ],
)
def test_what_is_refused_leaves_nothing(board, tmp_path, monkeypatch, capsys, arguments, message):
    other = simulated_cohort(patients=240, genes=40, seed=1, name="other")
    clinical = other.clinical.copy()
    column = other.label_columns[0]
    clinical[column] = ["strange " + name for name in other.labels(column)]
    save_cohort(
        type(other)(**{**{f: getattr(other, f) for f in other.__slots__}, "clinical": clinical}), cohort_folder("other")
    )
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with pytest.raises(SystemExit) as ended:
        sample(board, *arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_real_rows_are_written_when_they_are_asked_for(board, tmp_path):
    sample(board, "board/real-holdout.random-0.0", "--out", str(tmp_path / "r.h5ad"), "--allow-real")
    assert len(anndata.read_h5ad(tmp_path / "r.h5ad")) == 240
    shutil.rmtree(board.results / "store" / "models")
    with pytest.raises(SystemExit) as ended:
        sample(board, "board/real-holdout.random-0.0", "--out", str(tmp_path / "s.h5ad"), "--allow-real")
    assert ended.value.code == 2


def test_what_a_model_needs_of_a_cohort(small_cohort):
    known = TrainedOn.of(small_cohort, "print")
    assert known.problems(small_cohort, ("labels", "text", "patches")) == []
    assert TrainedOn.model_validate_json(known.model_dump_json()) == known
    wider = known.model_copy(update={"widths": {name: width + 1 for name, width in known.widths.items()}})
    assert len(wider.problems(small_cohort, ("text", "patches"))) == len(known.widths)
    assert wider.problems(small_cohort, ("labels",)) == []

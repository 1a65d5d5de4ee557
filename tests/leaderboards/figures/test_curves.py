"""Training figures: what is drawn, and the same bytes from the same logs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from gexbench.leaderboards.figures.curves import training_figure
from gexbench.leaderboards.figures.writing import figure_bytes
from gexbench.leaderboards.records import RecordError, read_records
from gexbench.leaderboards.records.logs import read_logs

Make = Callable[..., dict[str, Any]]
LOG = {
    "step": [1.0, 2.0, 3.0],
    "validation_score": [np.nan, np.nan, 0.5],
    "critic_gradient_norm": [1.0, 2.0, 3.0],
    "critic_loss": [3.0, 2.0, 1.0],
    "empty": [np.nan] * 3,
}


@pytest.fixture
def folder(tmp_path: Path, make: Make) -> Path:
    for part in ("records", "training"):
        (tmp_path / part).mkdir()
    for name, fold, state in (("gan", 0, "ok"), ("gan", 1, "diverged"), ("class-mean", 0, "ok")):
        slot = f"{name}.random-{fold}.0"
        (tmp_path / "records" / f"{slot}.json").write_text(json.dumps(make(name, fold, {}, state=state)))
        if name == "gan":
            pd.DataFrame(LOG).to_parquet(tmp_path / "training" / f"{slot}.parquet")
    return tmp_path


def test_logs_are_read_by_row_with_their_fold_and_state(folder: Path) -> None:
    logs = read_logs(folder, read_records(folder / "records"))
    assert list(logs) == ["gan"]
    assert logs["gan"].groupby("fold")["state"].first().to_dict() == {0: "ok", 1: "diverged"}
    assert len(logs["gan"]) == 6


def test_logs_of_fits_on_few_patients_are_no_curves_of_the_row(folder: Path) -> None:
    path = folder / "records" / "gan.random-0.0.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "train_fraction": 0.1}))
    assert read_logs(folder, read_records(folder / "records"))["gan"]["fold"].unique().tolist() == [1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"no table", "it cannot be read"),
        (pd.DataFrame({"loss": [1.0]}).to_parquet(), "no column step"),
        (pd.DataFrame({"step": [1.0], "loss": ["<b>"]}).to_parquet(), "no numbers in loss"),
    ],
)
def test_every_log_that_is_none_is_named(folder: Path, content: bytes, said: str) -> None:
    for fold in range(2):
        (folder / "training" / f"gan.random-{fold}.0.parquet").write_bytes(content)
    with pytest.raises(RecordError) as caught:
        read_logs(folder, read_records(folder / "records"))
    assert [said in problem for problem in caught.value.problems] == [True, True]
    assert "training/gan.random-1.0.parquet" in caught.value.problems[1]


def test_a_panel_per_quantity_and_a_line_per_fold(folder: Path) -> None:
    (log,) = read_logs(folder, read_records(folder / "records")).values()
    figure = training_figure(log, "gan")
    panels = {axis.get_ylabel(): axis for axis in figure.axes}
    assert list(panels) == ["critic loss", "critic gradient norm", "validation score (lower is better)"]
    assert all(axis.get_xlabel() == "step" for axis in panels.values())
    first, second = panels["critic loss"].lines
    assert np.asarray(first.get_ydata()).tolist() == [3, 2, 1]
    assert (first.get_linestyle(), second.get_linestyle()) == ("-", "--")
    assert np.asarray(panels["validation score (lower is better)"].lines[0].get_xdata()).tolist() == [3]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["fold 0", "fold 1 (did not end well)"]


def test_the_same_log_gives_the_same_bytes_and_leaves_no_global_settings(folder: Path) -> None:
    before = dict(mpl.rcParams)
    (log,) = read_logs(folder, read_records(folder / "records")).values()
    first = [figure_bytes(training_figure(log, "gan"), kind) for kind in ("svg", "png")]
    assert [figure_bytes(training_figure(log, "gan"), kind) for kind in ("svg", "png")] == first
    assert dict(mpl.rcParams) == before


def test_a_log_without_values_is_an_empty_figure() -> None:
    log = pd.DataFrame({"step": [1.0], "fold": [0], "seed": [0], "state": ["ok"], "loss": [np.nan]})
    assert training_figure(log, "nothing").axes == []

"""Ranks without a metric or family, and separation, against scores by the book and planted faults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer import Exit

from gexbench.benchmark.studies import sensitivity as study
from gexbench.leaderboards.comparing.grid import grid_of
from gexbench.leaderboards.comparing.normalisation import fold_references
from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.records import Record, RecordError, read_records
from gexbench.leaderboards.sensitivity.leave_one_out import leave_one_out, overall, rank_groups, ranks_of
from gexbench.leaderboards.sensitivity.page import sensitivity_page
from gexbench.leaderboards.sensitivity.points import Points, points_of
from gexbench.leaderboards.sensitivity.separation import not_separating, separation
from gexbench.tasks.errors import InputError
from gexbench.tasks.panel.protocols import FIRST
from gexbench.tasks.panel.scores import cell_score

ROOT = Path(__file__).resolve().parents[3]
V6 = ROOT / "leaderboards" / "published" / "tcga" / "v6"
FOLDS = 4


@pytest.fixture
def records(make: Callable[..., dict[str, Any]], references: Any, parsed: Any) -> list[Record]:
    rng = np.random.default_rng(0)
    contents = references(FOLDS)
    for at, name in enumerate(("cvae", "vae", "scvi-label")):
        for fold in range(FOLDS):
            values = {
                "recall_genes": 0.6 + 0.05 * at, "frechet": 150.0 + 30 * at, "correlation_mse": 0.01,
                "variance_ratio": 0.8, "detection_xgb": 0.9 - 0.1 * at, "tstr_lr_accuracy[project]": 0.8 + 0.02 * at,
                "copy_share": 0.0,
            }  # fmt: skip
            contents.append(make(name, fold, {k: v * (1 + 0.02 * rng.normal()) for k, v in values.items()}))
    found: list[Record] = parsed(contents)
    return found


def test_overall_scores_without_a_metric_are_those_by_the_book(records: list[Record]) -> None:
    points = points_of(records)
    grid = grid_of(records, points.names, set(range(FOLDS)))
    references = fold_references(grid_of(records, sorted({r.generator.name for r in records}), set(range(FOLDS))))
    for name in (None, *points.metrics):
        left = {key for key in points.keys if key.partition("[")[0] == name}
        made = overall(points, left)
        for cell in range(len(grid.records)):
            values = {key: float(grid.values[cell, at]) for at, key in enumerate(grid.keys)}
            values = {key: None if np.isnan(value) else value for key, value in values.items()}
            expected = cell_score(values, references[grid.fold[cell]], left_out=left).overall
            assert made[grid.generator[cell], grid.fold[cell]] == pytest.approx(expected)


def test_the_full_table_has_the_boards_scores_and_ranks(records: list[Record]) -> None:
    points, rows = points_of(records), leaderboard(records).rows.set_index("generator")
    assert overall(points).mean(axis=1) == pytest.approx(rows.loc[list(points.names), "overall"].to_numpy())
    assert ranks_of(overall(points)).tolist() == rows.loc[list(points.names), "rank"].tolist()


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_groups_hold_the_rank_and_do_not_depend_on_the_order_of_rows(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(rows, 1)) + 0.3 * rng.normal(size=(rows, 5))
    low, high = rank_groups(scores, 0.3)
    ranks = ranks_of(scores)
    assert (low <= ranks).all()
    assert (ranks <= high).all()
    order = rng.permutation(rows)
    assert rank_groups(scores[order], 0.3)[0].tolist() == low[order].tolist()


def test_one_fold_leaves_every_rank_open() -> None:
    low, high = rank_groups(np.array([[3.0], [2.0], [1.0]]), 0.3)
    assert (low.tolist(), high.tolist()) == ([1, 1, 1], [3, 3, 3])


def points(scores: np.ndarray, values: np.ndarray | None = None, **changes: Any) -> Points:
    """Points of the keys frechet, energy and mmd, all of one family."""
    rows = len(scores)
    about: dict[str, Any] = {
        "protocol": FIRST, "names": tuple("abcdef"[:rows]), "default": np.ones(rows, dtype=bool),
        "labelled": np.ones(rows, dtype=bool), "keys": ("frechet", "energy", "mmd"), "families": ("distribution",) * 3,
        "scores": scores, "values": scores if values is None else values, "share": 0.3,
    }  # fmt: skip
    return Points(**{**about, **changes})


def test_a_metric_that_makes_the_order_alone_is_found() -> None:
    noise = 0.001 * np.random.default_rng(1).normal(size=(3, 5, 3))
    decided = np.array([[0.9, 0.3, 0.3], [0.1, 0.6, 0.5], [0.0, 0.4, 0.4]])[:, None, :] + noise
    found = {each.name: each for each in leave_one_out(points(decided))}
    assert found["frechet"].ranks.tolist() == [3, 1, 2]
    assert found["frechet"].moved == ("a", "b", "c")
    assert found["energy"].moved == ()
    assert "distribution" not in found
    tuned = {each.name: each for each in leave_one_out(points(decided, default=np.array([False, True, True])))}
    assert tuned["frechet"].moved == ("b", "c")


def test_a_metric_of_noise_does_not_separate_and_a_gap_does() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(4, 5, 3))
    values[:, :, 0] += np.arange(4)[:, None] * 10
    values[:, :, 2] = 0.5
    found = separation(points(values))
    by_key = found.set_index("key")
    assert by_key.loc["frechet", "ratio"] > 5
    assert by_key.loc["frechet", "rows"] in ("a, d", "d, a")
    assert by_key.loc["mmd", "ratio"] == 0
    assert set(not_separating(found)) == {"mmd", "energy"}
    errors = [values[at, :, 0].std(ddof=1) * np.sqrt(1 / 5 + 0.3) for at in (0, 3)]
    gap = abs(values[0, :, 0].mean() - values[3, :, 0].mean())
    if by_key.loc["frechet", "gap"] == pytest.approx(gap):
        assert by_key.loc["frechet", "error"] == pytest.approx(np.hypot(*errors))


def test_unlabelled_and_tuned_rows_have_no_say() -> None:
    values = np.random.default_rng(3).normal(size=(5, 5, 3))
    values[4] += 100
    seen = separation(points(values, labelled=np.array([True] * 4 + [False])))
    assert seen["ratio"].max() < 5
    with pytest.raises(RecordError, match="2 ranked rows with labels and default settings on 5 folds; a gap needs 3"):
        separation(points(values, labelled=np.array([True] * 2 + [False] * 3)))


def test_records_without_references_or_ranks_are_one_clear_error(make: Any, parsed: Any, references: Any) -> None:
    with pytest.raises(RecordError, match="no fold has the records of real-holdout"):
        points_of(parsed([make("vae", 0, {})]))
    with pytest.raises(RecordError, match="no row takes a rank"):
        points_of(parsed(references(2)))


def test_the_committed_page_is_the_records() -> None:
    page = (ROOT / "docs" / "leaderboards" / "what-ranks-hang-on.md").read_text(encoding="utf-8")
    assert page == sensitivity_page(points_of(read_records(V6 / "records")), "tcga v6")


def test_the_study_says_what_moves_and_fails_on_request(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    study.main(V6, tmp_path / "page.md", check=True)
    said = capsys.readouterr().out
    assert "no single metric moves a default row out of its rank group" in said
    assert "to be shown and not scored: correlation_gamma" in said
    noise = 0.001 * np.random.default_rng(1).normal(size=(3, 5, 3))
    planted = points(np.array([[0.9, 0.3, 0.3], [0.1, 0.6, 0.5], [0.0, 0.4, 0.4]])[:, None, :] + noise)
    monkeypatch.setattr(study, "points_of", lambda records: planted)
    with pytest.raises(Exit):
        study.main(V6, check=True)
    assert "without frechet, out of their rank group: a, b, c" in capsys.readouterr().out
    with pytest.raises(InputError, match="no such folder"):
        study.main(tmp_path / "nowhere")

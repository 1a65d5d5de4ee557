"""The page of fair opponents: figures by hand, who beats the baseline, and that the committed page is the records'."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gexbench.leaderboards.publishing import opponents as page
from gexbench.leaderboards.publishing.opponents import opponents, opponents_page
from gexbench.leaderboards.records import Record, RecordError, parse_record, read_records

ROOT = Path(__file__).resolve().parents[3]
PUBLISHED = ROOT / "leaderboards" / "published" / "tcga" / "v6"
GOOD = {"tstr_lr_accuracy[project]": 0.93, "coverage_genes": 0.8, "recall_genes": 0.7, "detection_xgb": 0.7,
        "copy_share": 0.0, "train_copy_share": 0.01}  # fmt: skip
BASE = {**GOOD, "coverage_genes": 0.55, "recall_genes": 0.8, "detection_xgb": 0.8}


@pytest.fixture
def records(make: Any) -> Any:
    """`records(name=changes, …)`: three folds of the baseline and of generators that differ from GOOD."""

    def built(**changed: dict[str, float | None]) -> list[Record]:
        rows = {"class-gaussian": BASE, **{name.replace("_", "-"): GOOD | own for name, own in changed.items()}}
        return [
            parse_record(make(name, fold, {k: v and v + 0.01 * fold for k, v in values.items()}), f"{name}-{fold}.json")
            for name, values in rows.items()
            for fold in range(3)
        ]

    return built


def test_figures_by_hand_and_their_differences_are_paired(records: Any) -> None:
    good, base = opponents(records(good={}))
    assert (good.name, base.name) == ("good", "class-gaussian")
    half = 4.302653 * 0.01 * np.sqrt(1 / 3 + 80 / 240)
    assert good.tstr == pytest.approx((0.94, half), rel=1e-6)
    assert good.detection == pytest.approx((0.71, half), rel=1e-6)
    assert good.detection_difference == pytest.approx((-0.1, 0.0), abs=1e-12)
    assert good.coverage_difference == pytest.approx((0.25, 0.0), abs=1e-12)
    assert good.copies == pytest.approx(0.02)
    assert good.fair
    assert good.beats


@pytest.mark.parametrize(
    ("changes", "fair", "beats"),
    [
        ({}, True, True),
        ({"tstr_lr_accuracy[project]": 0.88}, False, True),
        ({"coverage_genes": 0.48}, False, False),
        ({"coverage_genes": 0.55}, True, False),
        ({"detection_xgb": 0.8}, True, False),
        ({"recall_genes": 0.58}, True, False),
        ({"copy_share": 0.06}, True, False),
        ({"train_copy_share": 0.06}, True, False),
    ],
)
def test_every_line_can_be_missed(records: Any, changes: dict[str, float], fair: bool, beats: bool) -> None:
    (row,) = (each for each in opponents(records(tried=changes)) if each.name == "tried")
    assert (row.fair, row.beats) == (fair, beats)


def test_differences_within_their_interval_do_not_count(make: Any) -> None:
    built = [
        parse_record(make(name, fold, {**values, "detection_xgb": values["detection_xgb"] + noise}), f"{name}-{fold}")
        for name, values, noises in (("class-gaussian", BASE, (0, 0, 0)), ("noisy", GOOD, (0.0, 0.3, 0.0)))
        for fold, noise in enumerate(noises)
    ]
    (row,) = (each for each in opponents(built) if each.name == "noisy")
    assert row.detection_difference[0] <= 0
    assert not row.beats


def test_the_page_names_winners_and_those_who_fall_short(records: Any) -> None:
    text = opponents_page(records(good={}, weak={"tstr_lr_accuracy[project]": 0.8}), "tiny v1")
    assert "Beating the baseline: `good`, `weak`." in text
    assert "The 2 rows that see labels include some below the criteria: `weak`." in text
    assert opponents_page(records(worse={"detection_xgb": 0.9}), "tiny v1").count("None beats the baseline.") == 1


def test_without_the_baseline_the_fix_is_named(make: Any) -> None:
    with pytest.raises(RecordError, match=r"no record of class-gaussian.*run it too"):
        opponents([parse_record(make("good", fold, GOOD), "good.json") for fold in range(2)])


def test_bad_folders_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main([str(tmp_path)]) == 2
    assert page.main([]) == 2
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == ["error", "error"]


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the source tree")
def test_the_committed_page_is_that_of_the_published_records() -> None:
    text = (ROOT / "docs" / "leaderboards" / "fair-opponents.md").read_text(encoding="utf-8")
    assert text == opponents_page(read_records(PUBLISHED / "records"), "tcga v6")

"""Generators fitted on a share of the patients stand in a section of their own and change nothing else."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from gexbench.leaderboards.comparing.scarce import scarce_rows
from gexbench.leaderboards.comparing.selection import check_comparable
from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.html import to_html
from gexbench.leaderboards.pages.rendering import to_markdown
from gexbench.leaderboards.records import Record, RecordError

Contents = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
Parsed = Callable[[Contents], list[Record]]
References = Callable[[int], Contents]

VALUES = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip


def few(make: Make, fold: int, accuracy: float, repeat: int = 0, **changes: Any) -> dict[str, Any]:
    values = {**VALUES, "scarce_accuracy": accuracy, "scarce_gain": accuracy - 0.6}
    extra = {"scarce_real_only_accuracy": 0.6}
    return make("vae", fold, values, repeat, **{"train_fraction": 0.1, "fitted": 24, "extra": extra, **changes})


@pytest.fixture
def contents(make: Make, references: References) -> Contents:
    return references(3) + [make("vae", fold, VALUES) for fold in range(3)]


def test_the_section_holds_means_over_folds_beside_the_whole_fit(
    make: Make, contents: Contents, parsed: Parsed
) -> None:
    records = parsed(contents + [few(make, fold, 0.7 + 0.01 * fold) for fold in range(3)])
    frame = scarce_rows(records).set_index("train_fraction")
    assert list(frame.index) == [1.0, 0.1]
    assert set(frame["generator"]) == {"vae"}
    row = frame.loc[0.1]
    assert row["samples"] == 24
    assert row["scarce_accuracy"] == pytest.approx(0.71)
    assert row["scarce_gain"] == pytest.approx(0.11)
    assert row["real_only_accuracy"] == pytest.approx(0.6)
    # t(.975, 2) · .01 · √(1/3 + 80/24), by hand.
    assert row["scarce_accuracy_half_width"] == pytest.approx(4.302652730 * 0.01 * (1 / 3 + 80 / 24) ** 0.5)
    assert frame.loc[1.0, "real_only_accuracy"] == pytest.approx(0.95)
    assert frame.loc[1.0, "tstr_lr_accuracy"] == pytest.approx(0.55)


def test_all_other_parts_of_the_leaderboard_are_as_without_them(make: Make, contents: Contents, parsed: Parsed) -> None:
    plain = to_markdown(leaderboard(parsed(contents)))
    made = to_markdown(leaderboard(parsed(contents + [few(make, fold, 0.7) for fold in range(3)])))
    start, end = made.index("## Generators fitted on few patients"), made.index("## Support")
    assert made[:start] + made[end:] == plain


def test_seeds_are_averaged_within_a_fold_and_failed_cells_are_counted(
    make: Make, contents: Contents, parsed: Parsed
) -> None:
    cells = [few(make, 0, 0.7), few(make, 0, 0.8, 1), few(make, 1, 0.65)]
    cells.append(few(make, 2, 0.9, state="failed", reason="no luck", metrics={}, extra={}))
    records = parsed(contents + cells)
    row = scarce_rows(records).set_index("train_fraction").loc[0.1]
    assert row["scarce_accuracy"] == pytest.approx((0.75 + 0.65) / 2)
    assert (row["cells"], row["cells_ok"]) == (4, 3)
    assert row["notes"] == "fold 2 seed 0 failed (no luck)"
    for text in (to_markdown(leaderboard(records)), to_html(leaderboard(records), records)):
        assert "fold 2 seed 0 failed (no luck)" in text
    without = scarce_rows([record for record in records if record.train_fraction == 1.0 or record.fold.index != 1])
    assert without.set_index("train_fraction").loc[0.1, "notes"].startswith("fold 1 seed 0 missing; fold 2")


def _renamed(make: Make, name: str, _: str, *arguments: Any, **changes: Any) -> dict[str, Any]:
    return make(name, *arguments, **changes)


def test_the_largest_mean_share_of_copies_stands_in_the_section(make: Make, contents: Contents, parsed: Parsed) -> None:
    shares = ({"copy_share": 0.1, "train_copy_share": 0.0}, {"copy_share": 0.0, "train_copy_share": 0.3})
    cells = [few(make, fold, 0.7) for fold in range(2)]
    for cell, found in zip(cells, shares, strict=True):
        for name, value in {**found, "validation_copy_share": 0.01}.items():
            cell["metrics"][name] = {"value": value, "reason": None, "version": 1}
    holdout = partial(_renamed, make, "real-holdout")
    real = [few(holdout, fold, 0.7) for fold in range(2)]
    for cell in real:
        cell["metrics"]["validation_copy_share"] = {"value": 1.0, "reason": None, "version": 1}
    records = parsed(contents + cells + real)
    frame = scarce_rows(records).set_index(["generator", "train_fraction"])
    assert frame.loc[("vae", 0.1), "copy_share"] == pytest.approx(0.15)
    assert frame.loc[("real-holdout", 0.1), "copy_share"] == 0.0
    assert frame.loc[("vae", 1.0), "copy_share"] == 0.0
    line = next(line for line in to_markdown(leaderboard(records)).splitlines() if "| 10.0 %" in line and "vae" in line)
    assert line.split("|")[-2].strip() == "0.150"
    assert "<td>0.150</td></tr>" in to_html(leaderboard(records), records)
    assert "copy_share" not in scarce_rows(parsed(contents))


def test_a_share_that_is_none_is_refused(make: Make, contents: Contents, parsed: Parsed) -> None:
    with pytest.raises(RecordError, match=r"train_fraction: 1\.5"):
        parsed([few(make, 0, 0.7, train_fraction=1.5)])
    with pytest.raises(RecordError, match="fitted on all patients"):
        check_comparable(parsed([few(make, 0, 0.7)]))

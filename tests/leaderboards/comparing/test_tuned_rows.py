"""Tuned rows in a table: named after their generator, compared with its default row, settings by fold."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from gexbench.leaderboards.comparing.selection import check_comparable
from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.rendering import to_csv, to_markdown
from gexbench.leaderboards.records import Record, RecordError

Contents = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
Parsed = Callable[[Contents], list[Record]]
References = Callable[[int], Contents]

VALUES = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip


def tuned(make: Make, fold: int, repeat: int = 0, width: int = 8, **changes: float) -> dict[str, Any]:
    tuning = {
        "settings": {"width": width},
        "validation_score": 0.1,
        "default_validation_score": 0.3,
        "trials": {"complete": 5, "pruned": 2, "failed": 1},
    }
    generator = {"variant": "tuned", "tuning": tuning, "settings": {"width": width, "depth": 2}}
    return make("vae", fold, {**VALUES, **changes}, repeat, generator=generator)


def defaults(make: Make, name: str, **changes: float) -> Contents:
    return [make(name, fold, {**VALUES, **changes}) for fold in range(3)]


def test_a_tuned_row_stands_beside_its_default(make: Make, references: References, parsed: Parsed) -> None:
    contents = references(3) + defaults(make, "vae")
    contents += [tuned(make, fold, width=8 * (fold + 1), recall_genes=0.6) for fold in range(3)]
    board = leaderboard(parsed(contents))
    rows = board.rows.set_index("generator")
    assert rows.loc["vae-tuned", "rank"] == 1
    assert rows.loc["vae", "rank"] == 2
    assert rows.loc["vae-tuned", "overall"] > rows.loc["vae", "overall"]
    settings = board.settings.set_index("generator")["settings"]
    assert settings["vae-tuned"] == "depth=2, width=8 / 16 / 24 (folds 0 / 1 / 2)"
    assert settings["vae"] == "width=8"
    note = "settings tuned per fold on its training and validation patients, 8 trials; mean validation score 0.1, "
    assert any(text.startswith(note) for text in board.notes)
    assert "vae-tuned" in to_markdown(board)
    assert "vae-tuned" in to_csv(board)


def test_other_rows_keep_their_scores(make: Make, references: References, parsed: Parsed) -> None:
    contents = references(3) + defaults(make, "vae") + defaults(make, "gan", frechet=200.0)
    alone = leaderboard(parsed(contents)).rows.set_index("generator")["overall"]
    beside = leaderboard(parsed(contents + [tuned(make, fold) for fold in range(3)])).rows.set_index("generator")
    for name, overall in alone.items():
        assert beside.loc[name, "overall"] == overall


@pytest.mark.parametrize(("leader", "compared"), [("gan", True), ("vae", False), ("vae-tuned", False)])
def test_a_tuned_row_is_compared_with_its_default_once(
    make: Make, references: References, parsed: Parsed, leader: str, compared: bool
) -> None:
    good = {"recall_genes": 0.8}
    contents = references(3) + defaults(make, "vae", **(good if leader == "vae" else {}))
    contents += defaults(make, "gan", **(good if leader == "gan" else {}))
    contents += [tuned(make, fold, **(good if leader == "vae-tuned" else {})) for fold in range(3)]
    rng = random.Random(0)
    for each in contents:
        each["metrics"]["frechet"]["value"] *= rng.uniform(0.98, 1.02)
    board = leaderboard(parsed(contents))
    frame = board.comparisons[board.comparisons["measure"] == "overall"]
    assert ("default" in set(frame["role"])) == compared
    pairs = [frozenset(pair) for pair in zip(frame["generator"], frame["against"], strict=True)]
    assert pairs.count(frozenset({"vae", "vae-tuned"})) == 1
    assert ("tuned rows also against the default" in to_markdown(board)) == compared


def test_settings_of_a_tuned_row_differ_between_folds_and_not_within_one(make: Make, parsed: Parsed) -> None:
    check_comparable(parsed([tuned(make, 0, width=8), tuned(make, 1, width=16)]))
    with pytest.raises(RecordError, match="generator 'vae-tuned', fold 0: settings differs"):
        check_comparable(parsed([tuned(make, 0, width=8), tuned(make, 0, 1, width=16)]))


def test_a_generator_named_like_a_tuned_row_is_refused(make: Make, parsed: Parsed) -> None:
    with pytest.raises(RecordError, match="2 records; keep one"):
        check_comparable(parsed([tuned(make, 0), make("vae-tuned", 0, VALUES)]))

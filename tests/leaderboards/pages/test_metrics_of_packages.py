"""Records that hold a metric of a package that is not installed here: read, shown without direction, never scored."""

from collections.abc import Callable
from typing import Any

import pytest

from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.html import to_html
from gexbench.leaderboards.pages.main_table import main_columns
from gexbench.leaderboards.pages.markdown import to_markdown
from gexbench.leaderboards.records.problems import RecordError

NAME = "nowhere.gap"


def test_they_are_read_and_shown_and_change_no_score(
    references: Callable[[int], list[dict[str, Any]]], parsed: Callable[..., Any]
) -> None:
    held = references(3)
    for number, record in enumerate(held):
        record["metrics"] |= {NAME: {"value": 0.25 + number / 100, "reason": None, "version": 1}}
    board, plain = leaderboard(parsed(held)), leaderboard(parsed(references(3)))
    assert main_columns(board) == main_columns(plain)
    mine = board.metrics[board.metrics["key"] == NAME]
    assert mine["score"].isna().all()
    assert mine["value"].notna().all()
    assert list(dict.fromkeys(board.metrics["key"]))[-1] == NAME
    for text in (to_markdown(board), to_html(board, parsed(held))):
        assert "package nowhere, which is not installed here" in text
        assert "nowhere.gap ↑" not in text


@pytest.mark.parametrize("name", ["nowhere.<b>", "frechett", ".gap"])
def test_other_names_are_refused(
    name: str, references: Callable[[int], list[dict[str, Any]]], parsed: Callable[..., Any]
) -> None:
    held = references(1)
    held[0]["metrics"][name] = {"value": 0.25, "reason": None, "version": 1}
    with pytest.raises(RecordError, match=r"metrics\."):
        parsed(held)

"""Ceilings and floors of the downstream tasks: shown where the records state shuffled labels, and in no score."""

import copy

import numpy as np
import pytest

from gexbench.leaderboards.comparing.table import leaderboard
from gexbench.leaderboards.pages.rendering import to_csv, to_html, to_markdown
from gexbench.leaderboards.records import RecordError, parse_record

KEY = "tstr_lr_accuracy[project]"


@pytest.fixture
def contents(make, references):
    model = {"recall_genes": 0.7, "frechet": 120.0, "correlation_mse": 0.01, "variance_ratio": 0.9}
    model |= {"detection_xgb": 0.95, KEY: 0.9, "copy_share": 0.0}
    return [*references(3), *(make("model", fold, model) for fold in range(3))]


def _with_floor(contents, values):
    found = copy.deepcopy(contents)
    for content in found:
        content["reference_values"]["shuffled_labels"] = {KEY: values[content["fold"]["index"]]}
    return found


def test_the_floor_is_the_mean_over_folds_and_stands_in_every_table(contents, parsed):
    records = parsed(_with_floor(contents, [0.10, 0.13, 0.16]))
    board = leaderboard(records)
    row = board.anchors.set_index("key").loc[KEY]
    assert row["shuffled_labels"] == pytest.approx(0.13)
    assert row["shuffled_labels_half_width"] == pytest.approx(4.302653 * 0.03 * np.sqrt(1 / 3 + 80 / 240), rel=1e-6)
    assert (row["trtr"], row["majority"]) == pytest.approx((0.95, 0.15))
    text, page = to_markdown(board), to_html(board, records)
    assert "### Ceilings and floors" in text
    assert "0.130 ± 0.105" in text
    assert "shuffled labels" in page
    assert '"anchors":{"key":' in page


def test_it_changes_no_score_and_records_without_it_render_as_ever(contents, parsed):
    without, with_it = parsed(contents), parsed(_with_floor(contents, [0.1, 0.13, 0.99]))
    old, new = leaderboard(without), leaderboard(with_it)
    assert old.rows.equals(new.rows)
    assert to_csv(old) == to_csv(new)
    assert old.anchors.empty
    for text in (to_markdown(old), to_html(old, without)):
        assert "huffled labels" not in text
        assert '"anchors"' not in text


def test_without_real_holdout_there_is_none(contents, parsed):
    kept = [each for each in _with_floor(contents, [0.1, 0.1, 0.1]) if each["generator"]["name"] != "real-holdout"]
    assert leaderboard(parsed(kept)).anchors.empty


def test_an_unknown_anchor_is_refused(contents):
    content = contents[0]
    content["reference_values"]["shuffled"] = {KEY: 0.1}
    with pytest.raises(RecordError, match=r"reference_values\.shuffled"):
        parse_record(content, "x.json")

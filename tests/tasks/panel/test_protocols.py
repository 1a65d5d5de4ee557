"""Protocol 1 is kept as it was; protocol 2 is the catalogue."""

import hashlib
import importlib.resources
import math

import pytest

from gexbench.tasks.panel.catalogue import catalogue
from gexbench.tasks.panel.protocols import CURRENT, FIRST, PROTOCOLS, Protocol, known_key
from gexbench.tasks.panel.scores import References, cell_score

KEPT = "06bb797a06afac2294daf0b9ef2a7858423460e6294011b723a1b5eb746da352"


def test_the_kept_declarations_are_not_edited() -> None:
    content = (importlib.resources.files("gexbench.tasks.panel") / "protocol_1.json").read_bytes()
    assert hashlib.sha256(content).hexdigest() == KEPT
    assert len(FIRST.declared()) == 90


def test_the_present_protocol_is_the_catalogue() -> None:
    assert CURRENT.declared() == catalogue()
    assert CURRENT.number == max(PROTOCOLS)
    assert CURRENT.not_scored <= {metric.name for metric in catalogue() if metric.in_overall}


def test_protocol_1_scores_what_it_scored() -> None:
    metric = FIRST.lookup("recall_pcs")
    assert (metric.short, metric.detail, metric.floor, metric.ceiling) == (
        "recall", "components", "worst-trivial", "real-holdout",
    )  # fmt: skip
    assert FIRST.lookup("density_genes").range == (0.0, math.inf)
    assert FIRST.lookup("tstr_lr_accuracy[project]").per_label
    scored = {m.name for m in FIRST.declared() if FIRST.scores(m) and m.panel == "core"}
    assert {"detection_lr", "detection_xgb", "variance_ratio", "frechet"} <= scored
    assert "conditional_skill" not in scored


def test_keys_are_known_to_some_protocol() -> None:
    known_key("recall_pcs")
    known_key("other.metric")
    with pytest.raises(KeyError, match="did you mean"):
        known_key("recal_pcs")


def test_a_metric_that_is_not_scored_moves_no_score() -> None:
    values = {"detection_lr": 0.6, "detection_xgb": 0.9}
    real = {"detection_lr": 0.5, "detection_xgb": 0.5}
    without = Protocol(2, "calibrated", FIRST.declared, not_scored=frozenset({"detection_xgb"}))
    both = cell_score(values, References(real, real, real, trtr={}, majority={}, protocol=FIRST))
    one = cell_score(values, References(real, real, real, trtr={}, majority={}, protocol=without))
    assert both.overall == pytest.approx((0.8 + 0.2) / 2)
    assert one.scores == pytest.approx({"detection_lr": 0.8})

"""Specifications refuse contradictions; the catalogue is consistent and cheap to import."""

import dataclasses
import subprocess
import sys

import pytest

from gexbench.tasks.panel.built_in import CATALOGUE
from gexbench.tasks.panel.catalogue import lookup, panel_specifications, split_key
from gexbench.tasks.panel.declarations.metric import FAMILY_WEIGHTS


def test_names_are_unique_and_every_scored_family_has_a_weight():
    names = [spec.name for spec in CATALOGUE]
    assert len(names) == len(set(names))
    assert {spec.family for spec in CATALOGUE if spec.in_overall} <= set(FAMILY_WEIGHTS)


@pytest.mark.parametrize(
    ("name", "goal"),
    [
        ("precision", "match"),
        ("density", "match"),
        ("recall", "higher"),
        ("coverage", "higher"),
        ("frechet", "lower"),
        ("correlation_gamma", "higher"),
        ("variance_ratio", "match"),
        ("detection", "lower"),
        ("tstr_lr_accuracy", "higher"),
        ("conditional_skill", "skill"),
        ("copy_share", "diagnostic"),
    ],
)
def test_goals_follow_the_protocol(name, goal):
    assert lookup(name).goal == goal


def test_paired_and_privacy_metrics_stay_out_of_the_overall_score():
    assert not any(spec.in_overall for spec in CATALOGUE if spec.family in ("paired", "privacy"))


def test_lookup_by_key_and_suggestion():
    assert lookup("tstr_lr_accuracy[project]").name == "tstr_lr_accuracy"
    assert split_key("tstr_lr_accuracy[project]") == ("tstr_lr_accuracy", "project")
    with pytest.raises(KeyError, match="did you mean precision"):
        lookup("precisio")
    with pytest.raises(KeyError, match="one value per fold"):
        lookup("frechet[project]")
    with pytest.raises(ValueError, match=r"name\[label\]"):
        split_key("frechet[project")


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("precision", {"floor": "worst-trivial"}, "no floor"),
        ("precision", {"ceiling": None}, "takes a ceiling"),
        ("recall", {"floor": None}, "needs a floor"),
        ("recall", {"goal": "down"}, "none of match"),
        ("detection", {"goal": "higher", "ceiling": 0.5}, "contradict"),
        ("detection", {"floor": 1.5}, "outside the range"),
        ("conditional_skill", {"in_overall": True}, "cannot enter"),
        ("crps", {"in_overall": True, "floor": "majority", "ceiling": "trtr"}, "beside the overall"),
        ("tstr_lr_accuracy", {"needs": frozenset()}, "per_label needs"),
        ("copy_share", {"floor": 0.5}, "neither floor nor ceiling"),
        ("frechet", {"version": 0}, "below 1"),
        ("frechet", {"range": (1.0, 1.0)}, "empty"),
        ("frechet", {"name": "Fréchet"}, "must match"),
        ("frechet", {"needs": frozenset({"images"})}, "unknown"),
    ],
)
def test_contradictory_specifications_are_refused(name, change, problem):
    with pytest.raises(ValueError, match=problem):
        dataclasses.replace(lookup(name), **change)


def test_all_problems_are_reported_at_once():
    with pytest.raises(ValueError, match=r"below 1.*takes a ceiling"):
        dataclasses.replace(lookup("precision"), version=0, ceiling=None)


def test_core_is_part_of_extended():
    assert set(panel_specifications("core")) <= set(panel_specifications("extended"))


def test_catalogue_and_scores_import_no_heavy_library():
    code = (
        "import sys, gexbench.tasks.panel.catalogue, gexbench.tasks.panel.scores;"
        "print([m for m in ('torch', 'sklearn', 'xgboost', 'scipy', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_lazy_export_resolves():
    import gexbench.metrics as metrics

    assert all(callable(getattr(metrics, name)) for name in metrics.__all__ if name.islower())
    with pytest.raises(AttributeError, match="precison"):
        _ = metrics.precison

"""Records as the engine writes them: whatever foreign code said or reported."""

import math

import numpy as np
import pytest

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.cells.record import failure_record, record_of
from gexbench.benchmark.cells.training import BadReport, checked_report
from gexbench.benchmark.sweeps.planning import plan
from gexbench.benchmark.sweeps.sweep import sweep_of
from gexbench.leaderboards.records import parse_record
from gexbench.leaderboards.records.values import LONGEST_TEXT
from gexbench.models import registry
from gexbench.models.contract import FitReport


@pytest.fixture
def planned(small_cohort):
    made = plan(sweep_of(registry(), generators=("vae",)), registry(), small_cohort, "fingerprint")
    return made.cells[0], made, small_cohort


@pytest.mark.parametrize("said", ["\ud800 and \udfff", "x" * (LONGEST_TEXT + 5), "\ud800" * LONGEST_TEXT, "/home/me/x"])
def test_a_failure_is_recorded_whatever_was_said(planned, said):
    made = failure_record(*planned, Outcome("failed", said, said, (said, "line")))
    found = parse_record(made.content(), "x.json")
    assert found.content() == made.content()
    assert found.state == "failed"
    assert found.reason == found.traceback == found.output[0]
    assert "/home" not in found.reason


def test_an_untrained_cell_has_no_times_seeds_or_metrics(planned):
    made = record_of(*planned, state="skipped", reason="not installed")
    assert set(made.times_s.model_dump().values()) == set(made.seeds.model_dump().values()) == {None}
    assert (made.metrics, made.reference_values, made.clusters, made.fitted) == ({}, {}, None, None)
    assert parse_record(made.content(), "x.json").content() == made.content()


def test_a_report_is_kept_with_null_for_what_is_not_finite():
    given = FitReport(curves={"loss": [1.0, math.nan]}, facts={"best": np.float64(2.0)}, warnings=["w"])
    found = checked_report(given, "mine")
    assert (found.curves, found.diagnostics, found.warnings) == ({"loss": (1.0, None)}, {"best": 2.0}, ("w",))


@pytest.mark.parametrize(
    ("report", "message"),
    [
        (FitReport(curves={"loss": 3.0}), r"mine\.report: curves\.loss: 3\.0 is not a list"),
        (FitReport(curves={"loss": ["low"]}), r"curves\.loss\.0: 'low' is not a number"),
        (FitReport(facts={"model": object()}), r"diagnostics\.model: <object"),
        (FitReport(warnings=[1], facts={"n": 2**70}), r"diagnostics\.n: 1180.*; warnings\.0: 1 is not text"),
    ],
)
def test_a_report_that_fits_into_no_record_is_refused(report, message):
    with pytest.raises(BadReport, match=message):
        checked_report(report, "mine")

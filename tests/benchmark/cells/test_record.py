"""Records as the engine writes them: whatever foreign code said or reported."""

import math

import numpy as np
import pytest
import torch

from gexbench.benchmark.cells.jobs import Outcome
from gexbench.benchmark.cells.record import failure_record, record_of
from gexbench.benchmark.cells.training import checked_report
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
    given = FitReport(
        curves={"loss": [1.0, math.nan], "score": torch.tensor([0.5])},
        facts={"best": np.float64(2.0), "steps": np.int64(3), "kept": np.bool_(True), "sizes": np.arange(2)},
        warnings=["w"],
    )
    found, left_out = checked_report(given)
    assert found.curves == {"loss": (1.0, None), "score": (0.5,)}
    assert found.diagnostics == {"best": 2.0, "steps": 3, "kept": True, "sizes": [0, 1]}
    assert (found.warnings, left_out) == (("w",), [])


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (FitReport(curves={"loss": 3.0}), "report.curves['loss'] was left out: 3.0 is not a list"),
        (FitReport(curves={"loss": ["low"]}), "report.curves['loss'] was left out: 'low' is not a number"),
        (FitReport(facts={"model": object()}), "report.facts['model'] was left out: <object"),
        (FitReport(facts={"rows": np.zeros(20_000)}), "report.facts['rows'] was left out: array"),
        (FitReport(warnings=[1]), "report.warnings[0] was left out: 1 is not text"),
        (FitReport(facts=None), "report.facts was left out: it is a NoneType"),
        (FitReport(log={"loss": [1.0]}), "report.log was left out: it has no column 'step'"),
        (None, "report.curves was left out: it is a NoneType"),
    ],
)
def test_what_no_record_can_hold_is_left_out_and_named(report, said):
    if report is not None and report.facts is not None:
        report.facts["steps"] = 3
    found, left_out = checked_report(report)
    assert left_out[0].startswith(said)
    assert found.diagnostics == ({} if report is None or report.facts is None else {"steps": 3})

"""The study of array metrics: resumes, states limits, writes its table and figure."""

from dataclasses import replace

import pandas as pd
import pytest

from gexbench.benchmark.studies.__main__ import main
from gexbench.benchmark.studies.speed import array_metrics
from gexbench.benchmark.studies.speed.array_metrics import Point, measure, plan
from gexbench.benchmark.studies.speed.array_metrics_page import growth_figure, write_page
from gexbench.benchmark.studies.speed.array_metrics_point import METRICS
from gexbench.benchmark.studies.speed.array_metrics_point import measure as measure_here
from gexbench.benchmark.studies.speed.points import Limits, Measured, read_results, write_results
from gexbench.metrics.shared.row_samples import MOST_ROWS
from gexbench.tasks.errors import InputError

ARGUMENTS = ["--rows", "40,60", "--genes", "30", "--metric", "support"]


def study(*arguments):
    """What the study ends with, 0 where all is well."""
    with pytest.raises(SystemExit) as ended:
        main(["array-metrics", *arguments])
    return ended.value.code


def _result(point, state="done", limit_s=5.0):
    figures = (1.5, 1.25, 2_000_000) if state == "done" else (None, None, None)
    return Measured(point, state, "data in place", *figures, "{}", limit_s, 10**9)


@pytest.fixture
def asked(monkeypatch):
    """Points that were measured; those of 60 rows pass the time limit."""
    points = []

    def measured(point, module, arguments, limits):
        points.append(point)
        return _result(point, "over time" if point.rows >= 60 and point.axis == "rows" else "done", limits.seconds)

    monkeypatch.setattr(array_metrics, "run_point", measured)
    return points


def test_resumes_and_shows_the_limit(asked, tmp_path, capsys):
    study(*ARGUMENTS, "--out", str(tmp_path), "--memory", "1", "--limit", "5")
    assert [(point.rows, point.genes) for point in asked] == [(40, 50), (60, 50), (800, 30)]
    assert capsys.readouterr().out.splitlines()[-1] == f"result: {tmp_path / 'metric-speed.md'}"
    page = (tmp_path / "metric-speed.md").read_text()
    assert "| support | 1.5 s (1.2), 2 MB | over the limit of 5 CPU-s |" in page
    assert (tmp_path / "metric-speed.svg").stat().st_size < 200_000
    first = (tmp_path / "metric-speed.svg").read_bytes()

    asked.clear()
    study(*ARGUMENTS, "--out", str(tmp_path), "--memory", "1", "--limit", "5")
    assert not asked
    assert (tmp_path / "metric-speed.svg").read_bytes() == first
    study(*ARGUMENTS, "--out", str(tmp_path), "--memory", "1", "--limit", "6")
    assert [(point.rows, point.genes) for point in asked] == [(60, 50)]


def test_larger_sizes_of_what_is_over_the_limit_are_not_started(asked, tmp_path):
    study("--rows", "90,40,60", "--genes", "", "--metric", "MMD", "--out", str(tmp_path))
    assert [point.rows for point in asked] == [40, 60]
    results = {result.point: result for result in read_results(tmp_path / "metric-speed.csv", Point)}
    assert results[Point("MMD", "rows", 90, 50)].state == "over time"


def test_table_is_read_as_written_and_another_one_is_refused(tmp_path):
    points = plan([10, 20], [30], ["MMD", "energy"])
    assert len(set(points)) == 6
    results = [_result(point, state) for point, state in zip(points, ("done", "over memory") * 3, strict=True)]
    write_results(tmp_path / "a.csv", results)
    assert read_results(tmp_path / "a.csv", Point) == results
    text = (tmp_path / "a.csv").read_text()
    (tmp_path / "a.csv").write_text(text.replace("1.5,", "long,", 1).replace("over memory", "gone", 1))
    with pytest.raises(InputError) as refused:
        read_results(tmp_path / "a.csv", Point)
    assert [problem.partition(": ")[0] for problem in refused.value.problems] == [
        "a.csv, line 2, seconds",
        "a.csv, line 3, state",
    ]
    (tmp_path / "a.csv").write_text("metric,rows\n")
    with pytest.raises(InputError, match=r"a\.csv has columns"):
        read_results(tmp_path / "a.csv", Point)


def test_a_point_that_failed_or_met_a_smaller_limit_is_measured_again():
    limits = Limits(5.0, 10**9, "cpu")
    point = Point("MMD", "rows", 40, 50)
    states = {state: _result(point, state).settled(limits) for state in ("done", "failed", "over time", "over memory")}
    assert states == {"done": True, "failed": False, "over time": True, "over memory": True}
    assert not _result(point, "over time", 4.0).settled(limits)
    assert not replace(_result(point, "over memory", 6.0), limit_bytes=10**8).settled(limits)


def test_a_point_is_measured_and_ended_at_its_limits():
    point = Point("support", "rows", 40, 5)
    done = measure(Limits(60.0, 10**10, "cpu"), point, [])
    assert done.state == "done"
    assert done.seconds is not None
    assert 0 < done.seconds < 60
    assert measure(Limits(0.1, 10**10, "cpu"), point, []).state == "over time"
    assert measure(Limits(60.0, 10**6, "cpu"), point, []).state == "over memory"


def test_memory_is_that_of_the_work():
    assert {name for name in METRICS if not measure_here(name, 64, 8)["seconds"] > 0} == set()
    # Of 32 MB each: two sorted sides, differences and powers; the rows themselves stand there before.
    found = measure_here("Wasserstein per gene", 2000, 2000)["memory_bytes"]
    assert 60e6 < found < 250e6


def test_bad_arguments_are_named_together(capsys):
    assert study("--rows", "3,many", "--metric", "nothing", "--limit", "0") == 2
    message = capsys.readouterr().err
    assert all(text in message for text in ("--rows: 3", "--rows: many", "unknown metric 'nothing'", "--limit: 0.0"))


def test_a_size_that_was_not_asked_for_is_said_to_be_unmeasured(tmp_path):
    points = [Point("MMD", "rows", 40, 50), Point("energy", "rows", 40, 50), Point("energy", "rows", 60, 50)]
    results = [_result(point) for point in points]
    write_page(tmp_path, [result.row() for result in results])
    page = (tmp_path / "metric-speed.md").read_text()
    assert "| MMD | 1.5 s (1.2), 2 MB | not measured |" in page
    assert f"at most {MOST_ROWS:,} samples" in page


def test_no_two_metrics_look_alike_in_the_figure():
    results = [_result(Point(metric, "rows", size, 50)) for metric in METRICS for size in (40, 60)]
    lines = growth_figure(pd.DataFrame([result.row() for result in results])).axes[0].get_lines()
    assert [line.get_label() for line in lines] == list(METRICS)
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == len(METRICS)
    assert len({line.get_marker() for line in lines}) == len(METRICS), "in grey, too"

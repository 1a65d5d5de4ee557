"""The growth script: resumes, states limits, writes its table and figure."""

import subprocess
import sys
from dataclasses import asdict

import pandas as pd
import pytest

from gexbench.benchmark.studies.speed import growth
from gexbench.benchmark.studies.speed.growth import Point, Result, plan, read_results, run_point, write_results
from gexbench.benchmark.studies.speed.growth_point import METRICS, measure
from gexbench.benchmark.studies.speed.growth_report import growth_figure, write_report
from gexbench.metrics.shared.row_samples import MOST_ROWS
from gexbench.tasks.errors import InputError

ARGUMENTS = ["--rows", "40", "60", "--genes", "30", "--metrics", "support"]


def _result(point, state="done", limit_s=5.0):
    figures = (1.5, 1.25, 2_000_000) if state == "done" else (None, None, None)
    return Result(point.metric, point.axis, point.rows, point.genes, state, *figures, limit_s, 10**9)


@pytest.fixture
def asked(monkeypatch):
    """Points that were measured; those of 60 rows pass the time limit."""
    points = []

    def measured(point, limit_s, limit_bytes):
        points.append(point)
        return _result(point, "over time" if point.rows >= 60 and point.axis == "rows" else "done", limit_s)

    monkeypatch.setattr(growth, "run_point", measured)
    return points


def test_resumes_and_shows_the_limit(asked, tmp_path, capsys):
    growth.main([*ARGUMENTS, "--out", str(tmp_path), "--memory", "1", "--limit", "5"])
    assert [(point.rows, point.genes) for point in asked] == [(40, 50), (60, 50), (800, 30)]
    assert capsys.readouterr().out.splitlines()[-1] == f"result: {tmp_path / 'metric-speed.md'}"
    page = (tmp_path / "metric-speed.md").read_text()
    assert "| support | 1.5 s (1.2), 2 MB | over the limit of 5 CPU-s |" in page
    assert (tmp_path / "metric-speed.svg").stat().st_size < 200_000
    first = (tmp_path / "metric-speed.svg").read_bytes()

    asked.clear()
    growth.main([*ARGUMENTS, "--out", str(tmp_path), "--memory", "1", "--limit", "5"])
    assert not asked
    assert (tmp_path / "metric-speed.svg").read_bytes() == first
    growth.main([*ARGUMENTS, "--out", str(tmp_path), "--memory", "1", "--limit", "6"])
    assert [(point.rows, point.genes) for point in asked] == [(60, 50)]


def test_larger_sizes_of_what_is_over_the_limit_are_not_started(asked, tmp_path):
    growth.main(["--rows", "90", "40", "60", "--genes", "--metrics", "MMD", "--out", str(tmp_path)])
    assert [point.rows for point in asked] == [40, 60]
    results = read_results(tmp_path / "metric-speed.csv")
    assert results[Point("MMD", "rows", 90, 50)].state == "over time"


def test_table_is_read_as_written(tmp_path):
    points = plan([10, 20], [30], ["MMD", "energy"])
    assert len(set(points)) == 6
    results = {point: _result(point, state) for point, state in zip(points, ("done", "over memory") * 3, strict=True)}
    write_results(tmp_path / "a.csv", results.values())
    assert read_results(tmp_path / "a.csv") == results
    (tmp_path / "a.csv").write_text("metric,rows\n")
    with pytest.raises(InputError, match=r"a\.csv has columns"):
        read_results(tmp_path / "a.csv")


def test_a_point_is_measured_and_ended_at_its_limits():
    point = Point("support", "rows", 40, 5)
    done = run_point(point, 60.0, 10**10)
    assert done.state == "done"
    assert done.seconds is not None
    assert 0 < done.seconds < 60
    assert run_point(point, 0.1, 10**10).state == "over time"
    assert run_point(point, 60.0, 10**6).state == "over memory"


def test_memory_is_that_of_the_work():
    assert {name for name in METRICS if not measure(name, 64, 8)["seconds"] > 0} == set()
    # Of 32 MB each: two sorted sides, differences and powers; the rows themselves stand there before.
    found = measure("Wasserstein per gene", 2000, 2000)["memory_bytes"]
    assert 60e6 < found < 250e6


def test_bad_arguments_are_named_together(capsys):
    with pytest.raises(SystemExit) as stopped:
        growth.main(["--rows", "3", "--metrics", "nothing", "--limit", "0"])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert all(text in message for text in ("--rows: 3", "'nothing' is none of support", "--limit: 0.0"))


def test_help_has_an_example():
    command = [sys.executable, "-m", "gexbench.benchmark.studies.speed.growth", "--help"]
    assert "examples:" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_a_size_that_was_not_asked_for_is_said_to_be_unmeasured(tmp_path):
    points = [Point("MMD", "rows", 40, 50), Point("energy", "rows", 40, 50), Point("energy", "rows", 60, 50)]
    results = [_result(point) for point in points]
    write_report(tmp_path, [asdict(result) for result in results])
    page = (tmp_path / "metric-speed.md").read_text()
    assert "| MMD | 1.5 s (1.2), 2 MB | not measured |" in page
    assert f"at most {MOST_ROWS:,} samples" in page


def test_no_two_metrics_look_alike_in_the_figure():
    results = [_result(Point(metric, "rows", size, 50)) for metric in METRICS for size in (40, 60)]
    lines = growth_figure(pd.DataFrame([asdict(result) for result in results])).axes[0].get_lines()
    assert [line.get_label() for line in lines] == list(METRICS)
    assert len({(line.get_color(), line.get_linestyle(), line.get_marker()) for line in lines}) == len(METRICS)
    assert len({line.get_marker() for line in lines}) == len(METRICS), "in grey, too"

"""What a sweep shows: on a terminal, in plain lines, and to `gexbench status` in another terminal."""

import io
import json
import os
import re
import subprocess
import sys
import time

import pytest
from rich.console import Console

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.running import progress
from gexbench.benchmark.running.progress import Display, duration
from gexbench.benchmark.running.progress_file import PROGRESS, Shown, shown_lines

COMMAND = [sys.executable, "-m", "gexbench.benchmark.cli"]


@pytest.fixture
def cells(workbench):
    return workbench.runner({"one": {}, "two": {}}).plan.cells


def display(terminal, width=150):
    return Display(Console(file=io.StringIO(), force_terminal=terminal, width=width))


def test_a_terminal_shows_counts_losses_throughput_and_the_time_left(cells):
    shown = display(True)
    with shown.started(6, cached=3):
        job = Job("train", cells[0].fold, cells[0])
        shown.progress(0, job, "fit", 0, 100, {})
        time.sleep(0.05)
        shown.progress(0, job, "fit", 50, 100, {"loss": 0.125})
        shown.job_done(job, Outcome("ok"))
        shown.cell_done(cells[1], Outcome("ok"))
        shown.cell_done(cells[2], Outcome("failed", "no luck"))
        shown.progress(1, None, "idle", 0, 0, {})
        assert shown.running[0].steps_per_s > 0
        assert 0 < shown.snapshot()["left_s"] < 60
    text = shown.console.file.getvalue()
    for part in ("1 failed", "1 ok", "3 cached", "1 running", "1/6", f"fit {cells[0].slot}", "loss 0.125", "steps/s"):
        assert part in text, part
    assert f"{cells[2].slot}: failed: no luck" in text


def test_a_narrow_terminal_keeps_what_matters(cells):
    shown = display(True, width=80)
    with shown.started(112, cached=12):
        job = Job("train", cells[-1].fold, cells[-1])
        shown.progress(0, job, "fit", 0, 100, {})
        time.sleep(0.05)
        shown.progress(0, job, "fit", 50, 100, {"critic_loss": 0.5, "generator_loss": 1.0})
        shown.job_done(job, Outcome("ok"))
        shown.cell_done(cells[0], Outcome("ok"))
    text = shown.console.file.getvalue()
    for part in (
        "cells: 1 ok, 12 cached, 1 running",
        "1/112",
        "left 0:0",
        f"fit {cells[-1].slot}",
        "steps/s",
    ):
        assert part in text, part
    assert shown.left_s() > 1


@pytest.fixture
def clock(monkeypatch):
    """A clock of the display that only the test moves, in seconds."""
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def plain_lines(shown):
    """What follows the time of day in every line."""
    lines = shown.console.file.getvalue().splitlines()
    assert "\x1b" not in "".join(lines)
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d  \S.*", line) for line in lines)
    return [line[10:] for line in lines]


def test_without_a_terminal_a_line_every_few_seconds_and_one_per_failure(cells, clock):
    shown = display(False)
    with shown.started(200, cached=3, cells=103):
        for _ in range(50):
            clock[0] += 0.2
            shown.progress(0, Job("train", cells[0].fold, cells[0]), "fit", 1, 2, {"loss": 1.0})
            shown.job_done(Job("train", cells[0].fold, cells[0]), Outcome("ok"))
            shown.cell_done(cells[0], Outcome("ok"))
        shown.cell_done(cells[1], Outcome("timeout", "took longer"))
        shown.progress(1, Job("score", cells[1].fold, cells[1]), "score", 0, 0, {})
        clock[0] += 6
        shown.progress(1, Job("score", cells[1].fold, cells[1]), "score", 1, 2, {})
    said = plain_lines(shown)
    assert said[0] == "3 cells were computed before and are skipped"
    assert re.fullmatch(rf"2\d/103 cells, training {cells[0].slot}, about \d+ s left", said[1])
    assert said[3] == f"{cells[1].slot}: timeout: took longer"
    assert re.fullmatch(rf"54/103 cells, 1 timeout, training {cells[0].slot} and 1 more, about \d+ s left", said[4])
    assert len(said) == 6, "50 cells in 10 seconds are two lines; then the failure, a line and the last one"


def test_without_a_terminal_the_lines_of_a_long_sweep_become_rarer(cells, clock):
    shown = display(False)
    shown.started(1000, cached=0)
    for _ in range(7200):
        clock[0] += 1
        shown.progress(0, Job("train", cells[0].fold, cells[0]), "fit", 1, 2, {})
    assert 200 < len(plain_lines(shown)) < 300, "of two hours"


def test_the_last_plain_line_counts_every_cell(cells):
    shown = display(False)
    with shown.started(2, cached=0, cells=1):
        shown.cell_done(cells[0], Outcome("failed", "no luck"))
    assert plain_lines(shown)[-1] == "1/1 cells, 1 failed"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (5399, "90 min"), (9000, "2.5 h")]
)
def test_a_duration_has_the_unit_that_people_would_use(seconds, text):
    assert duration(seconds) == text


def test_the_file_says_what_runs_and_goes_at_the_end(cells, tmp_path):
    path = tmp_path / PROGRESS
    with Shown(path, display(False)) as shown:
        assert list(shown_lines(path)) == []
        shown.display.cell_done(cells[1], Outcome("failed", "no luck"))
        shown.progress(0, Job("train", cells[0].fold, cells[0]), "fit", 3, 10, {"loss": 0.5})
        first, second = shown_lines(path)
        assert "1 failed" in first
        assert f"fit {cells[0].slot} 3 of 10  " in second
        assert second.endswith(" steps/s  loss 0.5")
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "pid": 999_999_999}))
        assert list(shown_lines(path)) == [], "the sweep was killed"
        path.write_text("{")
        assert list(shown_lines(path)) == []
    assert not path.exists()


@pytest.mark.slow  # trains until another process has looked: fifteen seconds on a free machine
def test_status_in_another_terminal_shows_what_runs(workbench, tmp_path):
    run = ["run", "--cohort", "small", "--folds", "0", "--generators", "cvae", "--budget", "cpu", "--name", "test"]
    sweep = subprocess.Popen([*COMMAND, *run], cwd=tmp_path, stdout=subprocess.DEVNULL, env=os.environ)
    said = ""
    while sweep.poll() is None and "fit cvae.random-0.0" not in said:
        said = subprocess.run(
            [*COMMAND, "status", "test"], cwd=tmp_path, capture_output=True, text=True, check=False
        ).stdout
    sweep.kill()
    sweep.wait()
    assert "fit cvae.random-0.0" in said
    assert "steps/s" in said
    assert "time left" in said
    assert "of 5 cells" in said
    after = subprocess.run([*COMMAND, "status", "test"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "running for" not in after.stdout

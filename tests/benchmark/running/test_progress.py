"""What a sweep shows: on a terminal, in plain lines, and to `gexbench status` in another terminal."""

import io
import json
import os
import subprocess
import sys
import time

import pytest
from rich.console import Console

from gexbench.benchmark.cells.jobs import Job, Outcome
from gexbench.benchmark.running.progress import Display
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


def test_without_a_terminal_there_are_plain_lines(cells):
    shown = display(False)
    with shown.started(2, cached=0):
        shown.progress(0, Job("train", cells[0].fold, cells[0]), "fit", 1, 2, {"loss": 1.0})
        shown.cell_done(cells[0], Outcome("ok"))
        shown.cell_done(cells[1], Outcome("timeout", "took longer"))
    lines = shown.console.file.getvalue().splitlines()
    assert [line.partition("] ")[2] or line for line in lines] == [
        f"{cells[0].slot}: ok (1 cells done)",
        f"{cells[1].slot}: timeout: took longer",
    ]
    assert "\x1b" not in "".join(lines)


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

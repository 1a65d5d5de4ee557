"""Time of the verbs that only look."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("what", ["generators", "metrics", "tasks", "cohorts"])
def test_ls(benchmark, what):
    command = [sys.executable, "-m", "gexbench.benchmark.cli", "ls", what]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=5, warmup_rounds=1)


def test_dry_run(benchmark, tmp_path):
    command = [sys.executable, "-m", "gexbench.benchmark.cli", "run", "--dry-run", "--results", str(tmp_path)]
    benchmark.pedantic(lambda: subprocess.run(command, check=True, capture_output=True), rounds=3, warmup_rounds=1)

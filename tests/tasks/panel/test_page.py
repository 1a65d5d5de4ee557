"""The page of metrics is the catalogue's."""

import subprocess
import sys
from pathlib import Path

import pytest

from gexbench.tasks.panel.built_in import CATALOGUE
from gexbench.tasks.panel.page import metrics_page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "metrics" / "index.md"
COMMAND = [sys.executable, "-m", "gexbench.benchmark.cli", "ls"]


def test_every_metric_is_a_row_of_its_family_with_a_cell_for_every_head():
    parts = {part.split("\n")[0].lower(): part for part in metrics_page().split("\n## ")[1:]}
    for spec in CATALOGUE:
        name = f"| `{spec.name}{'[label]' if spec.per_label else ''}` |"
        (row,) = [line for line in parts[spec.family].splitlines() if line.startswith(name)]
        assert row.replace("\\|", "").count("|") == 12
        assert spec.reference in row
        assert f"| {spec.panel} | {spec.version} |" in row


@pytest.mark.skipif(not PAGE.parent.is_dir(), reason="needs the source tree")
def test_the_committed_page_is_the_catalogues():
    assert PAGE.read_text() == metrics_page(), "make it anew: gexbench ls metrics --markdown > docs/metrics/index.md"


def test_the_command_prints_it():
    assert subprocess.run([*COMMAND, "metrics", "--markdown"], capture_output=True, text=True, check=True).stdout == (
        metrics_page()
    )
    refused = subprocess.run([*COMMAND, "tasks", "--markdown"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "page of metrics" in refused.stderr

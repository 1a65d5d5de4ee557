"""docs/add-a-generator/metric-or-task.md does what it says: a package adds a metric and a task to a leaderboard."""

import csv
import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "add-a-generator" / "metric-or-task.md"
NAMES = ("range_metrics.low_extremes", "range_metrics.high_extremes", "range_metrics.range_coverage")

pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="needs the source tree")


def _guide_module():
    spec = importlib.util.spec_from_file_location("guide", Path(__file__).with_name("test_guide.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outputs_of(folder):
    """Output of the guide's commands, line by line, after its files before them were written."""
    module, outputs = _guide_module(), {}
    for kind, text in module.BLOCK.findall(GUIDE.read_text(encoding="utf-8")):
        if kind in ("python", "toml"):
            path = folder / text.partition("\n")[0].removeprefix("# ")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        for line in text.splitlines() if kind == "console" else ():
            ended = module.ran(line, folder)
            assert ended.returncode == 0, f"{line}\n{ended.stdout}\n{ended.stderr}"
            outputs[line] = ended.stdout
    return outputs


@pytest.mark.slow  # installs a package, scores four references on a fold of the simulated cohort: a minute
@pytest.mark.timeout(900)
def test_the_package_of_the_guide_is_listed_scored_recorded_and_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    outputs = outputs_of(tmp_path)
    listed, asked = outputs["$ gexbench ls metrics"], outputs["$ gexbench ls tasks"]
    assert all(name in listed for name in NAMES)
    assert "do synthetic profiles hold extreme values" in asked
    folder = tmp_path / "gexbench-results" / "leaderboards" / "with-ranges"
    records = {path.name: json.loads(path.read_text()) for path in (folder / "records").glob("*.json")}
    coverage = {name: record["metrics"][NAMES[2]] for name, record in records.items()}
    real, mean = (coverage[f"{name}.random-0.0.json"]["value"] for name in ("real-holdout", "class-mean"))
    assert 0.8 < real <= 1
    assert mean < 0.5
    classes = records["class-gaussian.random-0.0.json"]["per_class"]["range_metrics.extremes"]
    assert len(classes) > 2
    with (folder / "leaderboard.csv").open(newline="") as table:  # the table of all metrics
        (row,) = [row for row in csv.DictReader(table) if row["generator"] == "class-gaussian"]
    assert float(row["overall_score_mean"]) > 0
    assert all(0 <= float(row[f"{name}_mean"]) <= 1 and f"{name}_score_mean" not in row for name in NAMES)
    main = (folder / "leaderboard.md").read_text().split("\n\n")
    assert any("| range ↑ |" in part and "| copies |" in part for part in main)
    for name, record in records.items():
        assert all(record["metrics"][metric]["reason"] is None for metric in NAMES), name


def test_without_the_package_the_suite_has_its_own_metrics_alone():
    from gexbench.metrics import CATALOGUE
    from gexbench.tasks.panel.catalogue import catalogue

    assert catalogue() == CATALOGUE

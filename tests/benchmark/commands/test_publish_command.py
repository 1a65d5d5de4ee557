"""From a sweep, with generators fitted on a share of the patients too, to a published folder that verifies."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.benchmark.commands.report import write_and_show
from gexbench.tasks.cohorts.cohort_folder import save_cohort
from gexbench.tasks.data_directory import cohort_folder
from gexbench.tasks.errors import InputError
from gexbench.tasks.simulated.cohort import simulated_cohort


@pytest.fixture
def made(workbench):
    runner = workbench.runner({"one": {}}, train_fractions=(0.3,))
    runner.run(2, workbench.display())
    return runner


def publish(made, folder, *more):
    return CliRunner().invoke(app, ["publish", "test", str(folder), "--results", str(made.results), *more])


def test_a_sweep_is_published_once_and_verifies(made, tmp_path):
    few = json.loads((made.folder / "records" / "one@0.3.random-0.0.json").read_text())
    whole = json.loads((made.folder / "records" / "one.random-0.0.json").read_text())
    assert few["state"] == "ok", few["reason"]
    assert few["train_fraction"] == 0.3
    assert few["fitted"] < 0.4 * whole["fold"]["train"]
    assert whole["train_fraction"] == 1.0
    assert few["fold"] == whole["fold"]
    assert few["seeds"] != whole["seeds"]
    shown = CliRunner().invoke(app, ["status", "test", "--results", str(made.results)])
    assert shown.exit_code == 0
    counts = {line.split()[0]: line.split()[1:] for line in shown.output.splitlines() if line.split()[1:]}
    assert counts["one"] == counts["one@0.3"] == ["1", "0", "–"]
    cells = len(made.plan.cells)
    assert f"{cells} of {cells} cells have a record" in shown.output
    folder = tmp_path / "published" / "small" / "v1"
    assert publish(made, folder, "--note", "A note.").exit_code == 0
    assert {"CITATION.cff", "CITE.txt", "cohort.txt", "environment.json"} <= {path.name for path in folder.iterdir()}
    assert made.plan.fingerprint in (folder / "cohort.txt").read_text()
    assert "## Generators fitted on few patients" in (folder / "leaderboard.md").read_text()
    assert CliRunner().invoke(app, ["verify", str(folder)]).exit_code == 0
    again = publish(made, folder)
    assert isinstance(again.exception, InputError)
    assert "choose the next version" in str(again.exception)
    (folder / "CITE.txt").write_text("someone else")
    found = CliRunner().invoke(app, ["verify", str(folder)])
    assert found.exit_code == 1
    assert "CITE.txt: changed" in found.output
    with pytest.raises(InputError, match="is published and keeps its note"):
        write_and_show(None, folder, "Another note.")


def test_an_unfinished_sweep_or_another_cohort_is_not_published(made, tmp_path):
    path = made.folder / "records" / "one.random-0.0.json"
    content = path.read_text()
    path.unlink()
    lacking = publish(made, tmp_path / "v1")
    assert "1 cells have no record (one)" in str(lacking.exception)
    assert publish(made, tmp_path / "v1", "--partial").exit_code == 0
    path.write_text(content)
    shutil.rmtree(cohort_folder("small"))
    save_cohort(simulated_cohort(patients=240, genes=40, seed=2, name="small"), cohort_folder("small"))
    other = publish(made, tmp_path / "v2")
    assert "is not the cohort of the records" in str(other.exception)
    assert not (tmp_path / "v2").exists()

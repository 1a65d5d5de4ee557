"""The commands of the README and the documentation, run for real, page by page and in order, in an empty folder."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the source tree")


def _documented():
    path = Path(__file__).with_name("test_documented_commands.py")
    spec = importlib.util.spec_from_file_location("documented_commands", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.command_lines()


TCGA = "needs the TCGA tables or the cohort built from them"
LONG = "trains every generator: minutes to hours; the same command with fewer generators is run"
ALL = "gexbench run"
ONLY_PARSED = {
    ALL: LONG,
    "gexbench run --cohort mine --budget cpu": LONG,
    "--cohort tcga": TCGA,
    "cohort build tcga --expression": TCGA,
    "gexbench cohort compare published:tcga": TCGA,
    "gexbench cohort compare tcga": TCGA,
    "gexbench cohort card tcga": TCGA,
    "gexbench cohort export tcga": TCGA,
    "gexbench cohort tile": "needs whole slides and an encoder's weights",
    "--executor ray": "needs a Ray cluster",
    "--from-public": "downloads the public files",
    "--from-package": "needs the data files of a package that is not installed",
    "--rows cvae,gemm-gan": "needs the rows of a sweep over all generators",
}
"""What a command is or contains → why no test runs it; tests/documentation/test_documented_commands.py parses it."""


def reason_of(line):
    """Why a command is only parsed, or None."""
    line = line.removeprefix(".venv/bin/")
    return next((why for text, why in ONLY_PARSED.items() if line == text or (text in line and text != ALL)), None)


def lines_of(page):
    return [line for found, line in _documented() if found == page]


@pytest.fixture
def folder(tmp_path):
    """A folder with what the commands read: expression and labels of 60 patients, a sweep, and the
    published leaderboards.
    """
    rng = np.random.default_rng(0)
    genes, samples = [f"GENE{at}" for at in range(12)], [f"TCGA-AA-{1000 + at}-01A-01R" for at in range(60)]
    values = rng.gamma(2.0, 2.0, (60, 12)).astype(np.float32)
    labels = np.where(np.arange(60) % 2, "one", "two")
    frame = pd.DataFrame(values, index=pd.Index(samples, name="sample"), columns=genes)
    frame.assign(disease=labels).to_parquet(tmp_path / "expression.parquet")
    frame.round(0).assign(project=labels).to_csv(tmp_path / "aliquots.csv")
    obs = pd.DataFrame({"subtype": labels}, index=samples)
    anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=genes)).write_h5ad(tmp_path / "mine.h5ad")
    donors = pd.DataFrame({"tissue": labels, "donor": [name[:12] for name in samples]}, index=samples)
    tissues = anndata.AnnData(values, obs=donors, var=pd.DataFrame(index=genes), uns={"unit": "log2(tpm+1)"})
    tissues.write_h5ad(tmp_path / "gtex.h5ad")
    if importlib.util.find_spec("mudata"):
        _write_mudata(tmp_path / "both.h5mu", tissues, rng.normal(size=(60, 4)).astype(np.float32))
    (tmp_path / "sweep.yaml").write_text("folds: [0]\ngenerators: {mixup: {}}\nresources: {device: cpu}\n")
    (tmp_path / "leaderboards").symlink_to(ROOT / "leaderboards")
    return tmp_path


def _write_mudata(path, tissues, features):
    import mudata

    images = anndata.AnnData(features, obs=pd.DataFrame(index=tissues.obs_names))
    with mudata.set_options(pull_on_update=False):
        mudata.MuData({"expression": tissues, "patches": images}).write_h5mu(path)


def ran(line, folder):
    words = line.removeprefix(".venv/bin/").removeprefix("gexbench ")
    command = f"{sys.executable} -m gexbench.benchmark.cli {words}"
    environment = {**os.environ, "GEXBENCH_DATA": str(folder / "data")}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


FIRST = "gexbench run --generators cvae,wgan-gp-label,class-gaussian --folds 0"
GUIDES = {"docs/add-a-generator/index.md", "docs/add-a-generator/metric-or-task.md"}
"""Pages that tests of their own run."""
START = {"docs/index.md": [FIRST], "docs/leaderboards/index.md": [FIRST]}
"""In place of `gexbench run`, whose leaderboard these pages go on with."""


@pytest.mark.slow  # trains two generators, builds cohorts, draws the figures of a published leaderboard: minutes
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", sorted({page for page, _ in _documented()} - GUIDES))
def test_the_commands_of_a_page_work_in_order(page, folder):
    lines = [line for line in lines_of(page) if reason_of(line) is None]
    if any(".h5mu" in line for line in lines):
        pytest.importorskip("mudata")
    for line in START.get(page, []) + lines:
        ended = ran(line, folder)
        assert ended.returncode == 0, f"{line}\n{ended.stdout[-2000:]}\n{ended.stderr[-2000:]}"
        assert "Traceback" not in ended.stderr


def test_every_reason_belongs_to_a_command_and_most_commands_are_run():
    lines = [line.removeprefix(".venv/bin/") for _, line in _documented()]
    for text in ONLY_PARSED:
        assert any(reason_of(line) == ONLY_PARSED[text] for line in lines), text
    assert sum(reason_of(line) is None for line in lines) >= 18

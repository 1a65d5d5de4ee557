"""`gexbench compare` on the published leaderboards."""

import sys
from pathlib import Path

import pandas as pd
import pytest

from gexbench.benchmark import cli

PUBLISHED = Path(__file__).resolve().parents[3] / "leaderboards" / "published"
pytestmark = pytest.mark.skipif(not PUBLISHED.is_dir(), reason="needs the source tree")
V2, V3, SITE = (str(PUBLISHED / place) for place in ("tcga/v2", "tcga/v3", "tcga-site/v1"))


@pytest.fixture
def compare(capsys, monkeypatch, tmp_path):
    """`compare(*arguments)`: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["gexbench", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return (ended.value.code or 0, *capsys.readouterr())

    return run


def test_two_rows_of_one_leaderboard(compare, tmp_path):
    code, output, errors = compare(V3, "--generators", "cvae,class-gaussian")
    assert code == 0, errors
    assert "tstr_lr_accuracy[project] ↑" in output
    assert "cvae - class-gaussian" in output
    assert output.splitlines()[-1].startswith("nothing written")
    assert list(tmp_path.iterdir()) == []


def test_two_versions_of_a_leaderboard(compare, tmp_path):
    code, output, errors = compare(V2, V3, "--csv", "differences.csv")
    assert code == 0, errors
    assert "only in v2 (3 cells): oracle, fold 0" in output
    assert "note: diffusion: version 1 and version 2" in output
    assert output.splitlines()[-1] == "all differences: differences.csv"
    table, _, rest = output.partition("equal in every score and metric (")
    equal = set(rest.splitlines()[0].partition(": ")[2].split(", "))
    rows = pd.read_csv(tmp_path / "differences.csv")
    whole = rows.groupby("generator")[["difference", "half_width"]].agg(lambda each: each.fillna(0).eq(0).all())
    assert equal == set(whole.index[whole.all(axis=1)])
    assert "class-gaussian" in equal
    assert "\ndiffusion " in table
    assert "\nclass-gaussian " not in table
    unchanged = rows[(rows["generator"] == "class-gaussian") & (rows["kind"] == "metric")]
    assert (unchanged["difference"].dropna() == 0).all()
    assert (rows.loc[rows["generator"] == "diffusion", "difference"] != 0).any()
    code, output, _ = compare(V2, V3, "--generators", "diffusion")
    assert "diffusion: v2 and v3" in output
    assert "frechet ↓" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([V3], "give two leaderboards, or one with --generators A,B"),
        ([V3, "--generators", "cvae"], "give two leaderboards"),
        ([V3, "--generators", "cvea,vae"], "did you mean 'cvae'"),
        ([V3, SITE], "track differs: random and site"),
        ([V3, "nowhere"], "no leaderboard 'nowhere'"),
        ([V3, "--generators", "cvae,vae", "--csv", "no/such/folder.csv"], "its folder does not exist"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, message, compare, tmp_path):
    code, _, errors = compare(*arguments)
    assert code == 2
    assert message in errors
    assert list(tmp_path.iterdir()) == []

"""The way into the studies: the list, the help of each, and names that are none."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gexbench.benchmark.studies.__main__ import COMMAND, STUDIES, main

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


def test_the_list_names_every_study():
    command = [sys.executable, "-m", "gexbench.benchmark.studies"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert max(map(len, listed.splitlines())) <= 80
    assert re.findall(r"^  (\S+)  ", listed, re.MULTILINE) == list(STUDIES)


@pytest.mark.parametrize("study", STUDIES)
def test_the_help_of_a_study_has_examples(study, capsys):
    with pytest.raises(SystemExit) as ended:
        main([study, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"{COMMAND} {study}" in shown.partition("Examples")[2]


def test_an_unknown_study_is_one_clear_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["sweep"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "error: unknown study 'sweep'; did you mean 'sweeps'?\n"


@pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the source tree")
def test_pages_name_studies_that_there_are():
    named = [(page.name, study) for page in PAGES for study in re.findall(rf"{COMMAND}(\S*)\s+(\S*)", page.read_text())]
    assert {study for _, (_, study) in named} & set(STUDIES)
    assert [place for place in named if place[1][0] or place[1][1].strip("`.,;") not in STUDIES] == []

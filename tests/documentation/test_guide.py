"""docs/add-a-generator/index.md does what it says: its files and commands, in order, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "add-a-generator" / "index.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
REPLACED = {
    "gexbench ": f"{sys.executable} -m gexbench.benchmark.cli ",
    "python -m pip install .": f"{sys.executable} -m pip install -q --no-deps --no-build-isolation --target site .",
    "python -m pytest": f"{sys.executable} -m pytest -p no:cacheprovider",
}
"""The commands as this interpreter runs them; a package goes into a folder, not into the environment."""

pytestmark = pytest.mark.skipif(not GUIDE.is_file(), reason="needs the source tree")


def blocks():
    return BLOCK.findall(GUIDE.read_text(encoding="utf-8"))


def ran(line, folder):
    command = line.removeprefix("$ ").partition("    # ")[0]
    for written, here in REPLACED.items():
        command = re.sub(rf"(^|(?<= )){re.escape(written)}", here.replace("\\", r"\\"), command)
    site = {"PYTHONPATH": str(folder / "site"), "GEXBENCH_DATA": str(folder / "data")}
    environment = {**os.environ, **site}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_guide_uses_the_commands_it_is_about():
    lines = [line for kind, text in blocks() if kind == "console" for line in text.splitlines()]
    assert all(line.startswith("$ ") for line in lines)
    for verb in ("new", "check", "run", "compare", "reproduce", "ls"):
        assert any(f"gexbench {verb} " in line for line in lines), verb


@pytest.mark.slow  # trains and scores ten cells of the simulated cohort: minutes
@pytest.mark.timeout(1800)
def test_every_file_and_command_of_the_guide_works_in_order(tmp_path):
    outputs = {}
    for kind, text in blocks():
        name = text.partition("\n")[0].removeprefix("# ")
        if kind in ("python", "toml"):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        for line in text.splitlines() if kind == "console" else ():
            ended = ran(line, tmp_path)
            expected = 1 if "# exit code 1" in line else 0
            assert ended.returncode == expected, f"{line}\n{ended.stdout}\n{ended.stderr}"
            outputs[line] = ended.stdout
    shown = next(text for kind, text in blocks() if kind == "text")
    assert shown in next(text for line, text in outputs.items() if "exit code 1" in line)
    listed = next(text for line, text in outputs.items() if "ls generators" in line)
    assert "factor model" in listed
    assert "equal bits" in next(text for line, text in outputs.items() if "reproduce" in line)

"""The layout: `X/` imports as `gexbench.X`, `gexbench/` as `gexbench`, from a checkout and from the built wheel."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("benchmark", "leaderboards", "metrics", "models", "tasks")

pytestmark = pytest.mark.skipif(not (ROOT / "pyproject.toml").exists(), reason="needs the source tree")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def packages_on_disk():
    found = {"gexbench"}
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            found.add("gexbench." + ".".join(path.parent.relative_to(ROOT).parts))
    return found


def test_the_list_of_packages_is_the_folders():
    assert set(project()["tool"]["setuptools"]["packages"]) == packages_on_disk()


def test_every_package_has_an_init_and_the_whole_is_typed():
    for package in packages_on_disk() - {"gexbench"}:
        assert (ROOT.joinpath(*package.split(".")[1:]) / "__init__.py").exists(), package
    for name in ("__init__.py", "__main__.py", "py.typed"):
        assert (ROOT / "gexbench" / name).exists(), name


def test_constraints_pin_torch_and_every_dependency():
    pinned = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    }
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()
    for requirement in project()["project"]["dependencies"]:
        if "Darwin'" in requirement and "==" in requirement:
            continue
        name = requirement.split(";")[0].split("[")[0]
        for mark in "<>=~! ":
            name = name.split(mark)[0]
        assert name.lower().replace("_", "-") in pinned, requirement


def test_the_readmes_first_two_code_blocks_are_one_line_each():
    blocks = (ROOT / "README.md").read_text().split("```")[1::2]
    for block in blocks[:2]:
        lines = block.partition("\n")[2].strip().splitlines()
        assert len(lines) == 1
        assert "-c constraints.txt" in lines[0]


def test_the_wheel_works_beside_a_strangers_models_and_metrics(tmp_path):
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert all(name.startswith(("gexbench/", "gexbench-")) for name in names)
    assert [name for name in names if name.endswith("py.typed")] == ["gexbench/py.typed"]
    target = tmp_path / "site"
    for stranger in ("models", "metrics"):
        (target / stranger).mkdir(parents=True)
        (target / stranger / "__init__.py").write_text("STRANGER = True\n")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "sys.meta_path = [finder for finder in sys.meta_path if 'editable' not in repr(finder).lower()]\n"
        "import models, metrics, gexbench, gexbench.models, gexbench.metrics\n"
        "assert gexbench.__file__.startswith(sys.argv[1]) and gexbench.load_leaderboard and gexbench.__version__\n"
        "assert models.STRANGER and metrics.STRANGER\n"
        "assert gexbench.models.__file__.startswith(sys.argv[1]), gexbench.models.__file__\n"
        "assert len(gexbench.models.registry()) >= 14\n"
        "from gexbench.metrics import precision\n"
        "import numpy\n"
        "x = numpy.random.default_rng(0).random((20, 3))\n"
        "assert precision(x, x) == 1.0\n"
    )
    subprocess.run([sys.executable, "-c", code, str(target)], check=True, cwd=tmp_path)

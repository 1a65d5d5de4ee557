"""Planted faults: each fits the code, and the tests find it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
pytestmark = pytest.mark.skipif(not (TESTS.parent / "metrics").exists(), reason="needs the source tree")


@pytest.fixture(scope="module")
def mutations(monkeypatch_module):
    spec = importlib.util.spec_from_file_location("mutation_list", TESTS / "mutation_list.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch_module.setitem(sys.modules, "mutation_list", module)  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module.MUTATIONS


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_every_fault_fits_the_code(mutations):
    problems = []
    for mutation in mutations:
        text = (TESTS.parent / mutation.path).read_text()
        if text.count(mutation.old) != 1:
            problems.append(f"{mutation.name}: {mutation.old!r} occurs {text.count(mutation.old)} times")
        else:
            compile(text.replace(mutation.old, mutation.new), mutation.path, "exec")
        problems += [f"{mutation.name}: no {name}" for name in mutation.tests if not (TESTS / name).exists()]
    assert problems == []
    names = [mutation.name for mutation in mutations]
    assert len(set(names)) == len(names) >= 10


def run(*arguments):
    return subprocess.run(
        [sys.executable, TESTS / "mutations.py", *arguments], capture_output=True, text=True, check=False
    )


def test_help_says_how_to_run_it():
    ended = run("--help")
    assert ended.returncode == 0
    assert "python tests/mutations.py" in ended.stdout
    assert run("--only", "no such fault").returncode == 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_fault_survives():
    ended = run()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "0 survived" in ended.stdout

"""The page of what a sweep costs: its figures, and a test for every fault that it names."""

import ast
from pathlib import Path

import pytest

from gexbench.benchmark.studies.speed.sweep_faults import DISTURBANCES, FAULTS, ISOLATION, TESTS
from gexbench.benchmark.studies.speed.sweeps_page import (
    CachedCost,
    InLineCost,
    SpeedUp,
    WorkerCost,
    markdown,
    write_page,
)

FOLDER = Path(__file__).parents[1]
PAGE = FOLDER.parents[1] / "docs" / "clusters" / "sweep-speed.md"


def source(file):
    (path,) = FOLDER.rglob(file)
    return ast.parse(path.read_text())


def functions_of(file):
    return {node.name for node in ast.walk(source(file)) if isinstance(node, ast.FunctionDef)}


def bad_generators():
    """The keys of `BAD` in the tests of isolation."""
    for node in source("test_isolation.py").body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "BAD":
            return {key.value for key in node.value.keys}
    raise LookupError("BAD")


@pytest.mark.parametrize(
    "test", [f"test_isolation.py::{test}" for *_, test in FAULTS] + [row[-1] for row in DISTURBANCES]
)
def test_every_fault_of_the_page_has_its_test(test):
    file, _, name = test.partition("::")
    name, _, fault = name.rstrip("]").partition("[")
    assert name in functions_of(file)
    if fault:
        assert fault in bad_generators()


def test_every_generator_that_goes_wrong_in_the_tests_stands_in_the_page():
    assert {test.rstrip("]").partition("[")[2] for *_, test in FAULTS} - {""} == bad_generators()


def test_the_page_holds_the_costs_against_their_aims(tmp_path):
    costs = [
        WorkerCost("fork", "built in", 4.0, (0.05, 0.04, 0.2)),
        WorkerCost("spawn", "foreign", 9.0, (6.0,)),
        CachedCost(1000, 2.5, 2.25),
        InLineCost(10_000, 1.25, 1.0, 400_000_000, 3_000_000),
    ]
    text = write_page(tmp_path, [*costs, SpeedUp(1.95)], 0.1).read_text()
    for part in (
        "| overhead of a cell, forked, built in generator | 0.050 s (median of 3, 0.040 to 0.200); the first 4.0 s |",
        "| cached sweep of 1,000 cells | 2.50 s (2.25 s of CPU) | under 3 s |",
        "| 10,000 cells in-line | 1.25 ms each (1.00 ms of CPU) | 5 ms |",
        "400 MB at the end, +3.0 MB since the first tenth",
        "1.95 times as fast",
        f"Faults survived: {len(FAULTS) + len(DISTURBANCES)} of {len(FAULTS) + len(DISTURBANCES)}",
    ):
        assert part in text
    assert (FOLDER.parents[1] / TESTS / ISOLATION).is_file()
    assert f"{TESTS}/{ISOLATION}" in text
    assert "free cores (load 0.1" in text
    busy = markdown([*costs, SpeedUp(None)], 3.0)
    assert "other work was running" in busy
    assert "not measured: it needs two free cores" in busy


def test_the_page_in_the_documentation_names_the_faults_of_today():
    text = PAGE.read_text()
    for *cells, test in (*FAULTS, *DISTURBANCES):
        assert f"| {' | '.join(cells)} | `{test}` |" in text

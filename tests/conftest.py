"""Fixtures shared by all tests."""

import os
from pathlib import Path

# Before NumPy and torch read it: two threads per test on two cores cost several times the time of one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from gexbench.tasks.cohort import Cohort
from gexbench.tasks.simulated import simulated_cohort

# The same examples every time: a red test means a change, not a draw.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def small_cohort() -> Cohort:
    """A simulated cohort of 240 patients and 40 genes."""
    return simulated_cohort(patients=240, genes=40, seed=1, name="small")


@pytest.fixture(scope="session")
def tcga_source() -> Path:
    """The folder with the TCGA files, from GEXBENCH_TCGA_SOURCE."""
    folder = os.environ.get("GEXBENCH_TCGA_SOURCE")
    if not folder:
        pytest.skip("GEXBENCH_TCGA_SOURCE names no folder with the TCGA files")
    return Path(folder)

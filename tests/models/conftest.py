"""Fixtures of the models' tests."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.folds import folds


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Other numbers of threads give other bits, and tiny networks on a busy machine are many times slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(small_cohort: Cohort) -> DeviceFold:
    """The first fold of the small cohort, on the CPU; anew for each file, since a test may write to it."""
    return put_on_device(small_cohort, folds(small_cohort)[0])


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    """The plain formulation of GeMM-GAN."""
    spec = importlib.util.spec_from_file_location(
        "plain_gemm_gan", Path(__file__).parent / "wgan_gp" / "plain_gemm_gan.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Fixtures of the timed cases."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    """The plain formulation of GeMM-GAN."""
    spec = importlib.util.spec_from_file_location(
        "plain_gemm_gan", Path(__file__).parents[1] / "models" / "plain_gemm_gan.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

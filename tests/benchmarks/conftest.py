"""Fixtures of the timed cases."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from gexbench.benchmark.machine.environment import hardware


def pytest_benchmark_update_machine_info(config: pytest.Config, machine_info: dict[str, Any]) -> None:
    """What the page of the measured speeds says of the machine."""
    machine_info["hardware"] = hardware()
    machine_info["torch"] = torch.__version__


@pytest.fixture(scope="session")
def plain() -> ModuleType:
    """The plain formulation of GeMM-GAN."""
    spec = importlib.util.spec_from_file_location(
        "plain_gemm_gan", Path(__file__).parents[1] / "models" / "wgan_gp" / "plain_gemm_gan.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

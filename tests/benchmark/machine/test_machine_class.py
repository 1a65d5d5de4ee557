"""The machine class follows what the libraries say of their kernels."""

import os
import platform
import subprocess
import sys

import pytest

from gexbench.benchmark.machine import machine_class as module
from gexbench.benchmark.machine.machine_class import machine_class

LIMITS = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "sse41", "OPENBLAS_CORETYPE": "Nehalem"}
PRINT = "from gexbench.benchmark.machine.machine_class import machine_class as of; print(of())"


def test_the_class_names_processor_and_kernels():
    found = machine_class()
    assert found.architecture == platform.machine()
    assert found.processor
    assert str(found) == str(machine_class())
    assert f"torch {found.torch}, MKL {found.mkl}, oneDNN" in str(found)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the limits are of x86-64")
def test_limits_set_by_the_environment_make_another_class():
    environment = {**os.environ, **LIMITS}
    ended = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True)
    assert "torch DEFAULT," in ended.stdout
    assert "oneDNN SSE41," in ended.stdout
    if any("openblas" in library for library in machine_class().blas):
        assert "Nehalem" in ended.stdout


def test_a_processor_is_named_by_its_numbers():
    intel = {"vendor_id": "GenuineIntel", "cpu family": "6", "model": "207", "model name": "Intel(R) Xeon(R)"}
    arm = {"CPU implementer": "0x41", "CPU variant": "0x1", "CPU part": "0xd40"}
    assert module._model(intel) == "GenuineIntel 6 207"
    assert module._model(arm) == "0x41 0x1 0xd40"
    assert module._model({}) == (platform.processor() or "unknown")

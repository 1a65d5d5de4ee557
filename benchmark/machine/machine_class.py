"""The machine class: what decides the last bits of a number computed on a CPU.

Libraries choose their kernels by the processor, and kernels differ in the order of their sums. Training amplifies the
difference. Equal bits can be expected of two machines of one class with equal versions, seeds and threads.
"""

import ctypes
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_MODEL = ("vendor_id", "cpu family", "model", "CPU implementer", "CPU variant", "CPU part")


@dataclass(frozen=True, slots=True)
class MachineClass:
    """The processor, and the kernels that the libraries of this process chose for it.

    Attributes:
        architecture: such as `x86_64` or `arm64`.
        processor: maker, family and model as the operating system numbers them. Kernels block their sums by the
            caches of a model too, and nothing else tells that.
        torch: SIMD level of torch's own kernels, such as `AVX2`; `DEFAULT` where it has none.
        mkl: number of the kernels of the MKL inside torch; `none` where there is none or it does not tell.
        onednn: limit of the instruction set set by the environment, else `unlimited`: the processor decides.
        numpy: SIMD extensions that NumPy uses beyond its baseline.
        blas: BLAS libraries of NumPy and SciPy with version and kernels, such as `openblas 0.3.30 Haswell`; empty
            where they cannot be asked, as Apple's Accelerate.
    """

    architecture: str
    processor: str
    torch: str
    mkl: str
    onednn: str
    numpy: tuple[str, ...]
    blas: tuple[str, ...]

    def __str__(self) -> str:
        numpy, blas = (" ".join(found) or "none" for found in (self.numpy, self.blas))
        kernels = f"torch {self.torch}, MKL {self.mkl}, oneDNN {self.onednn}, NumPy {numpy}, BLAS {blas}"
        return f"{self.architecture} {self.processor}: {kernels}"


@cache
def machine_class() -> MachineClass:
    """The class of this machine under this process's environment; imports torch, NumPy and SciPy to ask them.

    Counted as settings of the environment: `ATEN_CPU_CAPABILITY`, `MKL_ENABLE_INSTRUCTIONS`, `MKL_CBWR`,
    `ONEDNN_MAX_CPU_ISA`, `NPY_DISABLE_CPU_FEATURES`, `OPENBLAS_CORETYPE`.
    """
    import numpy as np
    import scipy.linalg  # noqa: F401  its BLAS is listed once it is loaded
    import torch
    from threadpoolctl import threadpool_info

    libraries = [each for each in threadpool_info() if each["user_api"] == "blas"]
    limits = (os.environ.get(name) for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"))
    return MachineClass(
        platform.machine(),
        _model(processor_facts()),
        torch.backends.cpu.get_cpu_capability(),
        _mkl(),
        next((limit.upper() for limit in limits if limit), "unlimited"),
        tuple(np.show_config(mode="dicts")["SIMD Extensions"].get("found", ())),
        tuple(sorted({_kernels(each) for each in libraries})),
    )


def processor_facts() -> Mapping[str, str]:
    """What Linux says of the first processor: name → value; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().partition("\n\n")[0].splitlines()
    except OSError:
        return {}
    parts = (line.partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in parts}


def _model(facts: Mapping[str, str]) -> str:
    return " ".join(facts[name] for name in _MODEL if name in facts) or platform.processor() or "unknown"


def _mkl() -> str:
    import torch

    try:
        library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"))
        return str(library.mkl_serv_cpu_detect())
    except (OSError, AttributeError):
        return "none"


def _kernels(library: Mapping[str, object]) -> str:
    return " ".join(str(library[key]) for key in ("internal_api", "version", "architecture") if library.get(key))

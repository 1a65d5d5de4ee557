"""Fixtures shared by all tests."""

import hashlib
import importlib.util
import io
import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

# Before NumPy and torch read it: two threads per test on two cores cost several times the time of one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.files.package_files import DataFile, DataPackage
from gexbench.tasks.simulated.cohort import simulated_cohort

# The same examples every time: a red test means a change, not a draw.
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def small_cohort() -> Cohort:
    """A simulated cohort of 240 patients and 40 genes."""
    return simulated_cohort(patients=240, genes=40, seed=1, name="small")


@pytest.fixture(scope="session")
def load_test_module() -> Callable[[str], ModuleType]:
    """Loads a module of the tests' folder that is no test, by its place there without `.py`."""

    def load(place: str) -> ModuleType:
        path = (Path(__file__).parent / place).with_suffix(".py")
        name = path.stem
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def encoded_rows() -> Iterator[dict[str, int]]:
    """Rows that passed through each class of conditioning encoder, counted while the test runs."""
    import torch

    from gexbench.models.conditioning.encoders import ENCODERS, EncoderSizes
    from gexbench.models.conditioning.fusion import FusionSizes

    sizes = EncoderSizes((2,), FusionSizes(8, 8, 8, 1))
    classes = tuple({type(encoder.build(sizes)) for name, encoder in ENCODERS.items() if name != "none"})
    rows: dict[str, int] = {}

    def count(module: torch.nn.Module, inputs: object, output: object) -> None:
        if isinstance(module, classes) and isinstance(output, torch.Tensor):
            name = type(module).__name__
            rows[name] = rows.get(name, 0) + len(output)

    handle = torch.nn.modules.module.register_module_forward_hook(count)
    yield rows
    handle.remove()


@pytest.fixture(scope="session")
def layouts(load_test_module: Callable[[str], ModuleType]) -> ModuleType:
    """The writers of public layouts, `tests/tasks/public/public_layouts.py`."""
    return load_test_module("tasks/public/public_layouts")


@pytest.fixture(scope="session")
def tcga_source() -> Path:
    """The folder with the TCGA files, from GEXBENCH_TCGA_SOURCE."""
    folder = os.environ.get("GEXBENCH_TCGA_SOURCE")
    if not folder:
        pytest.skip("GEXBENCH_TCGA_SOURCE names no folder with the TCGA files")
    return Path(folder)


@pytest.fixture(scope="session")
def mirna_wheel(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataPackage, Path]:
    """A made-up package laid out like syng-bts, and its wheel: four projects of 30 patients each, read counts.

    BRCA has besides a normal sample (patient 0), a second aliquot (patient 1) and a metastasis (patient 2); LIHC is
    named by patient, and patient 0 is listed twice. Its code raises when it is imported.
    """
    generator = np.random.default_rng(0)
    suffixes = {"BRCA": [(0, "11A"), (1, "01B"), (2, "06A")], "PRAD": [(3, "11A")], "SKCM": [(4, "07A")], "LIHC": []}
    genes = {name: ["hsa.mir.21", "hsa.let.7a.1", "hsa.mir.9.3", "hsa.mir.30a"] for name in suffixes}
    genes["PRAD"], genes["LIHC"] = genes["PRAD"][::-1], genes["LIHC"][:3]
    files, content = [], {}
    for project, more in suffixes.items():
        patients = [f"TCGA.{project[:1]}{row % 6}.{row:04d}" for row in range(30)]
        names = [f"{name}.01A.11R.A010.13" for name in patients]
        names += [f"{patients[row]}.{kind}.21R.A010.13" for row, kind in more]
        names = [*patients, patients[0]] if project == "LIHC" else names
        values = generator.integers(0, 5000, (len(names), len(genes[project])))
        written = io.BytesIO()
        pd.DataFrame(values, index=pd.Index(names, name="samples"), columns=genes[project]).to_parquet(written)
        path, data = f"made_up_counts/data/{project}.parquet", written.getvalue()
        content[path] = data
        files.append(DataFile(path, len(data), hashlib.sha256(data).hexdigest()))
    package = DataPackage("made-up-counts", "1.2", "AGPL-3.0-only", "only its data files are read", tuple(files))
    content["made_up_counts/__init__.py"] = b"raise RuntimeError('the package was imported')"
    content["made_up_counts-1.2.dist-info/METADATA"] = b"Metadata-Version: 2.1\nName: made-up-counts\nVersion: 1.2\n"
    wheel = tmp_path_factory.mktemp("wheel") / "made_up_counts-1.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in content.items():
            archive.writestr(path, data)
    return package, wheel

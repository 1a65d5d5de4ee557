"""Saved generators: what is written, what is refused, what is never executed."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from gexbench.models import registry
from gexbench.models.checkpoint import load, save
from gexbench.models.registry import create
from gexbench.tasks.cohorts.device_fold import DeviceFold
from gexbench.tasks.errors import InputError


@pytest.fixture
def saved(data: DeviceFold, tmp_path: Path) -> Path:
    """A folder with a saved class-diagonal."""
    generator = create(registry()["class-diagonal"], "quick")
    generator.fit(data.train, data.validation, seed=0)
    save(generator, "class-diagonal", tmp_path / "model")
    return tmp_path / "model"


def change(folder: Path, **values: Any) -> None:
    path = folder / "generator.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_the_files_are_json_and_plain_tensors(saved: Path, data: DeviceFold) -> None:
    content = json.loads((saved / "generator.json").read_text())
    assert content["generator"] == "class-diagonal"
    assert content["schema"] == 1
    tensors = load_file(saved / "tensors.safetensors")
    np.testing.assert_array_equal(tensors["gene_mean"], data.train.standardiser.mean.numpy())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"version": "0"}, "saved by class-diagonal version 0.*fit it again"),
        ({"schema": 99}, "not a generator saved with schema 1"),
        ({"generator": "class-diagnoal"}, "did you mean 'class-diagonal'"),
    ],
)
def test_other_versions_schemas_and_names_are_refused(saved: Path, values: dict[str, Any], message: str) -> None:
    change(saved, **values)
    with pytest.raises(InputError, match=message):
        load(saved, registry())


@pytest.mark.parametrize("name", ["generator.json", "tensors.safetensors"])
@pytest.mark.parametrize("content", [b"", b"{", b"\x00\xff\x00"])
def test_damaged_files_are_refused(saved: Path, name: str, content: bytes) -> None:
    (saved / name).write_bytes(content)
    with pytest.raises(InputError, match="cannot be read"):
        load(saved, registry())


@pytest.mark.parametrize("name", ["generator.json", "tensors.safetensors"])
def test_a_pickle_is_never_executed(saved: Path, tmp_path: Path, name: str) -> None:
    trace = tmp_path / "trace"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (trace,)

    (saved / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError):
        load(saved, registry())
    assert not trace.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere/generator\.json: cannot be read"):
        load(tmp_path / "nowhere", registry())

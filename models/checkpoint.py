"""Saving and loading generators: safetensors for tensors, JSON for the rest, never pickle."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from gexbench.models.registry import Registry
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import read_regular

if TYPE_CHECKING:
    from gexbench.models.contract import Generator

SCHEMA = 1
_TENSORS, _FACTS = "tensors.safetensors", "generator.json"


def save(generator: "Generator", name: str, folder: Path) -> None:
    """Write a fitted generator into `folder` (made if absent) under its registry key."""
    tensors, facts = generator.state()
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, folder / _TENSORS)
    content = {
        "schema": SCHEMA,
        "generator": name,
        "version": generator.Settings.version,
        "settings": generator.settings.model_dump(mode="json"),
        "facts": facts,
    }
    (folder / _FACTS).write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False))


def load(folder: Path, generators: Registry, device: torch.device | str = "cpu") -> "Generator":
    """The generator saved in `folder`; it samples the same bits on the same machine and device.

    The class comes from the registry by name: nothing that the folder holds is executed.

    Raises:
        InputError: unreadable files, another schema, an unknown generator or another version of it.
    """
    content = _read_facts(folder / _FACTS)
    entry = generators[str(content["generator"])]
    cls = entry.load()
    if content["version"] != cls.Settings.version:
        raise InputError(
            f"{folder.name}: saved by {entry.name} version {content['version']}, "
            f"this version of gexbench has {cls.Settings.version}; fit it again"
        )
    try:
        tensors = load_file(folder / _TENSORS)
    except Exception as error:  # safetensors raises its own and OSError alike
        raise InputError(f"{folder.name}/{_TENSORS}: cannot be read ({error}); fit the generator again") from None
    generator = cls(cls.Settings.model_validate_json(json.dumps(content["settings"])))
    target = torch.device(device)
    generator.restore({key: value.to(target) for key, value in tensors.items()}, content["facts"], target)
    return generator


def _read_facts(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(read_regular(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path.parent.name}/{path.name}: cannot be read ({error})") from None
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise InputError(f"{path.parent.name}/{path.name}: not a generator saved with schema {SCHEMA}")
    return content

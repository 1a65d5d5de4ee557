"""A generator's source file that the user named: read once, and run from the bytes that were read; no torch."""

import hashlib
import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

from gexbench.tasks.files.input_paths import read_regular

LARGEST_BYTES = 2**24
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_")


def key_of(class_name: str) -> str:
    """The registry key of a class: `MyModel` → `my-model`, `CVAEGemm` → `cvae-gemm`."""
    return "-".join(part.lower() for part in _WORDS.split(class_name) if part)


@dataclass(frozen=True)
class LocalFile:
    """A Python file and its content.

    The content travels to worker processes with the path, so the code that runs is the code that was hashed, even if
    the file is edited meanwhile. Tracebacks name the file without its folder.

    Attributes:
        path: its location; never shown.
        source: its bytes.
    """

    path: Path
    source: bytes = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "LocalFile":
        """The file at `path`; raises OSError."""
        return cls(path.resolve(), read_regular(path, LARGEST_BYTES))

    @property
    def name(self) -> str:
        """Its name without the folder."""
        return self.path.name

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of its content (hexadecimal)."""
        return hashlib.sha256(self.source).hexdigest()

    def module(self) -> ModuleType:
        """The file as a module, executed once per process; whatever its code raises is passed on."""
        name = f"gexbench_local_{self.sha256[:16]}"
        if name in sys.modules:
            return sys.modules[name]
        loader = _SourceInHand(self)
        module = module_from_spec(ModuleSpec(name, loader, origin=self.name))
        module.__file__ = str(self.path)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


class _SourceInHand(SourceLoader):
    """Loads a module from bytes that were read before; writes no bytecode beside the file."""

    def __init__(self, file: LocalFile) -> None:
        self.file = file

    def get_filename(self, fullname: str) -> str:
        """Name shown in tracebacks."""
        return self.file.name

    def get_data(self, path: str | bytes) -> bytes:
        """The source, for any argument."""
        return self.file.source

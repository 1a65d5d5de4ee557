"""Software and hardware as stated in records; never a path, a user or a host."""

import ast
import hashlib
import os
import platform
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gexbench.benchmark.machine.machine_class import processor_facts
from gexbench.models.local.file import LocalFile

_PACKAGES = (
    "gexbench", "torch", "numpy", "scipy", "pandas", "scikit-learn", "xgboost", "xgboost-cpu", "pyro-ppl",
    "anndata", "safetensors", "pyarrow", "diffusers", "scvi-tools",
)  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """Distribution name → version of Python and all packages that affect numbers."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


@cache
def hardware() -> dict[str, Any]:
    """Processor, cores, memory and architecture of this machine."""
    import psutil

    return {
        "processor": processor_facts().get("model name") or platform.processor() or "unknown",
        "architecture": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count() or 1,
        "memory_bytes": psutil.virtual_memory().total,
    }


@cache
def suite() -> dict[str, str | None]:
    """The suite's version and, in a git checkout, its commit (with `+` when files differ from it)."""
    root = Path(__file__).resolve().parents[2]
    return {"version": versions().get("gexbench", "unknown"), "commit": _commit(root)}


def _commit(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


@cache
def source_hash(target: str, file: LocalFile | None = None) -> str:
    """SHA-256 over the source of a generator's module and everything of gexbench that it imports.

    Args:
        target: `module:Class`.
        file: takes the module's place.
    """
    seen: dict[str, bytes] = {} if file is None else {file.name: file.source}
    waiting = [target.partition(":")[0]] if file is None else sorted(_imports(file.source))
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        try:
            spec = find_spec(module)
        except Exception:  # the code of another package, which may raise anything; its cells fail or are skipped
            spec = None
        if spec is None or not spec.origin or not spec.origin.endswith(".py"):
            continue
        seen[module] = Path(spec.origin).read_bytes()
        waiting += sorted(_imports(seen[module]))
    digest = hashlib.sha256()
    for module in sorted(seen):
        digest.update(module.encode() + b"\0" + seen[module] + b"\0")
    return digest.hexdigest()


def _imports(source: bytes) -> set[str]:
    found: set[str] = set()
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("gexbench"):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if _is_module(node.module, alias.name)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("gexbench")}
    return found


def _is_module(package: str, name: str) -> bool:
    try:
        return find_spec(f"{package}.{name}") is not None
    except ModuleNotFoundError:
        return False


def scrubbed(text: str, file: LocalFile | None = None) -> str:
    """Text without absolute paths, user names or host names, for a record that may be published.

    Args:
        text: a message, a warning or a traceback.
        file: of a local generator, whose folder may have a name that no pattern finds the end of.
    """
    root = str(Path(__file__).resolve().parents[2])
    if file is not None:
        text = text.replace(str(file.path.parent), "…")
    for place, name in ((root, "<gexbench>"), (sys.prefix, "<python>"), (sys.base_prefix, "<python>")):
        text = text.replace(place, name)
    text = re.sub(r"(?<![\w<>.])/(?:[\w.+-]+/)+", "…/", text)
    host = platform.node()
    return text.replace(host, "<host>") if len(host) > 3 else text

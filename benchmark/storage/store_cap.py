"""A cap on the size of a store: the largest kept rows leave first, never those that a running sweep needs."""

import contextlib
import json
import math
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from gexbench.benchmark.storage.store import Store
from gexbench.tasks.files.atomic import write_text


@dataclass(frozen=True, slots=True)
class Evicted:
    """What left a store: number of cells whose rows went, their bytes, and the bytes that the store still holds."""

    cells: int
    freed: int
    held: int

    def __add__(self, later: "Evicted") -> "Evicted":
        return Evicted(self.cells + later.cells, self.freed + later.freed, later.held)


def evict(store: Store, cap_bytes: float, needed: Collection[str] = ()) -> Evicted:
    """Let go of kept rows, the largest first, until the store is no larger than `cap_bytes` or none may go.

    Records stay, and so do models and training logs: a cell whose rows are gone is still in its tables, and is
    trained anew only when it is to be scored again.

    Args:
        store: the store; cap_bytes: its wanted size.
        needed: train keys of the own sweep's cells that are still to be scored; those of other processes' sweeps
            are needed, too (`in_use`).
    """
    held = 0 if math.isinf(cap_bytes) else _size(store.folder)
    if held <= cap_bytes:
        return Evicted(0, 0, held)
    stays = {*needed, *_keys_of_others(store)}
    sizes = {path: _size(path) for path in _kept_rows(store) if path.name not in stays}
    cells = freed = 0
    for path, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0].name)):
        if held - freed <= cap_bytes:
            break
        store.drop_rows(path.name)
        cells += 1
        freed += size
    return Evicted(cells, freed, held - freed)


@contextlib.contextmanager
def in_use(store: Store, keys: Collection[str]) -> Iterator[None]:
    """Keep other processes from evicting the rows under these train keys while this one runs its sweep."""
    path = store.folder / "running" / f"{os.getpid()}.json"
    write_text(path, json.dumps(sorted(keys)))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _keys_of_others(store: Store) -> set[str]:
    """Train keys that sweeps of other living processes need; what dead ones left behind is swept away."""
    found: set[str] = set()
    for path in (store.folder / "running").glob("*.json"):
        if not (path.stem.isdigit() and psutil.pid_exists(int(path.stem))):
            path.unlink(missing_ok=True)
        elif int(path.stem) != os.getpid():
            with contextlib.suppress(OSError, ValueError):
                found.update(json.loads(path.read_text()))
    return found


def _kept_rows(store: Store) -> Iterator[Path]:
    return (path for path in (store.folder / "rows").iterdir() if not path.name.startswith("."))


def _size(path: Path) -> int:
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total

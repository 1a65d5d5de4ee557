"""The CUDA devices of this machine and the memory a training needs; imports no torch."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gexbench.benchmark.storage.kept_records import kept_records
from gexbench.benchmark.storage.store import Store
from gexbench.benchmark.sweeps.cells import Cell, Plan
from gexbench.leaderboards.records import Record

GB = 10**9
CONTEXT_BYTES = GB
"""Device memory of a process beyond its tensors: CUDA's context, kernels, the workspace of cuBLAS."""

SLACK = 1.25
"""PyTorch's allocator may reserve more than the peak allocation, because of fragmentation."""

USABLE = 0.9
_QUERY = ("nvidia-smi", "--query-gpu=index,uuid,memory.total,mig.mode.current", "--format=csv,noheader,nounits")
_QUERY_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True)
class Device:
    """A CUDA device.

    Attributes:
        name: as `CUDA_VISIBLE_DEVICES` takes it.
        usable: bytes that cells may share; None where its memory is not known, so that nothing shares it.
    """

    name: str
    usable: int | None


def devices_of(listed: str, visible: str | None) -> tuple[Device, ...]:
    """Devices that a sweep may use; none when none is to be seen.

    Args:
        listed: lines of index, UUID, memory in MiB and MIG mode, as `nvidia-smi` gives them.
        visible: `CUDA_VISIBLE_DEVICES`, which stays in force; None when it is not set.
    """
    known: dict[str, Device] = {}
    parts = False
    for line in listed.splitlines():
        index, uuid, memory, mig = (part.strip() for part in (*line.split(","), "", "", "")[:4])
        parts |= mig == "Enabled"
        if uuid:
            usable = int(USABLE * int(memory) * 2**20) if memory.isdigit() and mig != "Enabled" else None
            known[index] = known[uuid] = Device(uuid, usable)
    if visible is None:
        # of GPUs that are divided, CUDA shows a process one part, under no name that is listed here
        return (Device("0", None),) if parts else tuple(dict.fromkeys(known.values()))
    named = [name.strip() for name in visible.split(",")]
    cut = named.index("-1") if "-1" in named else len(named)
    return tuple(_seen(name, known) for name in dict.fromkeys(named[:cut]) if name)


def _seen(name: str, known: Mapping[str, Device]) -> Device:
    """A device under the name that the user gave it, which CUDA may count in an order of its own."""
    found = known.get(name)
    if found is None and name.startswith("GPU-"):
        found = next((device for device in known.values() if device.name.startswith(name)), None)
    if found is None:
        return Device(name, None)
    alike = {device.usable for device in known.values()}
    return Device(name, found.usable if not name.isdigit() or len(alike) == 1 else None)


def found_devices() -> tuple[Device, ...]:
    """Devices of this machine; one that is not described where `nvidia-smi` cannot be asked."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    try:
        listed = subprocess.run(_QUERY, capture_output=True, text=True, check=True, timeout=_QUERY_LIMIT_S).stdout
    except (OSError, subprocess.SubprocessError):
        listed = ""
    return devices_of(listed, visible) or (Device("0", None),)


class DeviceNeeds:
    """Device memory that trainings need: stated, or what the same training took at its peak before.

    Args:
        plan: of the sweep; store: whose records are read once.
    """

    def __init__(self, plan: Plan, store: Store) -> None:
        self.plan, self.store = plan, store
        stated = plan.sweep.gpu_memory_gb
        self.stated = None if stated is None else int(stated * GB)
        self._peaks: dict[str, int] = {}
        for record in kept_records(store) if self.stated is None else ():
            self._learn(_kind_of_record(record), record.peak_memory_bytes.device)

    def of(self, cell: Cell) -> int | None:
        """Bytes of a cell's training, with what its process takes beside its tensors; None when nothing is known."""
        if self.stated is not None:
            return self.stated
        peak = self._peaks.get(_kind(cell, self.plan))
        return None if peak is None else int(SLACK * peak) + CONTEXT_BYTES

    def learn(self, cell: Cell) -> None:
        """Take note of what a training that has just ended well took."""
        peak = (self.store.read_facts(cell.train_key) or {}).get("peak_memory_bytes", {})
        self._learn(_kind(cell, self.plan), peak.get("device"))

    def _learn(self, kind: str, peak: int | None) -> None:
        if peak:
            self._peaks[kind] = max(peak, self._peaks.get(kind, 0))


def _kind(cell: Cell, plan: Plan) -> str:
    """What the peak of a training depends on."""
    return _text(cell.entry.name, cell.version, cell.settings, cell.train_fraction, plan.fingerprint)


def _kind_of_record(record: Record) -> str:
    generator = record.generator
    return _text(
        generator.name, generator.version, generator.settings, record.train_fraction, record.cohort.fingerprint
    )


def _text(*parts: Any) -> str:
    return json.dumps(parts, sort_keys=True)

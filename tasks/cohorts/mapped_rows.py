"""Rows of a memory-mapped file, read on demand."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gexbench.tasks.cohorts.mapped_files import release

HELD_SHARE = {"cpu": 0.125, "cuda": 0.5}
"""Share of the device's memory up to which patches are held on it by default."""


@dataclass(frozen=True, slots=True, eq=False)
class MappedRows:
    """Rows (total, width) that stay in their file; indexed like a tensor that is held.

    Rows are copied and their pages released immediately, so a process holds no more of the file than one result.

    Args:
        values: (total, width) float16 or float32, mapped read-only.
        device: where answers are put.
    """

    values: NDArray[np.floating[Any]]
    device: torch.device

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, ...]:
        """(total, width)."""
        return self.values.shape

    def __getitem__(self, index: Tensor) -> Tensor:
        """Rows at `index`, int64 of any shape → (*index.shape, width) on the device, in the file's type."""
        places = index.reshape(-1).cpu().numpy()
        # As bytes: in an archive the values need not be aligned, and taking rows would copy all of them first.
        stored = np.asarray(self.values).view(np.uint8)
        taken = torch.from_numpy(stored[places].view(self.values.dtype))
        release(self.values)
        return taken.reshape(*index.shape, self.shape[1]).to(self.device)


def fits(size: int, device: torch.device) -> bool:
    """Whether `size` bytes are within the device's `HELD_SHARE`."""
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
    else:
        import psutil

        total = psutil.virtual_memory().total
    return size <= HELD_SHARE.get(device.type, 0.5) * total

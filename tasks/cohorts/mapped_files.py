"""Arrays backed by a memory-mapped file; imports no torch."""

import mmap
from typing import Any

from numpy.typing import NDArray


def is_mapped(values: NDArray[Any]) -> bool:
    """Whether an array is backed by a memory-mapped file."""
    return _mapping(values) is not None


def release(values: NDArray[Any]) -> None:
    """Release the pages of a mapped array; the system reads them again on demand."""
    mapping = _mapping(values)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def _mapping(values: Any) -> mmap.mmap | None:
    while values is not None:
        if isinstance(values, mmap.mmap):
            return values
        values = getattr(values, "base", None)
    return None

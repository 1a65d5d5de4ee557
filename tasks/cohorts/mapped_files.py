"""Arrays whose values lie in a mapped file; imports no torch."""

import mmap
from typing import Any

from numpy.typing import NDArray


def is_mapped(values: NDArray[Any]) -> bool:
    """Whether an array's values lie in a mapped file."""
    return _mapping(values) is not None


def release(values: NDArray[Any]) -> None:
    """Give the pages of a mapped array back to the system, which reads them again when they are asked for."""
    mapping = _mapping(values)
    if mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
        mapping.madvise(mmap.MADV_DONTNEED)


def _mapping(values: Any) -> mmap.mmap | None:
    while values is not None:
        if isinstance(values, mmap.mmap):
            return values
        values = getattr(values, "base", None)
    return None

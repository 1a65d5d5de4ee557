"""Checks on HDF5 files that others made."""

from typing import Any

from gexbench.tasks.errors import InputError

_COMPRESSION_LIMIT = 1032


def check_promises(file: Any, name: str) -> None:
    """Refuse an open h5py file with a dataset whose shape promises more than the file holds.

    A reader would allocate by the shape; chunks that were never written cost no space in the file.

    Raises:
        InputError: names the dataset.
    """
    import h5py

    def visit(place: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return
        held = item.id.get_storage_size() * (1 if item.chunks is None else _COMPRESSION_LIMIT)
        promised = item.size * item.dtype.itemsize
        if promised > held:
            raise InputError(
                f"{name}: dataset {place!r} should hold {promised} bytes, but the file has at most {held}; copy it "
                "again"
            )

    file.visititems(visit)

"""Opening HDF5 files that others made: nothing outside the file is read, and nothing is larger than the file says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import open_regular

_COMPRESSION_LIMIT = 1032


@contextmanager
def opened_hdf5(path: Path) -> Iterator[Any]:
    """An open h5py file, once it is known that it holds all that it shows.

    Raises:
        InputError: links to other files, data in other files, a dataset that promises more than the file holds.
        OSError: no regular file, or none of HDF5.
    """
    import h5py

    open_regular(path).close()
    with h5py.File(path, "r") as file:
        _check_links(file, path.name)
        _check_datasets(file, path.name)
        yield file


def _check_links(file: Any, name: str) -> None:
    import h5py

    outside: list[str] = []

    def visit(place: bytes, link: Any) -> None:
        if link.type == h5py.h5l.TYPE_EXTERNAL:
            outside.append(place.decode(errors="replace"))

    file.id.links.visit(visit, info=True)
    if outside:
        raise InputError(
            f"{name}: {outside[0]!r} is a link to another file, which is not read; copy its content into this one"
        )


def _check_datasets(file: Any, name: str) -> None:
    """A reader would allocate by the shape; chunks that were never written cost no space in the file."""
    import h5py

    def visit(place: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return
        if item.is_virtual or item.external:
            raise InputError(f"{name}: dataset {place!r} keeps its values in other files; copy them into this one")
        held = item.id.get_storage_size() * (1 if item.chunks is None else _COMPRESSION_LIMIT)
        promised = item.size * item.dtype.itemsize
        if promised > held:
            raise InputError(
                f"{name}: dataset {place!r} should hold {promised} bytes, but the file has at most {held}; copy it "
                "again"
            )

    file.visititems(visit)

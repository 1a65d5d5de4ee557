"""Reading npz archives that others made: no pickles, no trust in headers that promise more than the file holds."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from gexbench.tasks.errors import InputError, examples
from gexbench.tasks.files.input_paths import check_file

_DEFLATE_LIMIT = 1032
"""Deflate cannot shrink data by more than this factor."""
_NAME_LENGTH = 26
"""Where a member's local header states the lengths of its name and of its extra field."""
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, KeyError, NotImplementedError)


def read_npz(path: Path, keys: Sequence[str], optional: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """The named arrays of an npz archive; missing optional ones are left out.

    Raises:
        InputError: no such file, not an archive, truncated, arrays missing, pickled (object) arrays, or headers that
            promise more than the file holds.
    """
    check_file(path, path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            missing = [key for key in keys if key not in members]
            if missing:
                raise InputError(
                    f"{path.name}: array {examples(missing)} is missing (there: {examples(sorted(members), 10)})"
                )
            wanted = [key for key in [*keys, *optional] if key in members]
            for key in wanted:
                _check(archive, members[key], path.name, key)
            return {key: _read(archive, members[key]) for key in wanted}
    except _BROKEN as error:
        raise InputError(
            f"{path.name}: not a readable npz archive, perhaps truncated ({error}); copy it again"
        ) from None


def map_npz(path: Path, key: str) -> NDArray[Any] | None:
    """An array of an npz archive, mapped read-only; None where it is compressed or empty and has to be read.

    Raises:
        InputError: as `read_npz`.
    """
    check_file(path, path.name)
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            member = archive.getinfo(f"{key}.npy")
            _check(archive, member, path.name, key)
            with archive.open(member) as stream:
                shape, by_column, dtype = _header(stream)
                header = stream.tell()
            if member.compress_type != zipfile.ZIP_STORED or by_column or not all(shape):
                return None
            file.seek(member.header_offset + _NAME_LENGTH)
            name, extra = struct.unpack("<HH", file.read(4))
            start = member.header_offset + _NAME_LENGTH + 4 + name + extra + header
            return np.memmap(path, dtype=dtype, mode="r", offset=start, shape=shape)
    except (*_BROKEN, struct.error) as error:
        raise InputError(
            f"{path.name}: not a readable npz archive, perhaps truncated ({error}); copy it again"
        ) from None


def write_npz(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays uncompressed; object arrays are refused."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def _check(archive: zipfile.ZipFile, member: zipfile.ZipInfo, file: str, key: str) -> None:
    with archive.open(member) as stream:
        shape, _, dtype = _header(stream)
        header = stream.tell()
    if dtype.hasobject:
        raise InputError(f"{file}: array {key!r} is pickled; save it with a numeric or string type")
    promised = header + dtype.itemsize * int(np.prod([int(size) for size in shape], dtype=object))
    stored = member.compress_type == zipfile.ZIP_STORED
    most = member.compress_size * (1 if stored else _DEFLATE_LIMIT) + (0 if stored else 1024)
    if promised > member.file_size or member.file_size > most:
        raise InputError(
            f"{file}: the header of array {key!r} promises {promised} bytes, the file holds "
            f"{min(member.file_size, most)}; copy the file anew"
        )


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        return np.asarray(npy_format.read_array(stream, allow_pickle=False))


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns stand together (Fortran's order), type."""
    version = npy_format.read_magic(stream)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, by_column, dtype = read(stream)
    return shape, by_column, dtype

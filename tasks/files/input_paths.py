"""Whether a path that a user named is a file or folder to read or write, and reading regular files without waiting."""

import errno
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

from gexbench.tasks.errors import InputError

LARGEST_BYTES = 2**30
"""Of a file that is read whole and whose reader names no other limit."""


def check_file(path: Path, named: str | None = None) -> None:
    """Refuse anything but a readable file, without reading it.

    Args:
        path: the file.
        named: how the message names it; None takes the path.

    Raises:
        InputError: nothing there, a link to nothing, a folder, a pipe or device, no permission.
    """
    where = named or str(path)
    try:
        if path.is_dir():
            raise InputError(f"{where}: is a folder; give a file")
        if is_dead_link(path):
            raise InputError(f"{where}: {dead_link(path)}")
        if not path.exists():
            raise InputError(f"{where}: no such file")
        if not path.is_file():
            raise InputError(f"{where}: is not a regular file; copy its content into one")
        path.open("rb").close()
    except OSError as error:
        raise InputError(f"{where}: cannot be read ({error.strerror}); fix the path or its permissions") from None


def is_folder(path: Path) -> bool:
    """Whether a path is a folder; False if access is denied."""
    try:
        return path.is_dir()
    except OSError:
        return False


def entries(folder: Path) -> list[Path]:
    """The entries of a folder, sorted by name.

    Raises:
        InputError: a folder that cannot be listed.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed ({error.strerror}); fix its permissions") from None


def is_writable(folder: Path) -> bool:
    """Whether a folder, or the nearest one above it that is there, can be written to."""
    place = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), folder)
    return is_folder(place) and os.access(place, os.W_OK | os.X_OK)


def is_dead_link(path: Path) -> bool:
    """Whether a path is a symbolic link to something that is not there."""
    try:
        return path.is_symlink() and not path.exists()
    except OSError:
        return False


def dead_link(path: Path) -> str:
    """The problem with a dead link."""
    return f"is a link to {path.readlink()}, which is not there; fix or remove the link"


def open_regular(path: Path) -> BufferedReader:
    """A regular file, opened for reading bytes; the caller closes it.

    A pipe or a device is refused before a byte of it is read, which could take for ever.

    Raises:
        OSError: anything that is no regular file, or cannot be opened.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def read_regular(path: Path, most: int = LARGEST_BYTES) -> bytes:
    """The bytes of a regular file, at most so many.

    Raises:
        OSError: anything that is no regular file, is larger, or cannot be read.
    """
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"larger than {most:,} bytes", str(path))
    return content


def checksum(path: Path) -> str:
    """SHA-256 of a regular file (hexadecimal); raises OSError as `open_regular`."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Reading files without waiting and without end: regular files only, no larger than expected."""

import errno
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path

LARGEST_BYTES = 2**30
"""Of a file that is read whole and whose reader names no other limit."""


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

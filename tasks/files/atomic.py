"""Writing a file whole or not at all."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

WRITING = ".writing-"
"""Beginning of the names of temporary files; the writer's process id follows."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the system says of a full disk, a used-up quota and a limit on the size of files."""
_CHUNK = 2**20
_UMASK = os.umask(0)
os.umask(_UMASK)  # the only way to read it is to set it


class DiskFull(OSError):
    """A place cannot be written to; what was written whole is kept."""


@contextlib.contextmanager
def said_when_full(place: Path) -> Iterator[None]:
    """Turn what the system says of a full disk into `DiskFull`, with the place that was written to as its file name."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL or isinstance(error, DiskFull):
            raise
        raise DiskFull(error.errno, f"the results cannot be written: {error.strerror}", str(place)) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; see `replacement`."""
    with replacement(path) as written:
        written.write_bytes(content)


@contextlib.contextmanager
def replacement(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which takes its place at the end: fsync, rename; nothing stays after an error.

    Raises:
        DiskFull: the disk is full; other OSErrors as they come.
    """
    with said_when_full(path.parent):
        handle, name = tempfile.mkstemp(prefix=f"{WRITING}{os.getpid()}-", suffix=path.suffix, dir=path.parent)
        written = Path(name)
        try:
            os.fchmod(handle, 0o666 & ~_UMASK)
            os.close(handle)
            yield written
            sync(written)
            written.replace(path)
            sync(path.parent)
        except BaseException:
            written.unlink(missing_ok=True)
            raise


def check_room(folder: Path, size: int) -> None:
    """Write so many bytes into a folder and take them away again.

    Raises:
        DiskFull: there is no room for them.
    """
    with said_when_full(folder), tempfile.TemporaryFile(prefix=f"{WRITING}{os.getpid()}-", dir=folder) as file:
        for start in range(0, size, _CHUNK):
            file.write(bytes(min(_CHUNK, size - start)))
        file.flush()


def write_changed(path: Path, content: bytes) -> None:
    """Write a file atomically where it does not hold this content already, which is much quicker."""
    try:
        if path.read_bytes() == content:
            return
    except FileNotFoundError:
        pass
    write_bytes(path, content)


def sync(path: Path) -> None:
    """Force a file or a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

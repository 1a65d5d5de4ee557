"""Writing a file whole or not at all."""

import os
import tempfile
from pathlib import Path

WRITING = ".writing-"
"""Beginning of the names of temporary files; the writer's process id follows."""
_UMASK = os.umask(0)
os.umask(_UMASK)  # the only way to read it is to set it


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; see `write_bytes`."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically: temporary file beside it, fsync, rename."""
    handle, name = tempfile.mkstemp(prefix=f"{WRITING}{os.getpid()}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, 0o666 & ~_UMASK)
            os.fsync(handle)
        Path(name).replace(path)
        sync_folder(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

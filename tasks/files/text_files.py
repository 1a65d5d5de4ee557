"""Text that may be compressed, checksums, and the facts that identify an input."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import check_file

_GZIP = b"\x1f\x8b"
_LONGEST_HEADER = 64 * 2**20


def is_gzip(path: Path) -> bool:
    """Whether the file begins like a gzip file, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == _GZIP


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The content of a file, unpacked where it is gzip.

    Raises:
        InputError: a file that cannot be opened; damaged or truncated gzip data.
    """
    check_file(path, path.name)
    try:
        with gzip.open(path, "rb") if is_gzip(path) else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path.name}: damaged gzip file, perhaps truncated ({error}); download it again") from None


def head_of(path: Path, size: int) -> bytes:
    """The first bytes of a file's content, unpacked where it is gzip.

    Raises:
        InputError: as `opened`.
    """
    with opened(path) as file:
        return file.read(size)


def header_of(path: Path) -> list[str]:
    """Tab-separated fields of the first line; one empty field where it is no text."""
    with opened(path) as file:
        line = file.readline(_LONGEST_HEADER)
    try:
        return line.decode("utf-8-sig").rstrip("\r\n").split("\t")
    except UnicodeDecodeError:
        return [""]


def checksum(path: Path, kind: str = "sha256") -> str:
    """Checksum of the file on disk (hexadecimal)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def input_facts(path: Path, role: str) -> dict[str, object]:
    """Role, name, bytes and SHA-256 of an input; no folder."""
    return {"role": role, "name": path.name, "bytes": path.stat().st_size, "sha256": checksum(path)}

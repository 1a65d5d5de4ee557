"""The store of a results folder: kept rows, records and fold preparations, each written atomically by key."""

import contextlib
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from gexbench.benchmark.storage.sealed import SCHEMA, Broken, sealed, sealed_bytes, unsealed, unsealed_bytes
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.atomic import FULL, WRITING, said_when_full, sync, write_bytes, write_text
from gexbench.tasks.files.input_paths import checksum, read_regular

PARTS = ("rows", "training", "records", "folds", "models", "running")
_FOLDERS = frozenset({"rows", "models"})
_SUFFIXES = {"training": ".log", "records": ".json", "folds": ".json"}
_SEALS = {"rows": "cell.json", "models": "files.json"}
"""File of an entry that is a folder, which holds its key and the checksums of its other files."""


class Store:
    """`rows/KEY/` (npz and JSON), `models/KEY/`, `training/KEY.log`, `records/KEY.json` and `folds/KEY.json`.

    Every entry appears at once or not at all (temporary file, fsync, rename) and holds its key and a checksum over
    both; an entry that cannot be read, was changed, or lies under another key than its own counts as missing and is
    listed in `corrupt`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.corrupt: list[str] = []

    def make(self) -> None:
        """Make the folders, and `store.json`, which holds the schema of the store.

        Raises:
            InputError: when they cannot be made; a store of another schema.
        """
        try:
            for part in PARTS:
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            written = json.dumps({"schema": SCHEMA}) + "\n"
            path = self.folder / "store.json"
            if not path.exists():
                write_text(path, written)
            if read_regular(path) != written.encode():
                raise InputError(
                    f"{path}: was written by another version of gexbench (this version reads schema {SCHEMA}); "
                    "use that version, or choose another --results"
                )
        except OSError as error:
            if error.errno in FULL:
                raise
            raise InputError(f"{self.folder}: cannot be created ({error.strerror}); choose another --results") from None

    def read_json(self, part: str, key: str) -> dict[str, Any] | None:
        """The content stored under a key of `records` or `folds`, or None."""
        path = self.folder / part / f"{key}.json"
        try:
            return unsealed(read_regular(path), key)
        except FileNotFoundError:
            return None
        except (OSError, Broken):
            self.corrupt.append(f"{part}/{path.name}")
            return None

    def each(self, part: str) -> Iterator[dict[str, Any]]:
        """The content of every whole entry of `records` or `folds`, in the order of their keys."""
        for path in sorted((self.folder / part).glob("*.json")):
            content = self.read_json(part, path.stem)
            if content is not None:
                yield content

    def write_json(self, part: str, key: str, content: Mapping[str, Any]) -> None:
        """Store JSON content under a key; raises ValueError on NaN."""
        write_text(self.folder / part / f"{key}.json", sealed(content, key))

    def write_log(self, key: str, log: bytes | None) -> None:
        """Keep the training log (parquet) of a train key; None takes away what an earlier attempt left."""
        path = self.folder / "training" / f"{key}.log"
        path.parent.mkdir(exist_ok=True)
        if log is None:
            path.unlink(missing_ok=True)
        else:
            write_bytes(path, sealed_bytes(log, key))

    def read_log(self, key: str) -> bytes | None:
        """The training log of a train key, None when there is none."""
        try:
            return unsealed_bytes(read_regular(self.folder / "training" / f"{key}.log"), key)
        except FileNotFoundError:
            return None
        except (OSError, Broken):
            self.corrupt.append(f"training/{key}.log")
            return None

    def has_rows(self, key: str) -> bool:
        """Whether rows are kept under a key (their checksum is verified when they are read)."""
        return (self.folder / "rows" / key / "cell.json").is_file()

    def drop_rows(self, key: str) -> None:
        """Let go of the rows under a key; a process that reads them meanwhile finds none."""
        folder = self.folder / "rows" / key
        (folder / "cell.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def drop_corrupt_rows(self, key: str) -> None:
        """Delete rows that a worker found corrupt, unless another process has repaired them since."""
        if self.read_rows(key) is None:
            self.drop_rows(key)

    def write_rows(self, key: str, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> None:
        """Keep the rows of a cell with JSON-able facts of its training; whole ones that are there already stay."""

        def fill(folder: Path) -> None:
            with (folder / "rows.npz").open("wb") as file:
                np.savez(file, allow_pickle=False, **dict(arrays))
                os.fsync(file.fileno())
            content = {**facts, "rows_sha256": checksum(folder / "rows.npz")}
            write_text(folder / _SEALS["rows"], sealed(content, key))

        self._write_folder("rows", key, fill, lambda: self.read_rows(key) is not None)

    def write_model(self, key: str, save: Callable[[Path], None]) -> None:
        """Keep a trained generator, which `save` writes into the folder that it is given."""

        def fill(folder: Path) -> None:
            save(folder)
            write_text(folder / _SEALS["models"], sealed(_checksums(folder), key))

        self._write_folder("models", key, fill)

    def model(self, key: str) -> Path | None:
        """The folder of the trained generator under a key, or None when it is missing or corrupt."""
        folder = self.folder / "models" / key
        try:
            if unsealed(read_regular(folder / _SEALS["models"]), key) != _checksums(folder):
                raise Broken("checksums")
        except FileNotFoundError:
            return None
        except (OSError, Broken):
            self.corrupt.append(f"models/{key}")
            return None
        return folder

    def _write_folder(
        self, part: str, key: str, fill: Callable[[Path], None], whole: Callable[[], bool] = lambda: False
    ) -> None:
        """Keep a folder that `fill` fills, in the place of one that is there and not `whole`."""
        target = self.folder / part / key
        with said_when_full(target.parent):
            target.parent.mkdir(exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f"{WRITING}{os.getpid()}-", dir=target.parent))
            try:
                fill(temporary)
                if not (target.exists() and whole()):
                    _put_in_place(temporary, target)
                shutil.rmtree(temporary, ignore_errors=True)
                sync(target.parent)
            except BaseException:
                shutil.rmtree(temporary, ignore_errors=True)
                raise

    def read_facts(self, key: str) -> dict[str, Any] | None:
        """Facts kept beside the rows under a key, which are not verified; None when missing or damaged."""
        try:
            return unsealed(read_regular(self.folder / "rows" / key / _SEALS["rows"]), key)
        except (OSError, Broken):
            return None

    def read_rows(self, key: str) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """Arrays and facts kept under a key, or None when missing or corrupt."""
        folder = self.folder / "rows" / key
        try:
            content = unsealed(read_regular(folder / _SEALS["rows"]), key)
            if content.pop("rows_sha256", None) != checksum(folder / "rows.npz"):
                raise Broken("checksum")
            with np.load(folder / "rows.npz", allow_pickle=False) as file:
                return {name: file[name] for name in file.files}, content
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, Broken):
            self.corrupt.append(f"rows/{key}")
            return None

    def packed(self, part: str, key: str) -> dict[str, bytes]:
        """The files of an entry, name → content, for another machine's store; none when there is no entry."""
        place = self.folder / part / key
        if part not in _FOLDERS:
            path = place.with_name(f"{key}{_SUFFIXES[part]}")
            return {path.name: path.read_bytes()} if path.is_file() else {}
        files = sorted(path for path in place.rglob("*") if path.is_file())
        return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}

    def unpack(self, part: str, key: str, packed: Mapping[str, bytes]) -> None:
        """Keep an entry that another store has packed; nothing packed takes away a training log, else does nothing."""
        if part == "training":
            self.write_log(key, next(iter(packed.values()), None))
        elif packed and part in _FOLDERS:
            self._write_folder(part, key, lambda folder: _fill(folder, packed))
        else:
            for content in packed.values():
                write_bytes(self.folder / part / f"{key}{_SUFFIXES[part]}", content)

    def drop(self, part: str, key: str) -> None:
        """Let go of an entry, where there is one."""
        if part in _FOLDERS:
            shutil.rmtree(self.folder / part / key, ignore_errors=True)
        else:
            (self.folder / part / f"{key}{_SUFFIXES[part]}").unlink(missing_ok=True)

    def sweep_temporaries(self) -> None:
        """Remove what an interrupted writer left behind; what a living process is writing stays."""
        for left in self.folder.glob(f"*/{WRITING}*"):
            writer = left.name.removeprefix(WRITING).partition("-")[0]
            if writer.isdigit() and psutil.pid_exists(int(writer)):
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _put_in_place(folder: Path, target: Path) -> None:
    """Rename a folder; what stands in its place goes aside first, so that it is never seen in part."""
    aside = folder.with_name(f"{folder.name}-replaced")
    with contextlib.suppress(FileNotFoundError):
        target.rename(aside)
    try:
        folder.rename(target)
    except OSError:
        if not target.exists():  # else another process has just kept the same
            raise
    shutil.rmtree(aside, ignore_errors=True)


def _fill(folder: Path, packed: Mapping[str, bytes]) -> None:
    for name, content in packed.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            os.fsync(file.fileno())


def _checksums(folder: Path) -> dict[str, str]:
    """Name → SHA-256 of every file of a folder but its seal."""
    return {
        path.relative_to(folder).as_posix(): checksum(path)
        for path in sorted(folder.rglob("*"))
        if not path.is_dir() and path.name != _SEALS["models"]
    }

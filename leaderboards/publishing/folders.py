"""Published leaderboards: folders whose records never change, and whose tables and checksums anyone can check.

The tables are a function of the records and the training logs; a version of the suite that draws them differently
draws them anew (`refresh`), after it has checked that nothing else differs from its checksum. The page and the figures
may stay as another version drew them: of these the checksum is what is checked.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard
from gexbench.leaderboards.pages.rendering import write
from gexbench.leaderboards.records import Record, RecordError, read_records
from gexbench.leaderboards.records.logs import read_logs
from gexbench.tasks.files.atomic import write_text

SUMS = "SHA256SUMS"
NOTE = "note.json"
FIGURES = "figures"
PAGE = "leaderboard.html"
_COPIED = ("records/*.json", "training/*.parquet", "sweep.json")


@dataclass(frozen=True, slots=True)
class Verification:
    """Findings of `verify`.

    Attributes:
        problems: faults; empty if the folder is as published and its tables follow from its records.
        remarks: what another version of the suite drew in another way, with its checksum in order.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...] = ()


class PublishedError(ValueError):
    """A folder that cannot be published; `problems` lists everything at once, with fixes."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


def publish(source: Path, target: Path, texts: Mapping[str, str], note: str | None) -> list[Record]:
    """Make `target` from a leaderboard's folder, whole or not at all.

    Args:
        source: folder with `records/`, `sweep.json` and, where they are kept, `training/` logs.
        target: the new folder, with the same files, the tables and the figures (PNG, each with its caption) of these
            records, `texts` and the checksums of all.
        texts: name → content of further files (cohort card, environment, citation).
        note: a sentence for the header.

    Returns:
        The records.

    Raises:
        PublishedError: a target that exists, records that cannot make a table.
    """
    if target.exists():
        raise PublishedError([f"{target} already exists, and published folders never change; choose the next version"])
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=target.parent) as temporary:
        made = Path(temporary) / target.name
        for pattern in _COPIED:
            for path in sorted(source.glob(pattern)):
                if not path.name.startswith("."):
                    copy = made / path.relative_to(source)
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, copy)
        if note is not None:
            texts = {**texts, NOTE: json.dumps({"note": note}) + "\n"}
        for name, text in texts.items():
            (made / name).write_text(text, encoding="utf-8")
        board, records = _with_tables(made)
        _draw(board, records, made / FIGURES)
        (made / SUMS).write_text(checksums(made), encoding="utf-8")
        made.replace(target)
    return records


def refresh(folder: Path) -> None:
    """Rebuild the tables of a published folder as this version writes them, with their checksums.

    Raises:
        PublishedError: anything but the tables differs from its checksum.
    """
    tables = _tables(folder)
    problems = [text for name, text in differences(folder).items() if name not in tables]
    if problems:
        raise PublishedError(problems)
    _with_tables(folder)
    write_text(folder / SUMS, checksums(folder))


def verify(folder: Path) -> Verification:
    """Whether every file of a published folder has its checksum and the tables are its records'.

    Tables are rebuilt from the records and compared byte for byte. A page that this version draws differently is a
    remark as long as its checksum matches; figures are compared by checksum only.
    """
    if not (folder / SUMS).is_file():
        return Verification((f"no {SUMS}; not a published leaderboard",))
    changed = differences(folder)
    problems, remarks = list(changed.values()), []
    try:
        tables = _tables(folder)
    except PublishedError as error:
        return Verification((*problems, *error.problems))
    for name, content in tables.items():
        path = folder / name
        if not path.is_file():
            problems.append(f"{name}: missing; rebuild it with `gexbench report`")
        elif path.read_bytes() == content:
            continue
        elif name == PAGE and name not in changed:
            remarks.append(
                f"{name}: its checksum matches, but this version of gexbench draws a different page from these records "
                "(`gexbench report FOLDER --formats html --out ELSEWHERE` writes it)"
            )
        else:
            problems.append(f"{name}: does not follow from the records; rebuild it with `gexbench report`")
    return Verification(tuple(problems), tuple(remarks))


def checksums(folder: Path) -> str:
    """A line `SHA-256  path` for every file of the folder but the checksums, by path: what `sha256sum -c` reads."""
    return "".join(f"{digest}  {name}\n" for name, digest in _digests(folder).items())


def _digests(folder: Path) -> dict[str, str]:
    own = {folder / SUMS, folder / f".{SUMS}"}
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path not in own)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def differences(folder: Path) -> dict[str, str]:
    """File → its mismatch with the checksums of a published folder; empty if all match."""
    found, stated = _digests(folder), {}
    for line in (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines():
        digest, _, name = line.partition("  ")
        stated[name] = digest
    problems = {}
    for name in sorted(found.keys() | stated.keys()):
        if name not in found:
            problems[name] = f"{name}: missing"
        elif name not in stated:
            problems[name] = f"{name}: not in {SUMS}"
        elif found[name] != stated[name]:
            problems[name] = f"{name}: changed since it was published"
    return problems


def _with_tables(folder: Path) -> tuple[Leaderboard, list[Record]]:
    try:
        records = read_records(folder / "records")
        board = leaderboard(records, _note(folder))
        write(board, folder, records, logs=read_logs(folder, records))
    except RecordError as error:
        raise PublishedError(list(error.problems)) from None
    return board, records


def _draw(board: Leaderboard, records: list[Record], folder: Path) -> None:
    from gexbench.leaderboards.figures.catalogue import drawings  # matplotlib is not needed to verify
    from gexbench.leaderboards.figures.writing import write_figure, write_file

    for drawing in drawings(board, records)[0]:
        write_figure(drawing.draw(), folder, drawing.name, ["png"])
        write_file(folder / f"{drawing.name}.txt", f"{drawing.caption}\n".encode())


def _tables(folder: Path) -> dict[str, bytes]:
    """File → content of every table that the folder's records give."""
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        try:
            records = read_records(folder / "records")
            write(leaderboard(records, _note(folder)), place, records, logs=read_logs(folder, records))
        except RecordError as error:
            raise PublishedError(list(error.problems)) from None
        return {path.name: path.read_bytes() for path in sorted(place.iterdir())}


def _note(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / NOTE).read_text(encoding="utf-8"))["note"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishedError([f"{folder.name}/{NOTE}: cannot be read ({error})"]) from None

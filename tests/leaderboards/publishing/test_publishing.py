"""Published folders: whole or not at all, never again, and checkable."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gexbench.leaderboards.publishing.folders import SUMS, PublishedError, Verification, publish, refresh, verify

References = Callable[[int], list[dict[str, Any]]]


def unlisted(folder: Path, name: str) -> None:
    """A file gone, and its checksum with it."""
    (folder / name).unlink()
    lines = (folder / SUMS).read_text().splitlines(keepends=True)
    (folder / SUMS).write_text("".join(line for line in lines if not line.endswith(f"  {name}\n")))


def hidden(folder: Path) -> None:
    """A file that is named like the checksums, elsewhere."""
    (folder / "x").mkdir()
    (folder / "x" / SUMS).write_bytes(b"\xff")


def rewritten(folder: Path, name: str, text: str, by: str) -> None:
    """A file changed, and its checksum with it."""
    path, sums = folder / name, folder / SUMS
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_text(path.read_text().replace(text, by))
    assert text not in path.read_text()
    sums.write_text(sums.read_text().replace(old, hashlib.sha256(path.read_bytes()).hexdigest()))


@pytest.fixture
def source(tmp_path: Path, references: References) -> Path:
    """A leaderboard's folder with the four references on three folds."""
    folder = tmp_path / "made"
    (folder / "records").mkdir(parents=True)
    for content in references(3):
        name = f"{content['generator']['name']}.random-{content['fold']['index']}.0.json"
        (folder / "records" / name).write_text(json.dumps(content))
    (folder / "sweep.json").write_text("{}")
    (folder / "records" / ".writing").write_text("half")
    return folder


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    made = tmp_path / "published" / "v1"
    publish(source, made, {"CITE.txt": "cite me\n"}, "A note.")
    return made


def test_a_published_folder_holds_everything_and_verifies(folder: Path, source: Path) -> None:
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        "leaderboard.md",
        "leaderboard.csv",
        "leaderboard.html",
        "figures/overall.png",
        "figures/overall.txt",
        "sweep.json",
        "note.json",
        "CITE.txt",
        SUMS,
    } <= names
    assert len([name for name in names if name.startswith("records/")]) == 12
    assert "A note." in (folder / "leaderboard.md").read_text()
    assert verify(folder) == Verification(())
    assert [path.name for path in folder.parent.iterdir()] == ["v1"]


def test_nothing_is_published_twice_or_by_halves(folder: Path, source: Path) -> None:
    before = (folder / SUMS).read_bytes()
    with pytest.raises(PublishedError, match="choose the next version"):
        publish(source, folder, {}, None)
    assert (folder / SUMS).read_bytes() == before
    next(path for path in (source / "records").iterdir() if path.suffix == ".json").write_text("{")
    with pytest.raises(PublishedError, match="broken JSON"):
        publish(source, folder.parent / "v2", {}, None)
    assert [path.name for path in folder.parent.iterdir()] == ["v1"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda folder: (folder / "CITE.txt").write_text("another"), "CITE.txt: changed since it was published"),
        (lambda folder: (folder / "sweep.json").unlink(), "sweep.json: missing"),
        (lambda folder: (folder / "more.txt").write_text("x"), f"more.txt: not in {SUMS}"),
        (lambda folder: (folder / SUMS).unlink(), f"no {SUMS}"),
        (lambda folder: (folder / "figures" / "overall.png").write_bytes(b"x"), "figures/overall.png: changed since"),
        (lambda folder: unlisted(folder, "leaderboard.html"), "leaderboard.html: missing"),
        (lambda folder: hidden(folder), f"x/{SUMS}: not in {SUMS}"),
    ],
)
def test_every_change_is_named(folder: Path, change: Callable[[Path], Any], problem: str) -> None:
    change(folder)
    assert [problem in text for text in verify(folder).problems] == [True]


def test_a_table_that_its_records_do_not_give_is_found_even_with_a_right_checksum(folder: Path) -> None:
    rewritten(folder, "leaderboard.md", "0.9", "1.0")
    problem = "leaderboard.md: does not follow from the records; rebuild it with `gexbench report`"
    assert verify(folder) == Verification((problem,))
    refresh(folder)
    assert verify(folder) == Verification(())


def test_a_page_of_another_version_is_remarked_while_its_checksum_holds(folder: Path) -> None:
    rewritten(folder, "leaderboard.html", "gexbench leaderboard", "gexbench table")
    found = verify(folder)
    assert not found.problems
    assert ["leaderboard.html: its checksum matches" in text for text in found.remarks] == [True]
    (folder / "leaderboard.html").write_text("<p>another</p>")
    found = verify(folder)
    assert not found.remarks
    assert {text.partition(":")[0] for text in found.problems} == {"leaderboard.html"}


def test_tables_are_not_built_anew_over_changed_records(folder: Path) -> None:
    path = next((folder / "records").iterdir())
    path.write_text(path.read_text().replace("0.9", "0.8"))
    with pytest.raises(PublishedError, match="changed since it was published"):
        refresh(folder)

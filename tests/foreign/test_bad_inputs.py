"""Two hundred bad files: each is refused with one clear message, none is taken, none ends in another error."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

KINDS = (
    "record", "specification", "card", "recipe", "tuned settings", "gene sets", "store entry", "csv", "parquet", "log",
    "h5ad", "npz",
)  # fmt: skip
JSON = ("record", "card", "recipe", "tuned settings", "store entry")
BINARY = ("parquet", "log", "h5ad", "npz")

Damage = Callable[[bytes], bytes]
DAMAGES: dict[str, Damage] = {
    "empty": lambda content: b"",
    "one byte": lambda content: b"\xff",
    "zeros": lambda content: bytes(1000),
    "another kind": lambda content: b"\x89PNG\r\n\x1a\n" + bytes(100),
    "not UTF-8": lambda content: b"\xff\xfe" + content[:20],
    "a zero byte": lambda content: b"\0" + content,
}
CUTS: dict[str, Damage] = {
    "half": lambda content: content[: len(content) // 2],
    "without its end": lambda content: content[:-9],
    "without its start": lambda content: content[9:],
}
TEXTS: dict[str, str] = {
    "null": "null", "a number": "3", "text": '"x"', "a list": "[]", "an empty object": "{}", "true": "true",
    "not a number": "NaN", "too large": "1e999", "many digits": "[" + "9" * 5000 + "]", "deep": "[" * 100_000,
    "deep objects": '{"a":' * 50_000, "half a character": '{"schema": "\\ud800"}', "two values": "{} {}",
    "a comment": "// {}\n{}", "wrong schema": '{"schema": 99, "content": {}, "kind": "x"}',
    "lists for everything": '{"schema": [], "genes": {}, "cohort": [], "kind": [], "content": []}',
    "numbers for everything": '{"schema": 1e5, "genes": 3, "cohort": 4, "kind": 5, "content": 6}',
}  # fmt: skip


def cases() -> Iterator[tuple[str, str, Damage]]:
    for kind in KINDS:
        for name, damage in {**DAMAGES, **(CUTS if kind in (*BINARY, *JSON) else {})}.items():
            if (kind, name) in ACCEPTED:
                continue
            yield kind, name, damage
        for name, text in TEXTS.items() if kind in JSON else ():
            if (kind, name) not in ACCEPTED:
                yield kind, name, lambda content, text=text: text.encode()


ACCEPTED = {
    ("specification", "empty"), ("recipe", "an empty object"), ("csv", "not UTF-8"), ("npz", "a zero byte"),
}  # fmt: skip
"""What is no fault: defaults, a table in another encoding, an archive with something before it."""


@pytest.mark.parametrize(("kind", "name", "damage"), [pytest.param(*case, id=" ".join(case[:2])) for case in cases()])
def test_a_damaged_file_is_refused_with_its_name(known, tmp_path: Path, kind: str, name: str, damage: Damage) -> None:
    reader = known[kind]
    path = tmp_path / f"given{reader.suffix}"
    path.write_bytes(damage(reader.content))
    refused(reader, path, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["missing", "folder", "pipe", "device", "dead link"])
def test_what_is_no_file_is_refused_and_nobody_waits_for_it(known, tmp_path: Path, kind: str, what: str) -> None:
    reader = known[kind]
    path = tmp_path / f"given{reader.suffix}"
    {
        "missing": lambda: None,
        "folder": path.mkdir,
        "pipe": lambda: os.mkfifo(path),
        "device": lambda: path.symlink_to("/dev/zero"),
        "dead link": lambda: path.symlink_to("nowhere"),
    }[what]()
    refused(reader, path, kind)


def refused(reader, path: Path, kind: str) -> None:
    with pytest.raises(reader.refusals) as caught:
        reader.read(path)
    text = str(caught.value)
    assert text
    if kind not in ("store entry", "log"):  # whose callers name the place
        assert path.name in text, text
    assert len(text) < 2000


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_file_is_taken(known, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"given{known[kind].suffix}"
    path.write_bytes(known[kind].content)
    known[kind].read(path)


def linked(file: h5py.File) -> None:
    del file["X"]
    file["X"] = h5py.ExternalLink("secret.h5", "/rows")


def linked_deep(file: h5py.File) -> None:
    file["uns/more/deep"] = h5py.ExternalLink("/etc/passwd", "/x")


def external(file: h5py.File) -> None:
    del file["X"]
    file.create_dataset("X", (4, 3), "f4", external=[("secret.bin", 0, 48)])


def virtual(file: h5py.File) -> None:
    del file["X"]
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "rows", (4, 3))
    file.create_virtual_dataset("X", layout)


def promising(file: h5py.File) -> None:
    del file["X"]
    file.create_dataset("X", (10**6, 10**5), "f4", chunks=(100, 100))


@pytest.mark.parametrize("trick", [linked, linked_deep, external, virtual, promising])
def test_hdf5_that_reaches_outside_the_file_is_refused(known, tmp_path: Path, monkeypatch, trick) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("secret.h5", "w") as file:
        file["rows"] = np.zeros((4, 3), "f4")
    Path("secret.bin").write_bytes(bytes(48))
    path = tmp_path / "given.h5ad"
    path.write_bytes(known["h5ad"].content)
    with h5py.File(path, "r+") as file:
        trick(file)
    refused(known["h5ad"], path, "h5ad")


@pytest.mark.parametrize(
    "text",
    [
        "note: !!binary aGVsbG8=", "note: !!python/object/apply:os.system [ls]", "folds: !!set {0}",
        "note: &a x\nname: *a", "budget: quick\nbudget: cpu", "seeds: 1e999", "seeds: .nan", "- quick", "? [a]\n: b",
        "name: ../up", "workers: 0",
        "workers: -3", "generators: {cvae: 3}", "folds: [0, x]", "seeds: 99999999999999999999",
        json.dumps({"generators": ["cvae"] * 3, "unknown": 1}), "note: \x1b[2J", "{" * 30,
    ],
)  # fmt: skip
def test_a_bad_specification_is_refused_with_its_name(known, tmp_path: Path, text: str) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(text)
    refused(known["specification"], path, "specification")


def test_there_are_two_hundred() -> None:
    assert len([*cases()]) + 5 * len(KINDS) + 5 + 18 >= 200

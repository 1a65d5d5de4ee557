"""Readers of foreign files on mutations of whole ones: every one is read or refused, and nothing else happens.

Seeds are kept: every run walks the same mutations first and then new ones, until its time is over. A mutation that was
found to end badly is kept in `found/KIND/` and read by every run.
"""

import os
import random
import time
from contextlib import suppress
from pathlib import Path

import pytest

FUZZ_S = float(os.environ.get("GEXBENCH_FUZZ_S", "600"))
"""Seconds per kind of file."""
LEAST = 300
FOUND = Path(__file__).parent / "found"
KINDS = (
    "record", "specification", "card", "recipe", "tuned settings", "gene sets", "store entry", "csv", "parquet", "log",
    "h5ad", "npz",
)  # fmt: skip
PIECES = (
    b"null", b"true", b"-1", b"1e999", b"NaN", b"9" * 400, b"\\ud800", b"[[", b"{}", b'"', b",", b"\n", b"\t", b"\0",
    b"\xff", b"!!binary ", b"&a ", b"*a", b"../", b"\x1b[2J", b"\xef\xbb\xbf", b"\xe2\x80\xae",
)  # fmt: skip


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content after one to four changes."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(made) + 1)
        length = min(chance.choice((1, 1, 2, 8, 64)), len(made) - at)
        how = chance.randrange(6)
        if how == 0 and at < len(made):
            made[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            del made[at : at + length]
        elif how == 2:
            made[at:at] = chance.choice(PIECES)
        elif how == 3:
            made[at : at + length] = chance.choice(PIECES)
        elif how == 4:
            made[at : at + length] = chance.randbytes(length)
        else:
            source = chance.randrange(len(made) + 1)
            made[at:at] = made[source : source + length]
    return bytes(made)


def read_or_refused(reader, path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with suppress(*reader.refusals):
        reader.read(path)


@pytest.mark.parametrize("kind", KINDS)
def test_kept_findings_and_the_first_mutations(known, tmp_path: Path, kind: str) -> None:
    reader, path = known[kind], tmp_path / f"given{known[kind].suffix}"
    kept = sorted((FOUND / kind).glob("*")) if (FOUND / kind).is_dir() else []
    for content in [file.read_bytes() for file in kept] + [
        mutated(reader.content, random.Random(n)) for n in range(20)
    ]:
        read_or_refused(reader, path, content)


@pytest.mark.slow  # ten minutes per kind of file
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS)
def test_every_mutation_is_read_or_refused(known, tmp_path: Path, kind: str) -> None:
    reader, path = known[kind], tmp_path / f"given{known[kind].suffix}"
    began, number = time.monotonic(), 0
    while number < LEAST or time.monotonic() - began < FUZZ_S:
        content = mutated(reader.content, random.Random(number))
        try:
            read_or_refused(reader, path, content)
        except Exception:
            (FOUND / kind).mkdir(parents=True, exist_ok=True)
            (FOUND / kind / f"{number}{reader.suffix}").write_bytes(content)
            raise
        number += 1

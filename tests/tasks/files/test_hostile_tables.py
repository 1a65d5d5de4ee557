"""Hostile variants of tables: an InputError or all of the content, never a traceback or a silent loss."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.matrix_files import read_matrix
from gexbench.tasks.files.reading import read_clinical, read_expression

MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.text(st.characters(categories=("L", "N"), include_characters="-_. |()"), min_size=1, max_size=9)
FIELDS = st.one_of(
    st.floats(-1e6, 1e6, width=32).map(repr),
    st.integers(-9, 10**7).map(str),
    st.sampled_from(["", "NA", "None", "01", "1E1", "0x1F", "1_000", "1,5", "inf", "abc", '"q"', "#", "\t", " 3 "]),
)  # fmt: skip


@MANY
@given(
    header=st.lists(NAMES, min_size=1, max_size=5),
    rows=st.lists(st.lists(FIELDS, min_size=0, max_size=6), max_size=6),
    separator=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    packed=st.booleans(),
    cut=st.integers(0, 30),
)
def test_any_text_is_read_whole_or_refused(tmp_path: Path, header, rows, separator, end, packed, cut) -> None:
    lines = [separator.join(["id", *header]), *(separator.join([f"S{place}", *row]) for place, row in enumerate(rows))]
    content = end.join(lines).encode()
    content = content[: len(content) - cut] if cut < 10 else content
    path = tmp_path / ("t.csv.gz" if packed else "t.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    for read in (read_expression, read_clinical):
        try:
            found = read(path)
        except InputError as error:
            assert error.problems  # noqa: PT017
            continue
        names = found.index if isinstance(found, pd.DataFrame) else found.samples
        assert len(names) == sum(bool(line.strip()) for line in content.decode().splitlines()[1:])


@MANY
@given(st.binary(max_size=400), st.sampled_from(["t.csv", "t.tsv.gz", "t.parquet", "t.h5ad", "t.gct", "t.txt"]))
def test_any_bytes_are_refused_or_read(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for read in (read_expression, read_clinical):
        try:
            read(path)
        except InputError as error:
            assert error.problems  # noqa: PT017


@MANY
@given(st.lists(st.lists(st.floats(width=32, allow_nan=False), min_size=3, max_size=3), min_size=1, max_size=20))
def test_numbers_come_back_to_the_last_bit(tmp_path: Path, rows: list[list[float]]) -> None:
    table = pd.DataFrame(rows, index=[f"S{row}" for row in range(len(rows))], columns=["A", "B", "C"])
    for name, separator, decimal in (("a.csv", ",", "."), ("a.tsv.gz", "\t", "."), ("b.csv", ";", ",")):
        table.to_csv(tmp_path / name, sep=separator, decimal=decimal)
        np.testing.assert_array_equal(read_expression(tmp_path / name).values, table.to_numpy(dtype=np.float32))


def test_a_matrix_longer_than_the_first_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexbench.tasks.files.matrix_files._ROWS_AT_FIRST", 3)
    monkeypatch.setattr("gexbench.tasks.files.matrix_files._BLOCK", 100)
    monkeypatch.setattr("gexbench.tasks.files.matrix_files._BLOCK_PER_COLUMN", 1)
    values = np.arange(400.0).reshape(100, 4)
    table = pd.DataFrame(values, index=[f"S{row:03d}" for row in range(100)], columns=list("ABCD")).assign(label="x")
    table.rename_axis("id").to_csv(tmp_path / "m.tsv", sep="\t")
    found = read_matrix(tmp_path / "m.tsv", "id", ["label"])
    np.testing.assert_array_equal(found.values, values)
    assert found.ids.tolist() == table.index.tolist()
    assert found.texts["label"].tolist() == ["x"] * 100

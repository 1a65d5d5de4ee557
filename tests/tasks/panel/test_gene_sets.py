"""Reading .gmt files: every problem at once, genes by name."""

import hashlib

import numpy as np
import pytest

from gexbench.tasks.panel.gene_sets import GeneSets, GeneSetsError, read_gene_sets, usable_sets


def test_reads_sets_and_states_the_files_hash(tmp_path):
    path = tmp_path / "sets.gmt"
    content = b"one\thttp://x\tA\tB\tA\t\t\r\n\ntwo\t\tC\n"
    path.write_bytes(content)
    found = read_gene_sets(path)
    assert found == GeneSets("sets.gmt", hashlib.sha256(content).hexdigest(), (("one", ("A", "B")), ("two", ("C",))))


def test_every_problem_is_reported_at_once(tmp_path):
    path = tmp_path / "bad.gmt"
    path.write_text("one\tx\tA\nno tabs here\none\tx\tB\n\tx\tA\nfive\tx\tA B\nsix\tx\t\n")
    with pytest.raises(GeneSetsError) as caught:
        read_gene_sets(path)
    lines = caught.value.problems
    assert len(lines) == 5
    for line, text in zip(lines, ("line 2: 1 fields", "line 3: set 'one'", "line 4", "'A B'", "line 6"), strict=True):
        assert line.startswith("bad.gmt, line")
        assert text in line


def test_files_that_hold_nothing_readable(tmp_path):
    for content, text in ((b"\n \n", "holds no gene set"), (b"one\tx\t\xff", "not UTF-8")):
        path = tmp_path / "file.gmt"
        path.write_bytes(content)
        with pytest.raises(GeneSetsError, match=text):
            read_gene_sets(path)
    with pytest.raises(GeneSetsError, match="cannot be read"):
        read_gene_sets(tmp_path / "missing.gmt")
    path.write_text("bad\n" * 50)
    with pytest.raises(GeneSetsError, match="30 more problems"):
        read_gene_sets(path)


def test_usable_sets_are_matched_by_name():
    genes = tuple(f"G{i}" for i in range(14))
    sets = GeneSets(
        "s.gmt", "0", (("ten", (*genes[:10][::-1], "other")), ("nine", (*genes[:9], "x", "y")), ("all", genes))
    )
    names, member = usable_sets(sets, genes)
    assert names == ("ten",)
    assert np.flatnonzero(member[:, 0]).tolist() == list(range(10))
    moved = usable_sets(sets, genes[::-1])[1]
    assert (moved == member[::-1]).all()
    assert usable_sets(sets, ("A", "B"))[1].shape == (2, 0)

"""Matrices in Xena's layout that are damaged, or of which nothing can be read."""

import gzip
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.reading import read_clinical
from gexbench.tasks.importing.patch_files import read_patches
from gexbench.tasks.public.folder import find


def test_a_gene_that_a_matrix_holds_twice_is_left_out_and_said(
    folder: Path, layouts: ModuleType, values: pd.DataFrame, clinical: pd.DataFrame, built: Callable[..., Cohort]
) -> None:
    """In whichever of the matrices: no row may be put over the other."""
    for project in ("LUAD", "GBM"):
        path = folder / f"TCGA.{project}.sampleMap" / "HiSeqV2.gz"
        content = path.read_bytes()
        lines = gzip.decompress(content).decode().splitlines()
        path.write_bytes(gzip.compress("\n".join([*lines, lines[2]]).encode()))
        cohort = built(folder)
        assert cohort.genes == ("TP53", "CD3E", "MKI67", "EGFR")
        left_out = [item for item in cohort.provenance["dropped"] if "stands for several rows" in item["reason"]]
        assert [(item["count"], item["examples"]) for item in left_out] == [(1, ["KRAS"])]
        path.write_bytes(content)


@pytest.mark.parametrize("text", ["inf", "-inf", "1e39"])
def test_an_infinite_value_is_named(folder: Path, text: str, built: Callable[..., Cohort], patients: list[str]) -> None:
    """A missing value leaves its gene out, an infinite one is an error."""
    path = folder / "TCGA.LUAD.sampleMap" / "HiSeqV2.gz"
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    place = lines[0].split("\t").index(f"{patients[11]}-01")
    fields = lines[3].split("\t")
    fields[place] = text
    path.write_bytes(gzip.compress("\n".join([*lines[:3], "\t".join(fields), *lines[4:]]).encode()))
    with pytest.raises(InputError, match=f"values are infinite or too large \\(first CD3E of {patients[11]}-01\\)"):
        built(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace(b"\nKRAS", b"\rKRAS"), "5 lines but 4 rows|4 lines but 5 rows"),
        (lambda text: text.replace(b"\nKRAS", b"\n\t\nKRAS"), "not a readable matrix|lines but"),
        (lambda text: text.replace(b"KRAS", b'"KRAS"'), r'names stand in quotes \("KRAS"\)'),
        (lambda text: text.replace(b"KRAS", b"KR\xfcAS"), "names of genes are not in UTF-8"),
        (lambda text: text.replace(b"KRAS", b"KR\0AS"), "1 genes hold a zero byte"),
    ],
)
def test_matrices_that_others_wrote(
    tmp_path: Path,
    layouts: ModuleType,
    values: pd.DataFrame,
    clinical: pd.DataFrame,
    change: Any,
    says: str,
    built: Callable[..., Cohort],
) -> None:
    """A carriage return in the place of a line's end would shift every later gene by one row."""
    layouts.write_xena_matrix(tmp_path / "HiSeqV2", values.rename(index=lambda name: f"{name}-01"))
    layouts.write_xena_phenotypes(tmp_path / "phenotypes.tsv", clinical)
    text = (tmp_path / "HiSeqV2").read_bytes()
    (tmp_path / "HiSeqV2").write_bytes(text.replace(b"\n", b"\r\n"))
    assert len(built(tmp_path)) == 100
    (tmp_path / "HiSeqV2").write_bytes(change(text))
    with pytest.raises(InputError, match=f"HiSeqV2: .*({says})"):
        built(tmp_path)


def test_folders_that_may_not_be_listed_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, built: Callable[..., Cohort]
) -> None:
    whole = Path.iterdir

    def locked(self: Path) -> Any:
        if self.name == "TCGA.GBM.sampleMap":
            raise PermissionError(13, "Permission denied")
        return whole(self)

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(InputError, match=r"TCGA\.GBM\.sampleMap: cannot be listed \(Permission denied\); fix its perm"):
        built(folder)
    with pytest.raises(InputError, match="cannot be listed"):
        read_patches(folder / "TCGA.GBM.sampleMap")


def test_paths_that_may_not_be_looked_up_are_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(self: Path, **more: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", locked)
    for read in (find, read_patches, read_clinical):
        for name in ("a.parquet", "a.zarr", "a"):
            with pytest.raises(
                InputError, match=r"cannot be read \(Permission denied\)|tables come as|a: no such file"
            ):
                read(folder / name)


def test_nothing_to_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        find(tmp_path / "absent")
    (tmp_path / "notes.txt").write_text("nothing\n")
    (tmp_path / "HiSeqV2.gz.part").write_bytes(b"half")
    (tmp_path / "state.parcel").write_bytes(bytes(range(128, 256)))
    with pytest.raises(InputError) as raised:
        find(tmp_path)
    assert [problem.partition("(")[0].strip() for problem in raised.value.problems] == [
        f"{tmp_path.name}: no expression",
        f"{tmp_path.name}: no clinical table",
    ]


@pytest.mark.parametrize("damage", ["truncated", "text", "ragged"])
def test_damaged_matrices_are_named(folder: Path, damage: str, built: Callable[..., Cohort]) -> None:
    path = folder / "TCGA.LUAD.sampleMap" / "HiSeqV2.gz"
    content = path.read_bytes()
    text = gzip.decompress(content).decode()
    lines = text.splitlines()
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "text":
        path.write_bytes(gzip.compress(text.replace("\t", "\tx", 200).encode()))
    else:
        path.write_bytes(gzip.compress("\n".join([*lines[:2], lines[2].rpartition("\t")[0], *lines[3:]]).encode()))
    with pytest.raises(InputError):
        built(folder)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty; fetch it again, or take it out"),
        (gzip.compress(b"", mtime=0), "has the name of a Xena matrix, but no"),
        (b"\x1f\x8bdamaged", "damaged gzip file, perhaps truncated"),
        (b"<html>busy</html>", "has the name of a Xena matrix, but no"),
    ],
    ids=["empty", "nothing within", "damaged", "another page"],
)
def test_a_matrix_that_cannot_be_read_is_not_left_out_unsaid(
    folder: Path, content: bytes, says: str, built: Callable[..., Cohort]
) -> None:
    (folder / "TCGA.GBM.sampleMap" / "HiSeqV2.gz").write_bytes(content)
    with pytest.raises(InputError, match=rf"TCGA\.GBM\.sampleMap/HiSeqV2\.gz: {says}"):
        built(folder)
    with pytest.raises(InputError, match="label 'project' has 1 classes"):
        built(folder, expression=folder / "TCGA.LUAD.sampleMap")

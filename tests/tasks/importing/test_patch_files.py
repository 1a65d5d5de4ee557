"""Patch files: both layouts, and every kind of bad file."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from gexbench.tasks.errors import InputError
from gexbench.tasks.importing.patch_files import read_patches

FEATURES = np.arange(24, dtype=np.float16).reshape(6, 4)
GOOD: dict[str, Any] = {
    "patient": np.asarray(["P1", "P2", "P3"]),
    "n_regions": np.asarray([2, 0, 4], dtype=np.int16),
    "features": FEATURES,
}


def archive(folder: Path, **changes: Any) -> Path:
    path = folder / "regions.npz"
    arrays = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    np.savez_compressed(path, **arrays)
    return path


def test_archive(tmp_path: Path) -> None:
    found = read_patches(archive(tmp_path))
    assert found.ids.tolist() == ["P1", "P2", "P3"]
    assert found.patches.counts.tolist() == [2, 0, 4]
    np.testing.assert_array_equal(found.patches.values, FEATURES)
    assert found.region_ids is None


def test_counts_do_not_overflow_their_type(tmp_path: Path) -> None:
    """Sums of int8 counts above 127."""
    features = np.zeros((200, 1), dtype=np.float16)
    path = archive(
        tmp_path, patient=np.asarray(["a", "b"]), n_regions=np.asarray([100, 100], np.int8), features=features
    )
    assert read_patches(path).patches.offsets.tolist() == [0, 100, 200]


def test_first_of_a_repeated_patient(tmp_path: Path) -> None:
    path = archive(tmp_path, patient=np.asarray(["P1", "P3", "P1"]), region=np.asarray(list("abcdef")))
    with pytest.raises(InputError, match=r"1 patients appear more than once \(P1\); .* --duplicates first"):
        read_patches(path)
    found = read_patches(path, duplicates="first")
    assert found.ids.tolist() == ["P1", "P3"]
    np.testing.assert_array_equal(found.patches.values, FEATURES[:2])
    assert found.region_ids is not None
    assert found.region_ids.tolist() == ["a", "b"]


def _tensor(folder: Path) -> Path:
    (folder / "regions.pt").touch()
    return folder / "regions.pt"


def _truncated(folder: Path) -> Path:
    path = archive(folder)
    path.write_bytes(path.read_bytes()[:-100])
    return path


def _damaged(folder: Path) -> Path:
    """A flipped byte in the middle of the compressed features."""
    path = archive(folder, features=np.random.default_rng(0).normal(size=(6, 500)).astype(np.float16))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))
    return path


def _promising(folder: Path) -> Path:
    """A header of 10¹² rows before the bytes of six."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f2", "fortran_order": False, "shape": (10**12, 4)})
    path = archive(folder, features=None)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("features.npy", header.getvalue() + FEATURES.tobytes())
    return path


def _lying_directory(folder: Path) -> Path:
    """A zip directory that states a size of 4 GB for an entry of a few bytes."""
    path = _promising(folder)
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x01\x02")
    content[place + 24 : place + 28] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(bytes(content))
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "absent.npz", "no such file"),
        (lambda folder: folder / "features", "features: no such file"),
        (_tensor, "give patches as .npz, .h5mu, or a folder of .h5, .hdf5, .pt, .npy files"),
        (_truncated, "perhaps truncated"),
        (_damaged, "perhaps truncated"),
        (_promising, r"the header of array 'features' promises 8000000000\d+ bytes, the file holds"),
        (_lying_directory, r"'features' promises"),
        (lambda folder: archive(folder, n_regions=None), "array n_regions is missing"),
        (lambda folder: archive(folder, features=np.asarray([1, "a"], object)), "'features' is pickled"),
        (lambda folder: archive(folder, patient=np.asarray(["P1", 2, 3], object)), "'patient' is pickled"),
        (lambda folder: archive(folder, features=FEATURES[:, 0]), "'features' must be floats of one width"),
        (lambda folder: archive(folder, features=FEATURES.astype(int)), "'features' must be floats of one width"),
        (lambda folder: archive(folder, n_regions=np.asarray([2, 0, 5])), "sums to 7, 'features' has 6 rows"),
        (lambda folder: archive(folder, n_regions=np.asarray([7, -1, 0])), "one count per patient"),
        (lambda folder: archive(folder, n_regions=np.asarray([2, 4])), "one count per patient"),
        (lambda folder: archive(folder, region=np.asarray(["a"])), "'region' must hold one id per row"),
        (
            lambda folder: archive(folder, features=np.where(FEATURES == 9, np.nan, FEATURES)),
            r"1 regions hold NaN .*rows 2",
        ),
        (lambda folder: archive(folder, features=FEATURES.astype(np.float32) * 1e6), "do not fit float16"),
    ],
)
def test_bad_archives(tmp_path: Path, make: Callable[[Path], Path], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read_patches(make(tmp_path))
    assert len(raised.value.problems) == 1


def slide(folder: Path, name: str, regions: int, width: int = 4, fill: float = 1.0) -> None:
    folder.mkdir(exist_ok=True)
    with h5py.File(folder / f"{name}.h5", "w") as file:
        file["features"] = np.full((1, regions, width), fill, dtype=np.float32)
        file["coords"] = np.stack([np.arange(regions), np.zeros(regions, int)], axis=1)


def test_folder_of_slides(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    slide(folder, "TCGA-05-4249-01Z-00-DX2.abc", 3, fill=2.0)
    slide(folder, "TCGA-05-4249-01Z-00-DX1.def", 2)
    slide(folder, "patient7", 1, fill=7.0)
    found = read_patches(folder)
    assert found.ids.tolist() == ["TCGA-05-4249", "patient7"]
    assert found.patches.values[:, 0].tolist() == [1, 1, 2, 2, 2, 7]
    assert found.patches.counts.tolist() == [5, 1]
    assert found.region_ids is not None
    assert len(set(found.region_ids)) == 6


def test_bad_folders(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    folder.mkdir()
    with pytest.raises(InputError, match=r"holds no slide features \(there: nothing\)"):
        read_patches(folder)
    slide(folder, "a", 2)
    slide(folder, "b", 2, width=5)
    with pytest.raises(InputError, match=r"patches of unequal width: 4 in 1 \(a\.h5\); 5 in 1 \(b\.h5\)"):
        read_patches(folder)
    (folder / "b.h5").write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"b\.h5: not a readable HDF5 file"):
        read_patches(folder)


def test_slides_without_a_region_are_counted_and_dead_links_are_errors(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    slide(folder, "TCGA-05-4249-01Z-00-DX1.a", 2)
    slide(folder, "TCGA-05-4249-01Z-00-DX2.b", 0)
    slide(folder, "TCGA-06-0001-01Z-00-DX1.c", 0, width=9)
    found = read_patches(folder)
    assert found.ids.tolist() == ["TCGA-05-4249"]
    assert found.empty == ("TCGA-05-4249-01Z-00-DX2.b.h5", "TCGA-06-0001-01Z-00-DX1.c.h5")
    (folder / "TCGA-05-4249-01Z-00-DX1.a.h5").unlink()
    with pytest.raises(
        InputError, match=r"features: none of 2 slides holds a region \(TCGA-05-4249-01Z-00-DX2\.b\.h5, "
    ):
        read_patches(folder)
    (folder / "x.h5").symlink_to(tmp_path / "moved" / "x.h5")
    with pytest.raises(InputError, match=r"x\.h5: is a link to .*moved/x\.h5, which is not there"):
        read_patches(folder)


FLOATS = np.ones((3, 4), np.float32)
PLACES = np.arange(6).reshape(3, 2)


@pytest.mark.parametrize(
    ("features", "coords"), [(FLOATS, PLACES), (FLOATS[None], PLACES), (FLOATS.astype(np.float16), PLACES[None])]
)
def test_layouts_of_trident_and_clam(tmp_path: Path, features: np.ndarray, coords: np.ndarray) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"], file["coords"] = features, coords
    assert read_patches(tmp_path).patches.values.shape == (3, 4)


@pytest.mark.parametrize(
    ("features", "coords", "message"),
    [
        (FLOATS[None, None], PLACES, r"floats \(regions, width\).* they are float32 of shape \(1, 1, 3, 4\)"),
        (np.ones((3, 2, 2, 4), np.float32), PLACES, r"they are float32 of shape \(3, 2, 2, 4\)"),
        (np.stack([FLOATS, FLOATS]), PLACES, r"they are float32 of shape \(2, 3, 4\)"),
        (FLOATS[:, :0], PLACES, r"they are float32 of shape \(3, 0\)"),
        (FLOATS.astype(np.int64), PLACES, r"they are int64 of shape \(3, 4\)"),
        (FLOATS, PLACES[:2], "must have one row per region"),
        (FLOATS, PLACES[:, 0], "must have one row per region"),
        (FLOATS, np.asarray(3), "must have one row per region"),
        (FLOATS, None, "dataset coords is missing"),
        (FLOATS, {}, "'coords' is a group, not a dataset"),
    ],
)
def test_other_shapes_of_slides_are_refused(tmp_path: Path, features: Any, coords: Any, message: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"] = features
        if isinstance(coords, dict):
            file.create_group("coords")
        elif coords is not None:
            file["coords"] = coords
    with pytest.raises(InputError, match=f"a.h5: .*{message}") as raised:
        read_patches(tmp_path)
    assert len(raised.value.problems) == 1


def test_slides_that_would_be_passed_over_are_named(tmp_path: Path) -> None:
    slide(tmp_path / "features", "a", 1)
    for name in ("b.H5", "c.hdf5", "d.pt"):
        (tmp_path / "features" / name).touch()
    with pytest.raises(InputError, match=r"features: holds slides of several types \(\.h5, \.hdf5, \.pt, b\.H5\)"):
        read_patches(tmp_path / "features")
    for name in ("b.H5", "c.hdf5", "d.pt"):
        (tmp_path / "features" / name).unlink()
    assert read_patches(tmp_path).ids.tolist() == ["a"]  # the one folder below with features
    slide(tmp_path / "second", "a", 1)
    with pytest.raises(InputError, match=rf"2 folders below it do: give one, {tmp_path.name}/features, "):
        read_patches(tmp_path)
    (tmp_path / "other" / "e.h5").mkdir(parents=True)
    with pytest.raises(InputError, match=r"e\.h5: is a folder; give a file"):
        read_patches(tmp_path / "other")

"""Data files of a package: found through metadata or in a wheel, never imported, each the known one."""

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from gexbench.tasks.errors import InputError
from gexbench.tasks.files.package_files import DataPackage, read_installed, read_wheel

Wheel = tuple[DataPackage, Path]


def installed(wheel: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel's content where Python finds distributions, as `pip install --no-deps --target` leaves it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    monkeypatch.syspath_prepend(str(folder))
    return folder


def repacked(wheel: Path, folder: Path, changes: dict[str, bytes | None]) -> Path:
    """A copy of the wheel with members replaced, or left out (None)."""
    with zipfile.ZipFile(wheel) as given, zipfile.ZipFile(folder / wheel.name, "w") as written:
        for name in given.namelist():
            content = changes.get(name, given.read(name))
            if content is not None:
                written.writestr(name, content)
    return folder / wheel.name


def test_both_ways_give_the_same_and_import_nothing(
    mirna_wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, wheel = mirna_wheel
    installed(wheel, tmp_path, monkeypatch)
    found, zipped = read_installed(package), read_wheel(package, wheel)
    assert (found.way, zipped.way) == ("installed", "wheel")
    assert found.version == zipped.version == "1.2"
    assert found.content == zipped.content
    assert set(found.content) == {file.path for file in package.files}
    assert "made_up_counts" not in sys.modules


def test_not_installed_names_the_fix_and_the_licence(mirna_wheel: Wheel) -> None:
    with pytest.raises(InputError) as caught:
        read_installed(mirna_wheel[0])
    for part in ("pip install --no-deps made-up-counts==1.2", "--wheel", "only its data files are read", "AGPL-3.0"):
        assert part in str(caught.value)


def test_missing_and_changed_files_are_named_together(mirna_wheel: Wheel, tmp_path: Path) -> None:
    """One of another size, one of the same size with other content, one that is not there."""
    package, wheel = mirna_wheel
    gone, longer, same_size = (file.path for file in package.files[:3])
    other = bytes(package.files[2].size)
    given = repacked(wheel, tmp_path, {gone: None, longer: b"more", same_size: other})
    with pytest.raises(InputError) as caught:
        read_wheel(package, given)
    missing, changed = caught.value.problems
    assert f"1 of 4 data files are missing ({gone})" in missing
    assert f"2 of 4 data files are not those of 1.2 ({longer}, {same_size})" in changed
    assert "pip install --no-deps made-up-counts==1.2" in changed


def test_installed_files_are_checked_too(mirna_wheel: Wheel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, wheel = mirna_wheel
    folder = installed(wheel, tmp_path, monkeypatch)
    (folder / package.files[0].path).unlink()
    (folder / package.files[1].path).write_bytes(bytes(package.files[1].size))
    with pytest.raises(InputError) as caught:
        read_installed(package)
    assert [package.files[row].path in problem for row, problem in enumerate(caught.value.problems)] == [True, True]


def test_the_files_decide_not_the_version(mirna_wheel: Wheel) -> None:
    """A later version that carries the same files will do; the version found is what is reported."""
    package, wheel = mirna_wheel
    assert read_wheel(replace(package, version="1.1"), wheel).version == "1.2"


def test_no_wheel_of_the_package(mirna_wheel: Wheel, tmp_path: Path) -> None:
    package, wheel = mirna_wheel
    with pytest.raises(InputError, match="no such file"):
        read_wheel(package, tmp_path / "absent.whl")
    cut = tmp_path / "cut.whl"
    cut.write_bytes(wheel.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"cut\.whl: not a readable wheel"):
        read_wheel(package, cut)
    with pytest.raises(InputError, match="not a wheel of something-else"):
        read_wheel(replace(package, name="something-else"), wheel)


def test_a_damaged_member_is_not_taken(mirna_wheel: Wheel, tmp_path: Path) -> None:
    package, wheel = mirna_wheel
    content = bytearray(wheel.read_bytes())
    with zipfile.ZipFile(wheel) as archive:
        start = archive.getinfo(package.files[0].path).header_offset
    content[start + 200 : start + 260] = bytes(60)
    damaged = tmp_path / "damaged.whl"
    damaged.write_bytes(content)
    with pytest.raises(InputError, match=r"1 of 4 data files are not those of 1\.2"):
        read_wheel(package, damaged)

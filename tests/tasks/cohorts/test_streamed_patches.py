"""Patches that stay in the cohort's file: the same bits as held ones, at every place that asks for them."""

import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gexbench.models import registry
from gexbench.models.registry import resolve_settings
from gexbench.tasks.cohorts import cohort as cohort_module
from gexbench.tasks.cohorts import mapped_rows
from gexbench.tasks.cohorts.cohort import Cohort, Ragged
from gexbench.tasks.cohorts.cohort_folder import read_cohort, save_cohort
from gexbench.tasks.cohorts.conditions import RaggedTensor
from gexbench.tasks.cohorts.device_fold import DeviceFold, all_conditions, put_on_device
from gexbench.tasks.cohorts.folds import folds
from gexbench.tasks.cohorts.mapped_files import is_mapped
from gexbench.tasks.cohorts.mapped_rows import MappedRows
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.npz_files import map_npz, write_npz

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def stored(small_cohort: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """The small cohort, read from its folder; patients 3 and 239 have no patches."""
    patches = small_cohort.patches
    assert patches is not None
    counts = patches.counts.copy()
    kept = np.ones(len(patches.values), dtype=bool)
    for patient in (3, 239):
        kept[patches.offsets[patient] : patches.offsets[patient + 1]] = False
        counts[patient] = 0
    fewer = Ragged(patches.values[kept], np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    folder = tmp_path_factory.mktemp("cohorts") / "small"
    save_cohort(replace(small_cohort, patches=fewer), folder)
    return read_cohort(folder)


def _both(cohort: Cohort) -> tuple[DeviceFold, DeviceFold]:
    fold = folds(cohort)[0]
    held, streamed = (put_on_device(cohort, fold, patches=place) for place in ("held", "streamed"))
    for made, is_held in ((held, True), (streamed, False)):
        assert made.train.conditions.patches is not None
        assert made.train.conditions.patches.held is is_held
    return held, streamed


def test_the_cohorts_patches_are_mapped(stored: Cohort) -> None:
    assert stored.patches is not None
    assert is_mapped(stored.patches.values)
    assert not stored.patches.values.flags.writeable


def test_auto_holds_what_fits(stored: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    found = all_conditions(stored, CPU).patches
    assert found is not None
    assert found.held
    monkeypatch.setattr(mapped_rows, "HELD_SHARE", {"cpu": 1e-12})
    found = all_conditions(stored, CPU).patches
    assert found is not None
    assert not found.held


def test_a_cohort_made_in_memory_is_always_held(small_cohort: Cohort) -> None:
    found = all_conditions(small_cohort, CPU, "streamed").patches
    assert found is not None
    assert found.held


@pytest.mark.parametrize("most", [None, 1, 5, 1000])
def test_padded_rows_are_the_same(stored: Cohort, most: int | None) -> None:
    held, streamed = (all_conditions(stored, CPU, place) for place in ("held", "streamed"))
    index = torch.tensor([3, 0, 239, 100, 7, 7])
    for seed in (None, 4):
        drawn = [
            each.take(index).image_patches(most, None if seed is None else torch.Generator().manual_seed(seed))
            for each in (held, streamed)
        ]
        for one, other in zip(*drawn, strict=True):
            assert torch.equal(one, other)
        assert drawn[0][1][0].all()
        assert not drawn[1][1][1, 0]


def test_nobody_but_patients_without_patches(small_cohort: Cohort) -> None:
    none = Ragged(np.zeros((0, 7), dtype=np.float16), np.zeros(4, dtype=np.int64))
    values, mask = RaggedTensor.of(none, CPU).padded(torch.tensor([0, 2]))
    assert values.shape == (2, 1, 7)
    assert mask.all()


@pytest.mark.parametrize("name", ["gemm-gan", "condition-ridge", "cvae-gemm", "wgan-gp-image"])
def test_generators_give_the_same_bits(stored: Cohort, name: str) -> None:
    entry = registry()[name]
    cls = entry.load()
    wanted = {"patches": 4, "tokens": 8, "steps": 4, "head_steps": 2, "warm_start_steps": 2, "checkpoints": 2}
    given = {key: value for key, value in wanted.items() if key in cls.Settings.model_fields}
    settings = resolve_settings(entry, "quick", given)
    rows = []
    for fold in _both(stored):
        generator = cls(settings)
        generator.fit(fold.train, fold.validation, seed=1)
        rows.append(generator.sample(fold.test_conditions, 2, seed=2).expression)
    assert np.array_equal(*rows)


def test_the_checksum_notices_writes_beside_streamed_patches(stored: Cohort) -> None:
    held, streamed = _both(stored)
    for made in (held, streamed):
        before = made.checksum()
        assert made.checksum() == before
        made.train.expression[0, 0] += 1
        assert made.checksum() != before


def test_streamed_patches_cannot_be_written_to(stored: Cohort) -> None:
    streamed = _both(stored)[1].train.conditions.patches
    assert streamed is not None
    with pytest.raises((TypeError, ValueError)):
        streamed.values[torch.tensor([0])] = 1.0  # type: ignore[index]
    taken = streamed.values[torch.tensor([0])]
    first = taken.clone()
    taken += 1
    assert torch.equal(streamed.values[torch.tensor([0])], first)


def test_one_answer_takes_no_more_memory_than_its_rows(tmp_path: Path) -> None:
    """The archive's values stand at an odd place, where taking rows of the array would copy all of it."""
    values = np.random.default_rng(0).normal(size=(200_000, 64)).astype(np.float16)
    with zipfile.ZipFile(tmp_path / "patches.npz", "w") as archive, archive.open("value.npy", "w") as file:
        np.lib.format.write_array(file, values)
    mapped = map_npz(tmp_path / "patches.npz", "value")
    assert mapped is not None
    assert not mapped.flags.aligned
    rows = MappedRows(mapped, CPU)
    index = torch.tensor([[0, 199_999], [5, 5]])
    tracemalloc.start()
    found = rows[index]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found.numpy(), values[index.numpy()])
    assert peak < values.nbytes / 100


def test_the_fingerprint_is_taken_block_by_block(stored: Cohort, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pages are given back after every block, so that a file larger than the memory can be hashed."""
    assert stored.patches is not None
    held = replace(stored, patches=Ragged(np.array(stored.patches.values), stored.patches.offsets))
    released: list[int] = []
    monkeypatch.setattr(cohort_module, "release", lambda values: released.append(values.nbytes))
    whole = held.fingerprint()
    monkeypatch.setattr(cohort_module, "_HASHED_BYTES", 10 * stored.patches.values[:1].nbytes)
    released.clear()
    assert stored.fingerprint() == held.fingerprint() == whole
    assert released.count(stored.patches.values.nbytes) >= 2 * (len(stored.patches.values) // 10)


def test_compressed_and_empty_arrays_are_read(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "small.npz", values=np.ones((3, 2)))
    write_npz(tmp_path / "empty.npz", {"values": np.zeros((0, 2))})
    assert map_npz(tmp_path / "small.npz", "values") is None
    assert map_npz(tmp_path / "empty.npz", "values") is None


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    path = tmp_path / "patches.npz"
    with pytest.raises(InputError, match="no such file"):
        map_npz(path, "values")
    write_npz(path, {"values": np.ones((50, 4))})
    with pytest.raises(InputError, match=r"patches\.npz: not a readable npz"):
        map_npz(path, "others")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"patches\.npz"):
        map_npz(path, "values")


def test_the_choice_is_not_part_of_a_key(stored: Cohort) -> None:
    from gexbench.benchmark.sweeps.planning import plan
    from gexbench.benchmark.sweeps.sweep import sweep_of

    keys = []
    for place in ("auto", "held", "streamed"):
        sweep = sweep_of(registry(), generators=("gemm-gan",), patches=place)
        keys.append([(cell.train_key, cell.score_key) for cell in plan(sweep, registry(), stored, "f").cells])
    assert keys[0] == keys[1] == keys[2]

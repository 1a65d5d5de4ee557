"""Image features beside public files: layouts, widths, links and encoders."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.errors import InputError
from gexbench.tasks.importing.building import Sources
from gexbench.tasks.public.build import PublicSources, build_public
from gexbench.tasks.public.folder import find
from gexbench.tasks.public.selection import Selection
from gexbench.tasks.public.slides import Encoder


def test_hipt_tensors(folder: Path, layouts: ModuleType, built: Callable[..., Cohort], patients: list[str]) -> None:
    counts = np.arange(100) % 4
    features = np.random.default_rng(1).normal(size=(int(counts.sum()), 6)).astype(np.float16)
    layouts.write_hipt(folder, patients, counts, features)
    cohort = built(folder)
    assert len(cohort) == 75
    assert cohort.patches is not None
    row = cohort.samples.tolist().index(patients[3])
    place = slice(int(cohort.patches.offsets[row]), int(cohort.patches.offsets[row + 1]))
    first = int(counts[:3].sum())
    expected = {tuple(values) for values in features[first : first + 3].tolist()}
    assert {tuple(values) for values in cohort.patches.values[place].tolist()} == expected
    assert cohort.provenance["image_encoder"] == {"name": "HIPT ViT256-4K", "version": None, "width": 6}
    fewer = built(folder, Selection(most_regions=2), missing="mask")
    assert fewer.patches is not None
    assert fewer.patches.counts.max() == 2
    masked = fewer.samples.tolist().index(patients[3])
    start = int(fewer.patches.offsets[masked])
    np.testing.assert_array_equal(fewer.patches.values[start : start + 2], cohort.patches.values[place][:2])


@pytest.mark.parametrize("kind", ["hipt", "trident"])
def test_slides_without_a_region_stand_on_the_card_and_dead_links_are_errors(
    folder: Path, layouts: ModuleType, kind: str, built: Callable[..., Cohort], patients: list[str]
) -> None:
    if kind == "hipt":
        layouts.write_hipt(folder, patients, [0, 0, *[1] * 98], np.ones((98, 4), np.float16))
        place = folder / "vit256mean_tcga_slide_embeddings"
    else:
        slides = {f"{name}-01Z-00-DX1.a": np.ones((int(row > 1), 4), np.float32) for row, name in enumerate(patients)}
        place = layouts.write_trident(folder, slides)
    for selection in (Selection(), Selection(most_regions=1)):
        left_out = {item["reason"]: item for item in built(folder, selection).provenance["dropped"]}
        assert left_out["no patches"]["count"] == 2
        assert left_out["slides without a region"]["count"] == 2
        assert left_out["slides without a region"]["examples"][0].startswith(f"{patients[0]}-01Z-00-DX1")
    moved = next(place.glob(f"{patients[5]}*"))
    moved.unlink()
    moved.symlink_to(folder / "elsewhere" / moved.name)
    with pytest.raises(InputError, match=rf"{moved.name}: is a link to .*elsewhere.*, which is not there"):
        built(folder)


def test_a_slide_of_another_width_is_named(
    folder: Path, layouts: ModuleType, built: Callable[..., Cohort], patients: list[str]
) -> None:
    slides = {f"{name}-01Z-00-DX1": np.ones((1, 4), np.float32) for name in patients}
    slides[f"{patients[9]}-01Z-00-DX1"] = np.ones((1, 6), np.float32)
    layouts.write_trident(folder, slides)
    with pytest.raises(InputError, match=rf"unequal width: 4 in 99 \(.*\); 6 in 1 \({patients[9]}-01Z-00-DX1\.h5\)"):
        built(folder)


def test_a_folder_whose_first_slide_lacks_features_is_not_passed_over(
    folder: Path, layouts: ModuleType, built: Callable[..., Cohort], patients: list[str]
) -> None:
    import h5py

    place = layouts.write_trident(folder, {f"{name}-01Z-00-DX1": np.ones((1, 4), np.float32) for name in patients})
    first = min(place.glob("*.h5"))
    with h5py.File(first, "r+") as file:
        del file["features"]
    with pytest.raises(InputError, match=f"{first.name}: dataset features .or feats. is missing"):
        built(folder)


def test_a_pickle_in_place_of_a_tensor_is_refused(
    folder: Path, layouts: ModuleType, built: Callable[..., Cohort], patients: list[str]
) -> None:
    import torch

    layouts.write_hipt(folder, patients[:2], [1, 1], np.ones((2, 3), np.float16))
    path = next((folder / "vit256mean_tcga_slide_embeddings").glob(f"{patients[0]}*"))
    tensor = torch.ones(2, 3)
    for content, says in (
        (Path("somewhere"), "code in files is never run; save only the features"),
        ({"places": tensor}, r"holds a dict without 'features' .there: places."),
        (tensor.long(), "holds a tensor of torch.int64, torch.strided instead of a dense float tensor"),
        (tensor.to_sparse(), "holds a tensor of torch.float32, torch.sparse_coo"),
    ):
        torch.save(content, path)
        with pytest.raises(InputError, match=f"{patients[0]}.*{says}"):
            built(folder)


def test_trident_slides_of_a_patient_are_joined_or_the_first_is_taken(
    folder: Path, layouts: ModuleType, built: Callable[..., Cohort], patients: list[str]
) -> None:
    slides = {f"{name}-01Z-00-DX1.aa": np.full((2, 5), row, np.float32) for row, name in enumerate(patients)}
    slides[f"{patients[7]}-01Z-00-DX2.bb"] = np.full((3, 5), 700, np.float32)
    slides[f"{patients[8]}-01A-01-TS1.cc"] = np.full((3, 5), 800, np.float32)
    layouts.write_trident(folder, slides)
    cohort, first = built(folder), built(folder, Selection(slides="first"))
    assert cohort.patches is not None
    assert first.patches is not None
    rows = [cohort.samples.tolist().index(patients[place]) for place in (7, 8)]
    assert cohort.patches.counts[rows].tolist() == [5, 2]
    assert first.patches.counts[rows].tolist() == [2, 2]
    assert set(first.patches.take(np.asarray(rows)).values[:, 0].tolist()) == {7.0, 8.0}
    assert cohort.provenance["image_encoder"] == {"name": "uni_v1", "version": None, "width": 5}
    sources = PublicSources(folder, Sources("mine", None, text_encoder="none"), Selection(), Encoder(version="1.0"))
    assert build_public(sources).provenance["image_encoder"]["version"] == "1.0"
    with pytest.raises(InputError, match="none of 102 slides"):
        built(folder, Selection(slide_kinds=("BS",)))
    frozen = built(folder, replace(Selection(), slide_kinds=("DX", "TS")))
    assert frozen.patches is not None
    assert frozen.patches.counts[rows].tolist() == [5, 5]


def test_links_to_folders_are_followed_once(
    folder: Path, layouts: ModuleType, tmp_path_factory: Any, patients: list[str]
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    layouts.write_hipt(elsewhere, patients, [1] * 100, np.ones((100, 4), np.float16))
    (folder / "slides").symlink_to(elsewhere)
    (folder / "again").symlink_to(folder)
    (folder / ".hidden").symlink_to(elsewhere)
    found = find(folder)
    assert [len(paths) for _, paths in found.slides] == [100]
    assert len(found.matrices) == 2


def test_clams_second_copy_is_passed_over_and_two_encoders_need_a_choice(
    folder: Path, layouts: ModuleType, built: Callable[..., Cohort], patients: list[str]
) -> None:
    slides = {f"{name}-01Z-00-DX1": np.ones((1, 4), np.float32) for name in patients}
    place = layouts.write_trident(folder, slides)
    place.rename(folder / "h5_files")
    layouts.write_hipt(folder, patients, [1] * 100, np.ones((100, 4), np.float16))
    (folder / "vit256mean_tcga_slide_embeddings").rename(folder / "pt_files")
    assert [where.name for where, _ in find(folder).slides] == ["h5_files"]
    (folder / "pt_files").rename(folder / "others")
    with pytest.raises(InputError, match="slide features in 2 folders; choose: --patches h5_files"):
        built(folder)
    assert built(folder, patches=Path("others")).provenance["inputs"][-1]["name"].endswith(".pt")

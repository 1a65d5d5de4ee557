"""Slides: tissue, tiles, encoders with local weights, and their way into a cohort."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.tasks.errors import InputError
from gexbench.tasks.importing.patch_files import read_patches
from gexbench.tasks.slides import tissue
from gexbench.tasks.slides.encoders import TileEncoder, tile_encoder
from gexbench.tasks.slides.reading import Slide, open_slide
from gexbench.tasks.slides.tiling import Tiling, find_slides, tile_slides
from gexbench.tasks.slides.tissue import otsu_threshold, saturation, tissue_mask, tissue_tiles

MODEL = "resnet10t"


class Painted:
    """A pyramid held in memory: white, with a pink rectangle from column 512 to 1536 and row 256 to 1024."""

    def __init__(self, mpp: float | None = 0.5) -> None:
        self.mpp = mpp
        finest = painted()
        self.arrays = [finest, finest[::4, ::4]]
        self.sizes = [(array.shape[1], array.shape[0]) for array in self.arrays]
        self.reads: list[tuple[int, int, int]] = []

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Any:
        self.reads.append((level, width, height))
        return self.arrays[level][y : y + height, x : x + width]

    def close(self) -> None: ...


def painted() -> np.ndarray:
    image = np.full((1280, 2048, 3), 244, dtype=np.uint8)
    image += np.random.default_rng(0).integers(0, 4, image.shape, dtype=np.uint8)
    image[256:1024, 512:1536] = (210, 120, 170)
    image[256:1024, 512:768, 2] = 90
    return image


class Means:
    """An encoder in place of a network: the mean of each channel of a tile."""

    def __call__(self, tiles: torch.Tensor) -> torch.Tensor:
        return tiles.mean(dim=(2, 3))


@pytest.fixture
def means() -> TileEncoder:
    return TileEncoder("means", "none", 3, 64, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), Means(), "cpu")


def _write(path: Path, *, resolution: bool = True) -> Path:
    """A tiled pyramid of two levels, 0.5 µm per pixel."""
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("zarr")
    image = painted()
    options: dict[str, Any] = {"tile": (256, 256), "photometric": "rgb"}
    stated = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"} if resolution else {}
    with tifffile.TiffWriter(path) as file:
        file.write(image, subifds=1, **options, **stated)
        file.write(np.ascontiguousarray(image[::4, ::4]), subfiletype=1, **options)
    return path


def test_otsu_against_every_threshold() -> None:
    random = np.random.default_rng(0)
    values = np.concatenate([random.normal(40, 9, 700), random.normal(150, 20, 300)]).clip(0, 255).astype(np.uint8)

    def within(t: int) -> float:
        return sum(len(part) * float(part.var()) for part in (values[values <= t], values[values > t]) if len(part))

    assert otsu_threshold(values) == min(range(256), key=within)
    assert otsu_threshold(np.full(10, 7, dtype=np.uint8)) == 0


def test_saturation_is_that_of_hsv() -> None:
    import colorsys

    pixels = np.random.default_rng(0).integers(0, 256, (50, 3), dtype=np.uint8)
    expected = [int(255 * colorsys.rgb_to_hsv(*(pixel / 255))[1] + 1e-9) for pixel in pixels]
    assert saturation(pixels).tolist() == expected
    assert saturation(np.zeros((1, 3), dtype=np.uint8)).tolist() == [0]


def test_tiles_are_those_on_tissue() -> None:
    slide = Slide("painted", Painted(), 0.5)
    found = tissue_tiles(slide, mpp=0.5, pixels=256, least=0.5)
    expected = [(x, y) for y in range(256, 1024, 256) for x in range(512, 1536, 256)]
    assert [tuple(corner) for corner in found.tolist()] == expected
    coarser = tissue_tiles(slide, mpp=1.0, pixels=256, least=0.5)
    assert [tuple(corner) for corner in coarser.tolist()] == [(512, 0), (1024, 0), (512, 512), (1024, 512)]
    assert len(tissue_tiles(slide, mpp=1.0, pixels=256, least=0.9)) == 2
    mask = tissue_mask(slide, mpp=2.0)
    assert mask.shape == (320, 512)
    assert mask.sum() == 192 * 256


def test_the_mask_is_the_same_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = tissue_mask(Slide("painted", Painted(), 0.5), mpp=2.0)
    monkeypatch.setattr(tissue, "_MOST_READ", 96)
    levels = Painted()
    np.testing.assert_array_equal(tissue_mask(Slide("painted", levels, 0.5), mpp=2.0), whole)
    assert max(width for _, width, _ in levels.reads) == 96


def test_an_empty_slide_has_no_tiles() -> None:
    levels = Painted()
    levels.arrays = [
        np.full_like(array, 240) - (np.arange(array.size).reshape(array.shape) % 2).astype(np.uint8)
        for array in levels.arrays
    ]
    assert len(tissue_tiles(Slide("empty", levels, 0.5), 0.5, 256, 0.5)) == 0


def test_regions_come_from_the_level_that_suits() -> None:
    levels = Painted()
    slide = Slide("painted", levels, 0.5)
    assert slide.region(512, 256, 256, 256).shape == (256, 256, 3)
    assert slide.region(512, 256, 1024, 256).shape == (256, 256, 3)
    assert slide.region(512, 256, 512, 256).shape == (256, 256, 3)
    assert [level for level, _, _ in levels.reads] == [0, 1, 0]
    beyond = slide.region(1920, 1152, 256, 256)
    assert (beyond[128:] == 255).all()
    assert (beyond[:, 128:] == 255).all()
    assert (beyond[:128, :128] < 250).all()


def test_files_resume_and_are_read_by_the_build(tmp_path: Path, means: TileEncoder) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    _write(slides / "TCGA-AA-0001-01Z-00-DX1.one.tiff")
    shutil.copy(slides / "TCGA-AA-0001-01Z-00-DX1.one.tiff", slides / "TCGA-AA-0002-01Z-00-DX1.two.tiff")
    out, seen = tmp_path / "features_means", []
    made = tile_slides(find_slides(slides), out, means, Tiling(batch=5), progress=lambda *call: seen.append(call[1:]))
    assert len(made.written) == 2
    assert seen[:3] == [(5, 12), (10, 12), (12, 12)]
    with h5py.File(out / "TCGA-AA-0001-01Z-00-DX1.one.h5") as file:
        assert file["features"].shape == (12, 3)
        assert file["features"].attrs["name"] == "means"
        assert json.loads(file.attrs["gexbench"])["slide_mpp"] == 0.5
        expected = np.array([210, 120, 90]) / 255
        np.testing.assert_allclose(file["features"][0], expected, atol=1e-3)
        assert file["coords"][0].tolist() == [512, 256]
    found = read_patches(out)
    assert found.ids.tolist() == ["TCGA-AA-0001", "TCGA-AA-0002"]
    assert found.patches.counts.tolist() == [12, 12]

    (out / "TCGA-AA-0002-01Z-00-DX1.two.h5").unlink()
    before = (out / "TCGA-AA-0001-01Z-00-DX1.one.h5").stat().st_mtime_ns
    again = tile_slides(find_slides(slides), out, means, Tiling(batch=5))
    assert (again.written, again.kept) == (("TCGA-AA-0002-01Z-00-DX1.two.tiff",), ("TCGA-AA-0001-01Z-00-DX1.one.tiff",))
    assert (out / "TCGA-AA-0001-01Z-00-DX1.one.h5").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"was made with mpp 0\.5, not 1\.0; use --force"):
        tile_slides(find_slides(slides), out, means, Tiling(mpp=1.0))
    assert tile_slides(find_slides(slides), out, means, Tiling(mpp=1.0), force=True).written


def test_an_interrupt_leaves_no_half_file(tmp_path: Path, means: TileEncoder) -> None:
    slide = _write(tmp_path / "a.tiff")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tile_slides([slide], tmp_path / "out", means, Tiling(batch=5), progress=stop)
    assert list((tmp_path / "out").iterdir()) == []


def test_all_bad_slides_are_named_before_anything_is_written(tmp_path: Path, means: TileEncoder) -> None:
    slides = tmp_path / "slides"
    slides.mkdir()
    _write(slides / "fine.tiff")
    _write(slides / "silent.tiff", resolution=False)
    (slides / "broken.svs").write_bytes(b"no slide")
    with pytest.raises(InputError) as caught:
        tile_slides(find_slides(slides), tmp_path / "out", means, Tiling())
    assert [problem.split(":")[0] for problem in caught.value.problems] == ["broken.svs", "silent.tiff"]
    assert "--slide-mpp" in caught.value.problems[1]
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match=r"coarser than the 0\.25; use --mpp 0\.5"):
        tile_slides([slides / "fine.tiff"], tmp_path / "out", means, Tiling(mpp=0.25))


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_encoded(
    tmp_path: Path, means: TileEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *given: False)
    with pytest.raises(InputError, match=r"--out .*out: is not writable; choose another folder"):
        tile_slides([], tmp_path / "out", means, Tiling())


def test_bad_options_are_named_at_once() -> None:
    with pytest.raises(InputError) as caught:
        Tiling(mpp=-1, tissue=0, pixels=2)
    assert len(caught.value.problems) == 3


def test_no_slides_and_slides_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        find_slides(tmp_path / "none")
    with pytest.raises(InputError, match="holds no slide"):
        find_slides(tmp_path)
    (tmp_path / "b").mkdir()
    for place in ("a.svs", "b/a.tiff"):
        (tmp_path / place).touch()
    with pytest.raises(InputError, match="appear twice"):
        find_slides(tmp_path)


def test_without_readers_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.svs").touch()
    for name in ("openslide", "tifffile"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"install gexbench\[slides\]"):
        open_slide(tmp_path / "a.svs")


def test_without_timm_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match=r"timm cannot be imported .*install gexbench\[slides\]"):
        tile_encoder("resnet50")


def test_a_torchvision_of_another_build_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(InputError, match=r"nms does not exist\); install the torchvision build that matches"):
        tile_encoder("resnet50")


@pytest.fixture(scope="module")
def timm() -> Any:
    try:
        import timm
    except (ImportError, RuntimeError) as error:  # torchvision raises the latter beside another torch
        pytest.skip(f"timm cannot be imported: {error}")
    return timm


@pytest.fixture(scope="module")
def weights(timm: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small model with a classifier, drawn at random."""
    from safetensors.torch import save_file

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_file(timm.create_model(MODEL, pretrained=False).state_dict(), path)
    return path


def test_local_weights_give_the_models_features(timm: Any, weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    encoder = tile_encoder(MODEL, weights)
    tiles = np.random.default_rng(0).integers(0, 256, (2, encoder.size, encoder.size, 3), dtype=np.uint8)
    model = timm.create_model(MODEL, pretrained=False, num_classes=0).eval()
    model.load_state_dict(load_file(weights), strict=False)
    given = torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255
    mean, sd = (torch.tensor(each)[:, None, None] for each in (encoder.mean, encoder.sd))
    with torch.no_grad():
        expected = model((given - mean) / sd).numpy()
    np.testing.assert_allclose(encoder.encode(tiles), expected, rtol=1e-4, atol=1e-5)
    torch.save(load_file(weights), tmp_path / "small.bin")
    np.testing.assert_array_equal(tile_encoder(MODEL, tmp_path / "small.bin").encode(tiles), encoder.encode(tiles))


def test_weights_that_do_not_fit_or_are_not_safe(timm: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        tile_encoder(MODEL, tmp_path / "none.bin")
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.bin")
    with pytest.raises(InputError, match="tensors are missing"):
        tile_encoder(MODEL, tmp_path / "other.bin")
    torch.save({"a": Path}, tmp_path / "code.bin")
    with pytest.raises(InputError, match="safe to read"):
        tile_encoder(MODEL, tmp_path / "code.bin")
    with pytest.raises(InputError, match="did you mean 'resnet50'"):
        tile_encoder("resnet5O")


def test_without_a_network_the_error_says_how(timm: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **more: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(InputError, match=r"resnet50: its weights .*no route to host.*--weights FILE"):
        tile_encoder("resnet50")
    with pytest.raises(InputError, match=r"MahmoodLab/UNI .*access is granted there on request"):
        tile_encoder("uni")


def test_slides_to_a_cohort_on_the_command_line(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two patients' slides, and expression of a hundred; the rest keep their place with everything masked."""
    monkeypatch.setenv("GEXBENCH_DATA", str(tmp_path / "data"))
    slides = tmp_path / "slides"
    slides.mkdir()
    for patient in ("P000", "P001"):
        _write(slides / f"{patient}.slide.tiff")
    runner, out = CliRunner(), tmp_path / f"features_{MODEL}"
    command = ["cohort", "tile", str(slides), "--encoder", MODEL, "--weights", str(weights), "--out", str(out)]
    found = runner.invoke(app, command)
    assert found.exit_code == 0, found.output
    assert "2 slides written, 0 there already" in found.output
    assert "0 slides written, 2 there already" in runner.invoke(app, command).output
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(5, 1, (120, 12)).clip(0), columns=[f"G{gene}" for gene in range(12)])
    table.insert(0, "sample", [f"P{row:03d}" for row in range(120)])
    table["tissue"] = ["a", "b"] * 60
    table.to_csv(tmp_path / "expression.csv", index=False)
    build = ["cohort", "build", "mine", "--expression", str(tmp_path / "expression.csv"), "--labels", "tissue"]
    build += ["--unit", "log2(tpm+1)", "--patches", str(out), "--missing", "mask"]
    built = runner.invoke(app, build)
    assert built.exit_code == 0, built.output
    assert "2 samples, 24 rows" in built.output

"""The study that makes the page of the generators' speed: reads, keeps, replaces, and says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from gexbench.benchmark.studies.__main__ import main
from gexbench.benchmark.studies.speed.generators import read_kept, write_page

ROOT = Path(__file__).resolve().parents[3]
HARDWARE = {"processor": "a processor", "architecture": "x", "system": "y", "cores": 2, "memory_bytes": 8 * 2**30}
TRAINING = {"batch": 64, "steps": 1500, "steps_alone": 0, "joint_ms": 30.0, "joint_cpu_ms": 20.0, "training_s": 45.0,
            "training_cpu_s": 30.0, "steps_per_s": 33.3333, "patients_per_s": 6400.0, "load": 1.25}  # fmt: skip
WAY = {
    "step_ms": 9.0,
    "step_cpu_ms": 4.0,
    "steps": 1000,
    "first_start_cpu_s": 50.0,
    "later_start_cpu_s": 0.5,
    "load": 3.0,
}
SAMPLING = {"seconds": 1.5, "cpu_s": 2.5, "profiles_per_cpu_s": 4000.0, "load": 2.0}
STEPS = {"seconds": 1.4, "cpu_s": 2.7, "sampling_steps": 10, "detection_auc_xgb": 0.74, "recall": 0.46,
         "coverage": 0.8, "precision": 0.9, "load": 2.0}  # fmt: skip
STEP = {"threads": 1, "plain_s": 14.0, "fast_s": 3.5, "speed_up": 4.0, "plain_cpu_s": 12.0, "fast_cpu_s": 3.0,
        "speed_up_cpu": 4.0, "load": 2.0}  # fmt: skip


def study(*arguments: str) -> int | str | None:
    """What the study ends with, 0 where all is well."""
    with pytest.raises(SystemExit) as ended:
        main(["generators", *arguments])
    return ended.value.code


def extra(kind: str, generator: str, figures: dict[str, float], **more: str) -> dict[str, Any]:
    return {"kind": kind, "generator": generator, "device": "cpu", "figures": figures, **more}


ALL = [
    extra("training", "wgan-gp-label", TRAINING),
    extra("training", "cvae-gemm", TRAINING | {"steps_alone": 1500, "alone_cpu_ms": 10.0, "training_cpu_s": 15.0}),
    extra("way", "cvae", WAY, way="as it is"),
    extra("way", "cvae", WAY | {"step_cpu_ms": 2.0}, way="compiled"),
    extra("sampling", "cvae", SAMPLING),
    extra("sampling steps", "diffusion-label", STEPS),
    extra("sampling steps", "diffusion-label", STEPS | {"sampling_steps": 5}),
    extra("step", "gemm-gan", STEP, shape="B 8, P 256"),
]


def results(path: Path, extras: list[dict[str, Any]], **hardware: Any) -> Path:
    """A JSON file as pytest-benchmark writes it, with what must not reach the page."""
    info = {"node": "secret-host", "hardware": HARDWARE | hardware, "torch": "2.13.0"}
    benchmarks = [{"name": "a", "stats": {}, "extra_info": each} for each in [*extras, {}]]
    path.write_text(json.dumps({"machine_info": info, "benchmarks": benchmarks, "commit_info": {"branch": "secret"}}))
    return path


def test_every_section_has_its_rows_and_ratios(tmp_path: Path) -> None:
    text = write_page([results(tmp_path / "a.json", ALL)], tmp_path / "out").read_text()
    assert "a processor, 2 cores, 8 GiB; torch 2.13.0. Load average during the measurement: 1.2 to 3.0" in text
    assert "| wgan-gp-label | 64 | 1,500 | 0 | 20.0 | – | 30.0 | 50.0 | 9,600 | 1.00 |" in text
    assert "| cvae-gemm | 64 | 0 | 1,500 | 20.0 | 10.0 | 15.0 | 100 | 19,200 | 2.00 |" in text
    assert "| cvae | compiled | 2.00 | 2.00 times as fast | 50.0 | 0.500 | 52.0 |" in text
    assert "With compiled passes, 1 of 1 whole trainings take fewer CPU-seconds than unchanged." in text
    assert "| cvae | 1.50 | 2.50 | 4,000 |" in text
    assert text.index("| 5 | 1.40 |") < text.index("| 10 | 1.40 | 2.70 | 0.460 | 0.800 | 0.900 | 0.740 |")
    assert "| B 8, P 256 | 1 | 3.00 | 12.0 | 4.00 | 4.00 |" in text
    assert "Not measured, as no GPU was available" in text


def test_what_is_kept_names_no_host_and_gives_the_same_page(tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = write_page([results(tmp_path / "a.json", ALL)], out).read_bytes()
    assert "secret" not in (out / "generator-speed.json").read_text()
    assert write_page([], out).read_bytes() == first


def test_newer_measurements_replace_the_same_ones_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_page([results(tmp_path / "a.json", ALL)], out)
    newer = extra("sampling", "cvae", SAMPLING | {"seconds": 9.25})
    text = write_page([results(tmp_path / "b.json", [newer])], out).read_text()
    assert "| cvae | 9.25 |" in text
    kept = read_kept(out / "generator-speed.json")
    assert kept is not None
    assert len(kept.measurements) == len(ALL)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    text = write_page([results(tmp_path / "a.json", ALL[:-1])], tmp_path / "out").read_text()
    missing = text.partition("## Not measured here")[2]
    assert "- the step of GeMM-GAN beside the plain formulation" in missing
    assert "- training: `wgan-gp`, `wgan-gp-text`," in missing
    assert "diffusion-label" in missing.partition("- sampling: ")[2]
    assert "sampling steps" not in missing


def test_a_gpu_gets_sections_of_its_own(tmp_path: Path) -> None:
    on_gpu = extra("sampling", "cvae", SAMPLING) | {"device": "cuda"}
    text = write_page([results(tmp_path / "a.json", [*ALL, on_gpu])], tmp_path / "out").read_text()
    assert "## Sampling on a GPU\n" in text
    assert "Not measured, as no GPU" not in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON file"),
        ('{"benchmarks": []}', "no result of tests/benchmarks"),
        (json.dumps({"machine_info": {"hardware": HARDWARE, "torch": "2"}, "benchmarks": []}), "holds no measurement"),
    ],
)
def test_other_files_are_refused_with_the_fix(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(content)
    assert study(str(tmp_path / "a.json"), "--out", str(tmp_path / "out")) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "--benchmark-json" in said
    assert not (tmp_path / "out").exists()


def test_another_machine_and_nothing_at_all_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_page([results(tmp_path / "a.json", ALL)], tmp_path / "out")
    other = results(tmp_path / "b.json", ALL, cores=64)
    assert study(str(other), "--out", str(tmp_path / "out")) == 2
    assert "give another --out" in capsys.readouterr().err
    assert study(str(tmp_path / "none.json"), "--out", str(tmp_path / "new")) == 2
    assert study("--out", str(tmp_path / "new")) == 2
    assert not (tmp_path / "new").exists()


@pytest.mark.skipif(
    not (ROOT / "docs" / "reference" / "generator-speed" / "generator-speed.json").is_file(),
    reason="needs the source tree",
)
def test_the_committed_page_is_that_of_the_committed_measurements(tmp_path: Path) -> None:
    kept = (ROOT / "docs" / "reference" / "generator-speed" / "generator-speed.json").read_bytes()
    (tmp_path / "generator-speed.json").write_bytes(kept)
    page = write_page([], tmp_path)
    assert page.read_bytes() == (ROOT / "docs" / "reference" / "generator-speed" / "generator-speed.md").read_bytes()
    assert (tmp_path / "generator-speed.json").read_bytes() == kept

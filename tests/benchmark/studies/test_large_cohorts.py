"""The study of large cohorts: resumes, states what stopped, writes its page."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gexbench.benchmark.studies.__main__ import main
from gexbench.benchmark.studies.speed import large_cohorts, large_cohorts_point
from gexbench.benchmark.studies.speed.large_cohorts import PARTS, Point, measure, plan
from gexbench.benchmark.studies.speed.points import Limits, Measured, read_results, write_results
from gexbench.tasks.cohorts.cohort_folder import read_cohort
from gexbench.tasks.cohorts.mapped_files import is_mapped
from gexbench.tasks.errors import InputError

TRAINING = {"threads": 1, "patch_bytes": 10**6, "read_s": 1.0, "share_cold": 0.5, "share_warm": 0.125}
TRAINING |= {f"{name}_{kind}": 2.0 for name in ("step", "epoch_cold", "epoch_warm") for kind in ("s", "cpu_s")}
PANEL = {
    "threads": 2,
    "cpu_seconds_by_step": {"crps": 1.5, "support_genes": 4.0},
    "notes": ["classifiers are fitted on a sample"],
}
PANEL |= {f"{name}_{kind}": 3.0 for name in ("prepare", "panel") for kind in ("s", "cpu_s")}
ARGUMENTS = ("--patients", "200,400", "--genes", "", "--patches", "", "--base", "200,10,2")


def study(*arguments: str) -> int | str | None:
    """What the study ends with, 0 where all is well."""
    with pytest.raises(SystemExit) as ended:
        main(["large-cohorts", *arguments])
    return ended.value.code


def _measured(point: Point, limits: Limits) -> Measured[Point]:
    if point.patients > 300 and limits.seconds < 100:
        return Measured(point, "over time", "step in 5 s", None, None, 10**9, "{}", limits.seconds, limits.bytes)
    figures = json.dumps(TRAINING if point.part == "training" else PANEL)
    return Measured(point, "done", "end", 5.0, 4.0, 2 * 10**9, figures, limits.seconds, limits.bytes)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Parts and patients that were measured."""
    found: list[tuple[str, int]] = []

    def measured(point: Point, module: str, arguments: Sequence[object], limits: Limits) -> Measured[Point]:
        found.append((point.part, point.patients))
        return _measured(point, limits)

    monkeypatch.setattr(large_cohorts, "run_point", measured)
    return found


def test_resumes_and_states_what_was_stopped(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    study(*ARGUMENTS, "--limit", "50", "--out", str(tmp_path))
    assert asked == [("training", 200), ("panel", 200), ("training", 400), ("panel", 400)]
    page = (tmp_path / "scale.md").read_text()
    assert "| 200 | 10 | 2 | 0.00 | (1) | 2 (2) | 2 (2) | 2 (2) | 50 % | 12 % | 1 | 2.00 |" in page
    assert "| 400 | 10 | 2 | over time of 50 s; reached: step in 5 s |" in page
    assert "The data path takes at most 50 % of a step cold and 12 % warm; the target is a third. At 200 " in page
    assert "in CPU-seconds: support_genes 4, crps 1.5." in page
    assert "Subsampled there: classifiers are fitted on a sample." in page
    assert "patients, 20,000 genes and 256 patches: training and panel. Option `--full`" in page
    drawn = (tmp_path / "scale.svg").read_bytes()
    asked.clear()
    study(*ARGUMENTS, "--limit", "50", "--out", str(tmp_path))
    assert asked == []
    assert (tmp_path / "scale.svg").read_bytes() == drawn
    study(*ARGUMENTS, "--limit", "200", "--out", str(tmp_path))
    assert asked == [("training", 400), ("panel", 400)]


def test_one_size_on_two_axes_is_measured_once(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    study("--patients", "200", "--genes", "10", "--patches", "2", "--base", "200,10,2", "--out", str(tmp_path))
    assert asked == [("training", 200), ("panel", 200)]
    assert len(read_results(tmp_path / "scale.csv", Point)) == 5


def test_the_goal_alone_has_a_page_without_a_figure(asked: list[tuple[str, int]], tmp_path: Path) -> None:
    study("--patients", "", "--genes", "", "--patches", "", "--full", "--out", str(tmp_path))
    assert asked == [("training", 10_000), ("panel", 10_000)]
    assert "| 10,000 | 20,000 | 256 |" in (tmp_path / "scale.md").read_text()
    assert not (tmp_path / "scale.svg").exists()


def test_the_goal_comes_last_and_the_panel_grows_with_no_patches() -> None:
    axes = {"patients": [1000, 10_000], "genes": [20_000], "patches": [64]}
    points = plan(axes, (1000, 1000, 16), True, ["panel"])
    assert points[-1] == Point("panel", "all", 10_000, 20_000, 256)
    assert [point.patients for point in points[:3]] == [1000, 1000, 10_000]
    assert len(plan(axes, (1000, 1000, 16), False, PARTS)) == 7


def test_the_table_is_read_as_written(tmp_path: Path) -> None:
    done = _measured(Point("panel", "genes", 200, 10, 2), Limits(5.0, 10**9, "wall"))
    stopped = replace(
        done, point=replace(done.point, axis="all"), state="over memory", seconds=None, cpu_seconds=None, figures="{}"
    )
    write_results(tmp_path / "scale.csv", [done, stopped])
    assert read_results(tmp_path / "scale.csv", Point) == [done, stopped]
    write_results(tmp_path / "scale.csv", [replace(done, limit_s=None)])
    with pytest.raises(InputError, match="line 2, limit_s"):
        read_results(tmp_path / "scale.csv", Point)


def test_bad_options_are_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert study("--patients", "3", "--parts", "all", "--limit", "0", "--base", "1000", "--folder", "nowhere") == 2
    assert len(capsys.readouterr().err.splitlines()) == 5


def test_a_generated_cohort_is_whole_and_mapped(tmp_path: Path) -> None:
    large_cohorts_point.make_cohort(200, 12, 3, tmp_path / "cohort")
    cohort = read_cohort(tmp_path / "cohort")
    assert cohort.expression.shape == (200, 12)
    assert cohort.patches is not None
    assert is_mapped(cohort.patches.values)
    assert cohort.patches.values.shape == (600, 1024)
    assert not cohort.small_classes("project")
    assert [path.name for path in tmp_path.iterdir()] == ["cohort"]


@pytest.mark.slow(reason="trains and scores in processes of their own")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_measured_and_leaves_nothing(tmp_path: Path, part: str) -> None:
    found = measure(Limits(800.0, 10**10, "wall"), tmp_path, Point(part, "patients", 200, 40, 2), [])
    assert (found.state, found.point.part) == ("done", part)
    assert found.cpu_seconds is not None
    assert found.cpu_seconds > 0
    assert json.loads(found.figures)["step_s" if part == "training" else "panel_s"] > 0
    assert list(tmp_path.iterdir()) == []

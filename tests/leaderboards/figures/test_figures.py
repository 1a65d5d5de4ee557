"""Figures of records: frames against values computed by hand, what is drawn of them, and the same bytes again."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from typer.testing import CliRunner

from gexbench.benchmark.cli import app
from gexbench.leaderboards.comparing.table import Leaderboard, leaderboard
from gexbench.leaderboards.figures import agreement, downstream, frames, scores
from gexbench.leaderboards.figures.catalogue import FIGURES, caption_of
from gexbench.leaderboards.figures.frames import Lacking
from gexbench.leaderboards.figures.style import looks
from gexbench.leaderboards.figures.writing import FORMATS, figure_bytes
from gexbench.leaderboards.records import Record
from gexbench.tasks.errors import InputError

Contents = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
Made = tuple[Leaderboard, list[Record]]
VALUES = {
    "recall_genes": 0.45, "frechet": 380.0, "correlation_mse": 0.027, "variance_ratio": 0.8,
    "detection_xgb": 0.9, "tstr_lr_accuracy[project]": 0.55, "copy_share": 0.0,
}  # fmt: skip
RELEASE = {f"release_accuracy_{size}": 0.7 + size / 100 for size in (2, 5, 10, 25)}
ALONE = {f"release_real_only_accuracy_{size}": 0.5 + size / 100 for size in (2, 5, 10, 25)}
RANKS = {"rank_share_0": 0.5, "rank_share_1": 0.2, "rank_share_2": 0.3}
PER_CLASS = {"tstr_lr_recall[project]": {"A": 0.25, "B": 0.75}, "de_concordance": {"A": 0.5, "B": 0.9}}


@pytest.fixture
def contents(make: Make, references: Callable[[int], Contents]) -> Contents:
    made = references(2)
    for name, seconds in (("vae", 10.0), ("cvae", 20.0), ("thief", 5.0)):
        for fold in range(2):
            values = {**VALUES, **RELEASE, "copy_share": 0.9 if name == "thief" else 0.0}
            values["recall_genes"] = 0.4 if name == "vae" else 0.5 + 0.02 * fold
            more = {"extra": {**RANKS, **ALONE}, "per_class": PER_CLASS, "cpu_times_s": {"fit": seconds}}
            made.append(make(name, fold, values, **more))
    few = {**VALUES, "scarce_accuracy": 0.62, "scarce_gain": 0.02}
    extra = {"scarce_real_only_accuracy": 0.6}
    made += [make("vae", fold, few, train_fraction=0.1, fitted=24, extra=extra) for fold in range(2)]
    return made


@pytest.fixture
def made(contents: Contents, parsed: Callable[..., Any]) -> Made:
    records = parsed(contents)
    return leaderboard(records), records


@pytest.fixture
def folder(tmp_path: Path, contents: Contents) -> Path:
    (tmp_path / "board" / "records").mkdir(parents=True)
    for at, content in enumerate(contents):
        (tmp_path / "board" / "records" / f"{at}.json").write_text(json.dumps(content))
    return tmp_path / "board"


def texts(figure: Figure) -> set[str]:
    return {text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()}  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", FIGURES, ids=lambda kind: kind.name)
def test_every_figure_is_drawn_and_has_the_same_bytes_again(made: Made, kind: Any) -> None:
    before = dict(mpl.rcParams)
    frame = kind.frame(*made)
    first, again = (figure_bytes(kind.draw(frame), "svg") for _ in range(2))
    assert first == again
    assert b"<dc:date>" not in first
    assert dict(mpl.rcParams) == before
    assert "vae" in texts(kind.draw(frame))


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_has_the_same_bytes_again(made: Made, kind: str) -> None:
    frame = frames.overall_frame(*made)
    assert figure_bytes(scores.overall_scores(frame), kind) == figure_bytes(scores.overall_scores(frame), kind)


def test_the_heat_map_shows_the_scores_of_the_board(made: Made) -> None:
    board, _ = made
    frame = frames.score_frame(*made)
    (mesh,) = [each for each in scores.score_heat_map(frame).axes[0].collections if each.get_array() is not None]
    shown = np.ma.filled(np.ma.masked_invalid(mesh.get_array()), np.nan).reshape(len(board.rows), -1)
    np.testing.assert_allclose(shown[:, 0], board.rows["overall"])
    np.testing.assert_allclose(shown[:, 1 : 1 + len(board.families)], board.rows[list(board.families)])
    recall = board.metrics[board.metrics["key"] == "recall_genes"].set_index("generator")["score"]
    column = list(frame[["group", "key"]].drop_duplicates()["key"]).index("recall_genes")
    np.testing.assert_allclose(shown[:, column], recall.loc[board.rows["generator"]])


def test_overall_scores_have_their_intervals_and_the_leaders_group_is_filled(made: Made) -> None:
    frame = frames.overall_frame(*made)
    axis = scores.overall_scores(frame).axes[0]
    assert [label.get_text().split()[0] for label in axis.get_yticklabels()] == list(frame["generator"])
    lines = [line for line in axis.lines if len(line.get_xdata()) == 2]
    lengths = [float(np.diff(line.get_xdata())[0]) for line in lines]
    np.testing.assert_allclose(lengths, 2 * frame["half_width"])
    points = [line for line in axis.lines if len(line.get_xdata()) == 1]
    for row, point in zip(frame.itertuples(), points, strict=True):
        assert point.get_xdata()[0] == row.overall
        assert (point.get_markerfacecolor() == "white") == (row.standing != "reference" and not row.with_leader)
    assert points[list(frame["generator"]).index("thief")].get_marker() == "x"


def test_the_pareto_front_is_that_of_those_who_compete() -> None:
    frame = pd.DataFrame(
        {
            "generator": ["slow", "quick", "beaten", "copy", "best", "tie"],
            "seconds": [50.0, 1.0, 20.0, 0.1, 100.0, 1.0],
            "overall": [0.8, 0.5, 0.4, 0.99, 0.9, 0.45],
            "competes": [True, True, True, False, True, True],
        }
    )
    assert list(scores.pareto_front(frame)["generator"]) == ["quick", "slow", "best"]


def test_copies_and_the_ceiling_take_no_part_in_the_front(made: Made) -> None:
    frame = frames.cost_frame(*made).set_index("generator")
    assert frame["competes"].to_dict() == {
        "real-holdout": False, "class-gaussian": True, "cvae": True, "vae": True, "class-mean": True,
        "gene-shuffle": True, "thief": False,
    }  # fmt: skip
    assert frame.loc["cvae", "seconds"] == 20.0
    assert "front" not in frame.columns


def test_references_alone_have_no_close_up(references: Callable[[int], Contents], parsed: Any, made: Made) -> None:
    records = parsed(references(2))
    alone = scores.score_against_time(frames.cost_frame(leaderboard(records), records))
    assert len(alone.axes) == 1
    whole, close_up = scores.score_against_time(frames.cost_frame(*made)).axes
    low, high = close_up.get_ylim()
    assert high - low >= 0.1
    assert {text.get_text() for text in close_up.texts} == {"vae", "cvae"}
    assert "class-gaussian" in {text.get_text() for text in whole.texts}


def test_no_name_stands_on_the_pareto_front(made: Made) -> None:
    figure = scores.score_against_time(frames.cost_frame(*made))
    figure.draw_without_rendering()
    for axis in figure.axes:
        corners = axis.transData.transform(axis.lines[0].get_xydata())
        boxes = [text.get_window_extent() for text in axis.texts]
        for start, end in itertools.pairwise(corners):
            piece = Bbox([np.minimum(start, end), np.maximum(start, end)])
            assert not any(piece.padded(0.5).overlaps(box) for box in boxes)


def test_frames_hold_means_over_the_cells_of_the_table(make: Make, contents: Contents, parsed: Any) -> None:
    changed = {"per_class": {"tstr_lr_recall[project]": {"A": 0.75}}, "extra": {"rank_share_0": 0.1}}
    contents = [c for c in contents if (c["generator"]["name"], c["fold"]["index"]) != ("vae", 1)]
    contents.append(make("vae", 1, {**VALUES, "release_accuracy_2": 0.9}, **changed))
    lonely = make("vae", 2, VALUES, per_class={"tstr_lr_recall[project]": {"A": 0.0}})
    records = parsed([*contents, lonely])  # fold 2 lacks the references and is left out of the table
    board = leaderboard(records)
    recall = frames.recall_frame(board, records).set_index(["generator", "class"])["recall"]
    assert recall["vae", "A"] == 0.5
    assert recall["vae", "B"] == 0.75
    ranks = frames.rank_frame(board, records).set_index(["generator", "rank"])["share"]
    assert ranks["vae", 0] == pytest.approx(0.3)
    release = frames.release_frame(board, records).set_index(["generator", "size"])
    assert release.loc[("vae", 2), "accuracy"] == pytest.approx((0.72 + 0.9) / 2)
    assert release.loc[("cvae", 25), "alone"] == 0.75
    assert release.loc[("cvae", 25), "all_real"] == 0.95


def test_few_patients_are_the_shares_below_one(made: Made) -> None:
    frame = frames.scarce_frame(*made)
    (row,) = frame.to_dict("records")
    assert (row["generator"], row["train_fraction"], row["samples"]) == ("vae", 0.1, 24)
    assert (row["accuracy"], row["alone"], row["all_real"]) == (0.62, 0.6, 0.95)
    lines = downstream.few_patients(frame).axes[0].lines
    assert 0.62 in {float(np.asarray(line.get_ydata())[0]) for line in lines}


def test_tall_bars_are_cut_and_their_share_is_written(made: Made) -> None:
    frame = frames.rank_frame(*made)
    frame.loc[frame["rank"] == 0, "share"] = 1.2
    figure = agreement.rank_histograms(frame)
    assert max(bar.get_height() for bar in figure.axes[0].patches) == pytest.approx(1.0)
    assert "1.20" in texts(figure)


def test_values_left_of_the_axis_are_written() -> None:
    rows = [("good", name, 0.9 + at / 100) for at, name in enumerate("ABCDE")] + [("bad", name, 0.01) for name in "AB"]
    frame = pd.DataFrame(rows, columns=["generator", "class", "concordance"])
    figure = agreement.fold_change_concordance(frame.assign(standing="ranked", family="vae"))
    low, _ = figure.axes[0].get_xlim()
    assert 0.85 <= low <= 0.9
    assert "◂ 2 classes down to 0.01, mean 0.01" in texts(figure)


def test_figures_that_records_do_not_allow_say_why(references: Callable[[int], Contents], parsed: Any) -> None:
    records = parsed(references(2))
    board = leaderboard(records)
    reasons = {}
    for kind in FIGURES:
        try:
            kind.frame(board, records)
        except Lacking as reason:
            reasons[kind.name] = str(reason)
    assert reasons.keys() == {"recall", "few-real-rows", "few-patients", "calibration", "differential-expression"}
    assert "--panel extended" in reasons["few-real-rows"]
    assert "--train-fractions" in reasons["few-patients"]


def test_without_floors_there_are_no_figures_of_scores(make: Make, parsed: Any) -> None:
    records = parsed([make("vae", fold, VALUES) for fold in range(2)])
    with pytest.raises(Lacking, match="real-holdout"):
        frames.overall_frame(leaderboard(records), records)


@pytest.mark.parametrize("kind", FIGURES, ids=lambda kind: kind.name)
def test_foreign_names_are_no_formulas(contents: Contents, parsed: Callable[..., Any], kind: Any) -> None:
    for content in contents:
        content["generator"]["name"] = {"vae": r"$\frac{$ a", "cvae": "x" * 60}.get(
            content["generator"]["name"], content["generator"]["name"]
        )
        if content["per_class"]:
            recall = {r"$\no$": 0.25, "B": 0.5}
            content["per_class"] = {**content["per_class"], "tstr_lr_recall[project]": recall}
    records = parsed(contents)
    figure = kind.draw(kind.frame(leaderboard(records), records))
    assert any(r"\frac{\$ a" in text for text in texts(figure))
    assert figure_bytes(figure, "svg")


def test_families_look_alike_whatever_else_is_there_and_references_are_grey() -> None:
    found = looks(["vae", "flow", "reference", "diffusion"])
    assert found["reference"].colour == "#8c8c8c"
    assert len({look.colour for look in found.values()}) == len({look.marker for look in found.values()}) == len(found)
    assert looks(["vae"])["vae"] == found["vae"]


def test_captions_name_the_cohort_and_the_protocol(made: Made) -> None:
    caption = caption_of("What it shows.", made[0].header)
    assert caption == "What it shows. Cohort tiny: 400 samples, 40 genes; track random, budget quick, 2 folds."
    assert caption_of("", made[0].header, fold=1).endswith("budget quick, fold 1.")


def test_the_command_writes_figures_and_captions_and_says_what_is_left_out(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "paper"
    command = ["figures", str(folder), "--out", str(out), "--formats", "svg", "--only", "overall,training"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {"overall.svg", "overall.txt"}
    assert "Cohort tiny" in (out / "overall.txt").read_text()
    assert "left out: training: no training logs" in done.output
    assert done.output.rstrip().endswith(str(out))
    refused = CliRunner().invoke(app, [*command[:4], "--only", "overal", "--formats", "svg"])
    assert isinstance(refused.exception, InputError)
    assert "did you mean 'overall'" in str(refused.exception)


def test_a_published_folder_gets_no_figures(folder: Path) -> None:
    shutil.copyfile(folder / "records" / "0.json", folder / "SHA256SUMS")
    assert CliRunner().invoke(app, ["figures", str(folder)]).exit_code == 2
    assert not (folder / "figures").exists()

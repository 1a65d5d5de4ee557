"""What conditions and parts add."""

import numpy as np
import pytest

from gexbench.leaderboards.comparing.ablation import CONTRASTS, ablations
from gexbench.leaderboards.statistics import holm
from gexbench.models import BUILT_IN

NAMES = ("wgan-gp", "gemm-gan", "wgan-gp-text", "class-gaussian")
SHARE = 0.25


def measures() -> dict[str, np.ndarray]:
    values = np.array([[0.1, 0.2, 0.3], [0.5, 0.9, 0.7], [0.4, 0.6, 0.65], [0.0, 0.0, 0.0]])
    return {"overall": values, "other": values[::-1].copy()}


def test_differences_and_intervals_by_hand() -> None:
    frame = ablations(measures(), NAMES, SHARE)
    mine = frame[(frame["measure"] == "overall") & (frame["question"] == "images and text, to nothing")].iloc[0]
    differences = np.array([0.4, 0.7, 0.4])
    assert mine["difference"] == pytest.approx(0.5)
    assert mine["half_width"] == pytest.approx(4.302653 * differences.std(ddof=1) * np.sqrt(1 / 3 + SHARE), rel=1e-6)


def test_only_contrasts_with_both_sides_and_holm_within_a_measure() -> None:
    frame = ablations(measures(), NAMES, SHARE)
    pairs = set(zip(frame["generator"], frame["against"], strict=True))
    assert pairs == {("gemm-gan", "wgan-gp"), ("gemm-gan", "wgan-gp-text"), ("wgan-gp-text", "wgan-gp")}
    for _, group in frame.groupby("measure"):
        np.testing.assert_allclose(group["p_holm"], holm(group["p"]))
    assert ablations(measures(), ("a", "b", "c", "d"), SHARE).empty


def test_a_fold_without_a_value_is_left_out() -> None:
    values = {name: array.copy() for name, array in measures().items()}
    values["overall"][1, 2] = np.nan
    frame = ablations(values, NAMES, SHARE).set_index(["measure", "generator", "against"])
    assert frame.loc[("overall", "gemm-gan", "wgan-gp"), "difference"] == pytest.approx(0.55)


def test_every_contrast_is_between_registered_generators_of_one_family() -> None:
    family = {entry.name: entry.family for entry in BUILT_IN}
    assert all(family[each.generator] == family[each.against] for each in CONTRASTS)

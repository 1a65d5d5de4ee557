"""Encoders of patches and text."""

from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import nn

from gexbench.models.conditioning.attention import PatchEncoder, masked_mean
from gexbench.models.conditioning.batch import ConditionBatch, ConditionReader
from gexbench.models.conditioning.encoders import ENCODERS, EncoderSizes
from gexbench.models.conditioning.fusion import FilmProjection, FusionSizes, GemmFusion
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.device_fold import all_conditions

SIZES = FusionSizes(patch_width=7, token_width=9, width=16)


def batch(patches: int = 5, rows: int = 4) -> ConditionBatch:
    torch.manual_seed(1)
    patch_mask, token_mask = torch.zeros(rows, patches, dtype=torch.bool), torch.zeros(rows, 6, dtype=torch.bool)
    patch_mask[1, 3:], token_mask[1, 4:] = True, True
    labels = torch.arange(rows)[:, None] % 3
    return ConditionBatch(labels, torch.randn(rows, 6, 9), token_mask, torch.randn(rows, patches, 7), patch_mask)


def fusion(wiring: str = "sequential") -> GemmFusion:
    torch.manual_seed(0)
    return GemmFusion(replace(SIZES, wiring=wiring)).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("patches", [5, 12], ids=["film-first", "film-in-one-product"])
@pytest.mark.parametrize("wiring", ["sequential", "parallel"])
def test_equals_the_plain_formulation(plain: ModuleType, wiring: str, patches: int) -> None:
    ours, given = fusion(wiring), batch(patches)
    other = plain.PlainFusion(replace(SIZES, wiring=wiring))
    plain.copy_weights(nn.ModuleDict({"x": ours}), nn.ModuleDict({"x": other}))
    torch.testing.assert_close(ours(given), other(given), atol=1e-5, rtol=1e-5)


def test_wirings_differ() -> None:
    assert not torch.allclose(fusion("sequential")(batch()), fusion("parallel")(batch()), atol=1e-3)


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"none", "labels"}))
def test_order_of_patches_and_of_words_and_padding_do_not_matter(name: str) -> None:
    torch.manual_seed(0)
    encoder, given = ENCODERS[name].build(EncoderSizes((3,), SIZES)).eval(), batch()
    tokens, token_mask = given.text()
    patches, patch_mask = given.image()
    order, words = torch.tensor([3, 0, 4, 2, 1]), torch.tensor([0, 5, 3, 1, 2, 4])
    permuted = replace(
        given,
        patches=patches[:, order],
        patch_mask=patch_mask[:, order],
        tokens=tokens[:, words],
        token_mask=token_mask[:, words],
    )
    padding = torch.ones(4, 9, dtype=torch.bool)
    padded = replace(
        given,
        patches=torch.cat([patches, torch.full((4, 9, 7), 50.0)], 1),
        patch_mask=torch.cat([patch_mask, padding], 1),
        tokens=torch.cat([tokens, torch.full((4, 9, 9), 50.0)], 1),
        token_mask=torch.cat([token_mask, padding], 1),
    )
    expected = encoder(given)
    assert expected.shape == (4, encoder.out_features)
    torch.testing.assert_close(encoder(permuted), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(encoder(padded), expected, atol=1e-5, rtol=1e-5)


def test_other_patches_or_words_do_matter() -> None:
    encoder, given = fusion(), batch()
    tokens, token_mask = given.text()
    patches, _ = given.image()
    for changed in (replace(given, patches=patches.flip(0)), replace(given, token_mask=token_mask.flip(0))):
        assert not torch.allclose(encoder(changed), encoder(given), atol=1e-4)
    last_word = torch.cat([tokens[:, :5], tokens[:, 5:] + 1.0], 1)
    moved = (encoder(replace(given, tokens=last_word)) - encoder(given)).abs().amax(1)
    assert moved[1] == 0.0  # masked in patient 1
    assert (moved[[0, 2, 3]] > 1e-4).all()


def test_patient_without_patches_is_the_summary_vector_alone() -> None:
    encoder, given = fusion(), batch()
    nothing = replace(given, patch_mask=torch.ones(4, 5, dtype=torch.bool))
    none_at_all = replace(given, patches=torch.zeros(4, 0, 7), patch_mask=torch.zeros(4, 0, dtype=torch.bool))
    result = encoder(nothing)
    assert result.isfinite().all()
    torch.testing.assert_close(result, encoder(none_at_all), atol=1e-6, rtol=1e-6)


def test_everything_masked_in_the_text_is_finite() -> None:
    given = replace(batch(), token_mask=torch.ones(4, 6, dtype=torch.bool))
    assert fusion()(given).isfinite().all()


def test_masked_mean_by_hand_and_of_nothing() -> None:
    values = torch.tensor([[[1.0], [3.0], [100.0]], [[7.0], [8.0], [9.0]]])
    mask = torch.tensor([[False, False, True], [True, True, True]])
    assert masked_mean(values, mask).tolist() == [[2.0], [0.0]]


@pytest.mark.parametrize("patches", [2, 10])
def test_modulation_has_no_one_plus_and_shift_is_clamped(patches: int) -> None:
    film = FilmProjection(9, 7, 16)
    nn.init.zeros_(film.modulation.weight)
    nn.init.zeros_(film.modulation.bias)
    summary, values = torch.randn(3, 9), torch.randn(3, patches, 7)
    torch.testing.assert_close(film(summary, values), film.projection.bias.expand(3, patches, 16))
    nn.init.constant_(film.modulation.bias, 50.0)  # γ = 1, β = 5
    torch.testing.assert_close(film(summary, values), film.projection(values + 5.0), atol=1e-4, rtol=1e-4)


def test_summary_vector_stands_first_and_is_never_masked() -> None:
    encoder = PatchEncoder(16, 4, 1, 0.0)
    values, mask = encoder(torch.randn(2, 3, 16), torch.tensor([[True] * 3, [False] * 3]))
    assert values.shape == (2, 4, 16)
    assert mask.tolist() == [[False, True, True, True], [False] * 4]


@pytest.mark.parametrize("name", sorted(set(ENCODERS) - {"none"}))
def test_gradient_reaches_every_parameter_of_every_encoder(name: str) -> None:
    torch.manual_seed(0)
    encoder = ENCODERS[name].build(EncoderSizes((3,), SIZES))
    encoder(batch(12)).square().sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().max()) > 0 for p in encoder.parameters())


def test_reader_takes_the_first_patches_in_evaluation_and_draws_distinct_ones_in_training(small_cohort: Cohort) -> None:
    conditions = all_conditions(small_cohort, torch.device("cpu"))
    reader = ConditionReader(
        conditions, frozenset({"text", "patches"}), conditions.labels, variant="full", tokens=10, patches=6
    )
    index = torch.tensor([5, 0, 7, 5])
    first = reader.batch(index)
    expected, mask = conditions.take(index).image_patches(6)
    torch.testing.assert_close(first.image()[0], expected, atol=0, rtol=0)
    assert torch.equal(first.image()[1], mask)
    assert torch.equal(first.text()[0], conditions.take(index).text_tokens("full", 10)[0])
    drawn = reader.batch(index, torch.Generator().manual_seed(0))
    again = reader.batch(index, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.image()[0], again.image()[0])
    assert not torch.equal(drawn.image()[0], first.image()[0])
    assert torch.equal(drawn.image()[1], mask)
    every = conditions.take(index).image_patches()[0]
    for patient in range(4):
        rows = drawn.image()[0][patient][~mask[patient]]
        matches = (rows[:, None] == every[patient][None]).all(-1)
        assert (matches.sum(1) == 1).all()
        assert (matches.sum(0) <= 1).all()

"""The condition-ridge reference: closed forms, residuals of other patients, cohorts without text or patches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge
from torch import Tensor

from gexbench.models.checkpoint import load, save
from gexbench.models.contract import Unavailable
from gexbench.models.references.condition_ridge import ConditionRidge
from gexbench.models.references.ridge import PENALTIES, Ridge
from gexbench.models.registry import Entry, Registry, create
from gexbench.models.training.dispersion import variance_ratio
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.conditions import Conditions, RaggedTensor
from gexbench.tasks.cohorts.device_fold import DeviceFold, put_on_device
from gexbench.tasks.cohorts.split import Split

ENTRY = Entry(
    "condition-ridge",
    "gexbench.models.references.condition_ridge:ConditionRidge",
    "reference",
    ("labels", "text", "patches"),
    "ridge",
    settings_target="gexbench.models.settings:GeneratorSettings",
)


def fit(train: Split, validation: Split) -> ConditionRidge:
    generator = create(ENTRY, "quick")
    assert isinstance(generator, ConditionRidge)
    generator.fit(train, validation, seed=0)
    return generator


@pytest.fixture(scope="module")
def fitted(data: DeviceFold) -> ConditionRidge:
    return fit(data.train, data.validation)


def without(split: Split, *kinds: str) -> Split:
    return replace(split, conditions=lacking(split.conditions, *kinds))


def lacking(conditions: Conditions, *kinds: str) -> Conditions:
    return replace(
        conditions,
        text={} if "text" in kinds else conditions.text,
        patches=None if "patches" in kinds else conditions.patches,
    )


@pytest.fixture(scope="module")
def problem() -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=random, dtype=torch.float64)

    truth = draw(30, 4)
    features, held_out = draw(25, 30) + 2.0, draw(20, 30) + 2.0
    return features, features @ truth + 5 * draw(25, 4) + 1.0, (held_out, held_out @ truth + 5 * draw(20, 4) + 1.0)


def test_weights_and_errors_are_those_of_scikit_learn(problem: tuple[Tensor, Tensor, tuple[Tensor, Tensor]]) -> None:
    features, outputs, held_out = problem
    found = Ridge.fit(features, outputs, held_out)
    for penalty, error in found.errors.items():
        other = SklearnRidge(alpha=penalty).fit(features.numpy(), outputs.numpy())
        assert error == pytest.approx(np.square(held_out[1].numpy() - other.predict(held_out[0].numpy())).mean())
    assert list(found.errors) == pytest.approx([25 * each for each in PENALTIES])
    assert found.errors[found.penalty] == min(found.errors.values())
    best = SklearnRidge(alpha=found.penalty).fit(features.numpy(), outputs.numpy())
    np.testing.assert_allclose(found.weights.T.numpy(), best.coef_, atol=1e-9)
    intercept = found.intercept - found.centre @ found.weights
    np.testing.assert_allclose(intercept.numpy(), best.intercept_, atol=1e-9)


def test_residuals_are_those_of_fits_without_the_row(problem: tuple[Tensor, Tensor, tuple[Tensor, Tensor]]) -> None:
    features, outputs, held_out = problem
    found = Ridge.fit(features, outputs, held_out)
    for row in (0, 7, 24):
        others = [each for each in range(25) if each != row]
        fitted = SklearnRidge(alpha=found.penalty).fit(features[others].numpy(), outputs[others].numpy())
        expected = outputs[row].numpy() - fitted.predict(features[row : row + 1].numpy())[0]
        np.testing.assert_allclose(found.residuals[row].numpy(), expected, atol=1e-9)


def test_a_patient_gets_residuals_of_others_of_its_label(data: DeviceFold, fitted: ConditionRidge) -> None:
    conditions, draws = data.train.conditions, 19
    donors = fitted._donors(conditions, draws, seed=4)
    codes = conditions.finest.numpy()
    assert (codes[donors] == codes[:, None]).all()
    alone = np.bincount(codes)[codes] == 1
    assert (donors != np.arange(len(codes))[:, None])[~alone].all()
    pairs = fitted._donors(conditions, 2, seed=4)
    assert (pairs[:, 0] != pairs[:, 1])[np.bincount(codes)[codes] > 2].all()


def test_rows_are_predictions_plus_residuals(data: DeviceFold, fitted: ConditionRidge) -> None:
    conditions = data.test_conditions
    rows = fitted.sample(conditions, 2, seed=3)
    means = [fitted._donors(conditions, 2, seed=3)[:, draw] for draw in (0, 1)]
    scores = data.train.standardiser.forward(torch.from_numpy(rows.expression)).reshape(len(conditions), 2, -1)
    predicted = [scores[:, draw] - fitted.donated[torch.from_numpy(means[draw])] for draw in (0, 1)]
    above = (torch.from_numpy(rows.expression).reshape(len(conditions), 2, -1) > 0.0).all(1)
    assert above.float().mean() > 0.5
    torch.testing.assert_close(predicted[0][above], predicted[1][above], atol=1e-4, rtol=0)


def test_predictions_say_more_than_the_label(data: DeviceFold, fitted: ConditionRidge) -> None:
    conditions, rows = data.validation.conditions, data.validation.standardised
    drawn = fitted.sample(conditions, 60, seed=0).expression.reshape(len(conditions), 60, -1).mean(1)
    one_hot = torch.nn.functional.one_hot(data.train.conditions.finest).float()
    label = (one_hot.T @ data.train.standardised) / one_hot.sum(0)[:, None]
    by_label = (rows - label[conditions.finest]).square().mean()
    by_ridge = (rows - data.train.standardiser.forward(torch.from_numpy(drawn))).square().mean()
    assert by_ridge < 0.97 * by_label


def test_the_spread_within_labels_is_right(small_cohort: Cohort, data: DeviceFold, fitted: ConditionRidge) -> None:
    audit = put_on_device(small_cohort, data.fold, audit=True).validation
    conditions = audit.conditions
    drawn = fitted.sample(conditions, seed=0).expression
    scores = data.train.standardiser.forward(torch.from_numpy(drawn))
    assert variance_ratio(scores, audit.standardised, conditions.finest) == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("kind", ["labels", "text", "patches"])
def test_rows_react_to_every_kind(kind: str, data: DeviceFold, fitted: ConditionRidge) -> None:
    conditions = data.test_conditions
    moved = conditions.take(np.roll(np.arange(len(conditions)), 1))
    if kind == "labels":
        other = replace(conditions, labels=moved.labels)
    elif kind == "text":
        other = replace(lacking(conditions), text={"full": moved_values(conditions.text["full"])})
    else:
        assert conditions.patches is not None
        other = replace(conditions, patches=moved_values(conditions.patches))
    first, second = (fitted.sample(each, seed=1).expression for each in (conditions, other))
    assert (first != second).any()


def moved_values(ragged: RaggedTensor) -> RaggedTensor:
    """The same ragged tensor with other values."""
    return replace(ragged, values=ragged.values.roll(1, dims=1))


def test_a_patient_without_patches_counts_as_average(data: DeviceFold, fitted: ConditionRidge) -> None:
    conditions = data.test_conditions
    patches = conditions.patches
    assert patches is not None
    empty = replace(patches, counts=torch.zeros_like(patches.counts))
    features = fitted._features(replace(conditions, patches=empty))
    assert features[:, -patches.width :].abs().max() == 0
    assert np.isfinite(fitted.sample(replace(conditions, patches=empty), seed=0).expression).all()


def test_without_text_and_patches_it_gives_a_reason(data: DeviceFold, fitted: ConditionRidge) -> None:
    with pytest.raises(Unavailable, match="cohort small has neither"):
        fit(without(data.train, "text", "patches"), data.validation)
    with pytest.raises(Unavailable, match="was fitted with patches, but these conditions have none"):
        fitted.sample(lacking(data.test_conditions, "patches"), seed=0)


@pytest.mark.parametrize("kind", ["text", "patches"])
def test_one_of_text_and_patches_is_enough(kind: str, data: DeviceFold) -> None:
    generator = fit(without(data.train, kind), without(data.validation, kind))
    assert generator.report.facts["reads"] == ["labels", "patches" if kind == "text" else "text"]
    shown, hidden = (
        generator.sample(each, seed=0).expression
        for each in (data.test_conditions, lacking(data.test_conditions, kind))
    )
    np.testing.assert_array_equal(shown, hidden)


def test_a_loaded_one_samples_the_same_bits(data: DeviceFold, fitted: ConditionRidge, tmp_path: Path) -> None:
    save(fitted, ENTRY.name, tmp_path)
    restored = load(tmp_path, Registry((ENTRY,)))
    for conditions in (data.test_conditions, data.train.conditions):
        first, second = (each.sample(conditions, 2, seed=5).expression for each in (fitted, restored))
        np.testing.assert_array_equal(first, second)

"""Label combinations and label embeddings."""

from dataclasses import replace

import pytest
import torch

from gexbench.models.conditioning.labels import LabelCombinations, LabelEmbedding
from gexbench.tasks.cohorts.cohort import Cohort
from gexbench.tasks.cohorts.conditions import Conditions
from gexbench.tasks.cohorts.device_fold import all_conditions
from gexbench.tasks.errors import InputError

CLASSES = {"project": ("A", "B"), "site": ("x", "y", "z")}


@pytest.fixture
def conditions(small_cohort: Cohort) -> Conditions:
    """Combination A/x 8 times, A/y 5 times, B/y 4 times, B/z 3 times."""
    codes = [(0, 0)] * 8 + [(0, 1)] * 5 + [(1, 1)] * 4 + [(1, 2)] * 3
    taken = all_conditions(small_cohort, torch.device("cpu")).take(range(len(codes)))
    return replace(taken, label_columns=("project", "site"), classes=CLASSES, labels=torch.tensor(codes))


def asked(conditions: Conditions, *codes: tuple[int, int]) -> Conditions:
    return replace(conditions.take(range(len(codes))), labels=torch.tensor(codes))


def test_rare_combination_takes_the_commonest_of_its_finest_class(conditions: Conditions) -> None:
    combinations = LabelCombinations.of(conditions)
    result = combinations.checked(asked(conditions, (0, 0), (0, 1), (1, 1), (1, 2)))
    assert result.tolist() == [[0, 0], [0, 0], [1, 1], [1, 1]]
    assert combinations.fallbacks() == ["A / y", "B / z"]
    assert combinations.sizes == (2, 3)


def test_six_patients_are_enough(conditions: Conditions) -> None:
    more = replace(conditions, labels=torch.tensor([(0, 0)] * 14 + [(0, 1)] * 6))
    assert LabelCombinations.of(more).checked(asked(conditions, (0, 1))).tolist() == [[0, 1]]


def test_unseen_combination_is_refused_by_name(conditions: Conditions) -> None:
    combinations = LabelCombinations.of(conditions)
    with pytest.raises(InputError, match=r"1 label combinations do not occur in the training data \(B / x\)"):
        combinations.checked(asked(conditions, (0, 0), (1, 0)))


def test_other_classes_are_refused(conditions: Conditions) -> None:
    combinations = LabelCombinations.of(conditions)
    with pytest.raises(InputError, match="differ in columns or classes"):
        combinations.checked(replace(conditions, classes={**CLASSES, "project": ("B", "A")}))


def test_restored_combinations_answer_alike(conditions: Conditions) -> None:
    combinations = LabelCombinations.of(conditions)
    restored = LabelCombinations.restored(*combinations.state())
    assert torch.equal(restored.checked(conditions), combinations.checked(conditions))
    assert restored.fallbacks() == combinations.fallbacks()


@pytest.mark.parametrize(("sizes", "width"), [((2,), 256), ((2, 3), 256), ((2, 3, 4), 255)])
def test_embedding_widths_share_256(sizes: tuple[int, ...], width: int) -> None:
    embedding = LabelEmbedding(sizes)
    assert embedding.out_features == width
    assert embedding(torch.zeros(5, len(sizes), dtype=torch.int64)).shape == (5, width)


def test_columns_are_embedded_apart_in_order() -> None:
    embedding = LabelEmbedding((2, 3), width=4)
    result = embedding(torch.tensor([[1, 2], [1, 0]]))
    assert torch.equal(result[0, :2], embedding.tables[0].weight[1])
    assert torch.equal(result[0, 2:], embedding.tables[1].weight[2])
    assert torch.equal(result[0, :2], result[1, :2])
    assert not torch.equal(result[0, 2:], result[1, 2:])

"""Copies of the rows that `fit` saw are found, training and validation alike."""

import numpy as np
import pytest
from numpy.typing import NDArray

from gexbench.leaderboards.comparing.gates import COPY_METRICS
from gexbench.tasks.panel.declarations.rows import PartLabels, RealRows, SyntheticRows
from gexbench.tasks.panel.evaluation import evaluate
from gexbench.tasks.panel.preparation import prepare
from gexbench.tasks.panel.scores import COPY_GATE, copy_gate_passed

GENES = 200
NOISE = 0.1
"""A share at most of honest rows here: a threshold of 240 rows is uncertain."""
SIZES = {"train": 480, "validation": 240, "test": 80, "audit": 240}


@pytest.fixture(scope="module")
def fold() -> RealRows:
    random = np.random.default_rng(0)
    labels = {part: np.array(["A", "B"])[np.arange(size) % 2] for part, size in SIZES.items()}
    rows = {
        part: (random.normal(5, 1, (size, GENES)) + (labels[part] == "B")[:, None]).astype(np.float32)
        for part, size in SIZES.items()
    }
    return RealRows(
        genes=tuple(f"G{gene}" for gene in range(GENES)),
        **rows,
        **{f"{part}_ids": np.array([f"{part}{i}" for i in range(size)]) for part, size in SIZES.items()},
        labels={"project": PartLabels(**labels)},
        finest="project",
        left_out={"project": ()},
        set_rows=np.arange(SIZES["test"]),
        floor=0.0,
    )


@pytest.mark.parametrize("source", ["train", "validation", "fresh"])
def test_copies_of_what_fit_saw_are_found(fold: RealRows, source: str) -> None:
    random = np.random.default_rng(1)
    fresh = (random.normal(5, 1, fold.test.shape) + (fold.labels["project"].test == "B")[:, None]).astype(np.float32)
    copied = {"train": fold.train[:80], "validation": fold.validation[:80], "fresh": fresh}[source]
    noisy = (copied + random.normal(0, 0.001, copied.shape)).astype(np.float32)
    values = evaluate(prepare(fold, seed=0), SyntheticRows(noisy, fold.train, None)).values
    shares = {kind: values[key].value for kind, key in
              (("train", "copy_share"), ("validation", "validation_copy_share"))}  # fmt: skip
    for kind, share in shares.items():
        assert share is not None
        assert share == 1.0 if kind == source else share <= COPY_GATE
    assert copy_gate_passed(max(share for share in shares.values() if share is not None)) is (source == "fresh")


@pytest.mark.parametrize("part", ["", "train_"])
@pytest.mark.parametrize("pool", ["", "validation_"])
@pytest.mark.parametrize(("made", "donors"), [("copy_share", 1), ("pair_share", 2), ("trio_share", 3)])
def test_rows_made_of_known_rows_are_found_wherever_they_are(
    fold: RealRows, pool: str, part: str, made: str, donors: int
) -> None:
    """Means of one, two or three known rows of a type, beside rows that remember nothing."""
    random = np.random.default_rng(2)
    of_train, of_validation, of_test, _ = fold.labels["project"]
    known, labels = (fold.validation, of_validation) if pool else (fold.train, of_train)

    def fresh(types: NDArray[np.str_]) -> NDArray[np.float32]:
        return (random.normal(5, 1, (len(types), GENES)) + (types == "B")[:, None]).astype(np.float32)

    def means(types: NDArray[np.str_]) -> NDArray[np.float32]:
        chosen = [random.choice(np.flatnonzero(labels == name), donors, replace=False) for name in types]
        return np.stack([known[rows].mean(axis=0) for rows in chosen])

    test, train = (means(of_test), fresh(of_train)) if part == "" else (fresh(of_test), means(of_train))
    values = evaluate(prepare(fold, seed=0), SyntheticRows(test, train, None)).values
    shares = {key: float(values[key].value or 0.0) for key in COPY_METRICS}
    assert shares[f"{part}{pool}{made}"] > 0.5
    blind = {key for key in shares if (key.removeprefix("train_") == key) is (part == "train_")}
    assert max(shares[key] for key in blind) <= NOISE
    assert max(shares[f"{part}{other}{made}"] for other in {"", "validation_"} - {pool}) <= NOISE

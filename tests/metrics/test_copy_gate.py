"""Copies of the rows that `fit` saw are found, training and validation alike."""

import numpy as np
import pytest

from gexbench.metrics.fold import RealFold, SyntheticFold
from gexbench.metrics.panel import evaluate, prepare
from gexbench.metrics.scores import COPY_GATE, copy_gate_passed

SIZES = {"train": 240, "validation": 80, "test": 80}


@pytest.fixture(scope="module")
def fold() -> RealFold:
    random = np.random.default_rng(0)
    labels = {part: np.array(["A", "B"])[np.arange(size) % 2] for part, size in SIZES.items()}
    rows = {
        part: (random.normal(5, 1, (size, 40)) + (labels[part] == "B")[:, None]).astype(np.float32)
        for part, size in SIZES.items()
    }
    return RealFold(
        genes=tuple(f"G{gene}" for gene in range(40)),
        **rows,
        **{f"{part}_ids": np.array([f"{part}{i}" for i in range(size)]) for part, size in SIZES.items()},
        labels={"project": (labels["train"], labels["validation"], labels["test"])},
        finest="project",
        left_out={"project": ()},
        set_rows=np.arange(SIZES["test"]),
        floor=0.0,
    )


@pytest.mark.parametrize("source", ["train", "validation", "fresh"])
def test_copies_of_what_fit_saw_are_found(fold: RealFold, source: str) -> None:
    random = np.random.default_rng(1)
    fresh = (random.normal(5, 1, fold.test.shape) + (fold.labels["project"][2] == "B")[:, None]).astype(np.float32)
    copied = {"train": fold.train[:80], "validation": fold.validation, "fresh": fresh}[source]
    noisy = (copied + random.normal(0, 0.001, copied.shape)).astype(np.float32)
    values = evaluate(prepare(fold, seed=0), SyntheticFold(noisy, fold.train, None)).values
    shares = {kind: values[key].value for kind, key in
              (("train", "copy_share"), ("validation", "validation_copy_share"))}  # fmt: skip
    for kind, share in shares.items():
        assert share is not None
        assert share == 1.0 if kind == source else share <= COPY_GATE
    assert copy_gate_passed(max(share for share in shares.values() if share is not None)) is (source == "fresh")

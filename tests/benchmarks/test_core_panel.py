"""Time of the core panel, step by step, at the size of a TCGA fold."""

import numpy as np
import pytest

from gexbench.tasks.panel.declarations.rows import PartLabels, Prepared, RealRows, SyntheticRows
from gexbench.tasks.panel.evaluation import evaluate
from gexbench.tasks.panel.preparation import prepare

TRAIN, TEST, GENES, CLASSES, DRAWS = 2400, 800, 680, 15, 19


def rows(random: np.random.Generator, means: np.ndarray, codes: np.ndarray) -> np.ndarray:
    loadings = np.random.default_rng(9).normal(0, 0.5, (30, GENES))
    noise = random.normal(0, 0.6, (len(codes), GENES)) + random.normal(size=(len(codes), 30)) @ loadings
    return np.maximum(means[codes] + noise, 0).astype(np.float32)


@pytest.fixture(scope="module")
def fold() -> tuple[RealRows, SyntheticRows]:
    random = np.random.default_rng(0)
    means = random.gamma(4, 1.5, (1, GENES)) + random.normal(0, 0.8, (CLASSES, GENES))
    sizes = {"train": TRAIN, "validation": TEST, "test": TEST, "audit": TEST}
    codes = {part: np.arange(size) % CLASSES for part, size in sizes.items()}
    names = {part: np.array([f"class {code}" for code in of_part]) for part, of_part in codes.items()}
    real = RealRows(
        genes=tuple(f"G{gene}" for gene in range(GENES)),
        **{part: rows(random, means, of_part) for part, of_part in codes.items()},
        **{f"{part}_ids": np.array([f"{part}-{i}" for i in range(len(of_part))]) for part, of_part in codes.items()},
        labels={"project": PartLabels(**names)},
        finest="project",
        left_out={"project": ()},
        set_rows=np.arange(TEST),
        floor=0.0,
    )
    paired = np.stack([rows(random, means, codes["test"]) for _ in range(DRAWS)], axis=1).astype(np.float16)
    return real, SyntheticRows(rows(random, means, codes["test"]), rows(random, means, codes["train"]), paired)


@pytest.fixture(scope="module")
def prepared(fold: tuple[RealRows, SyntheticRows]) -> Prepared:
    return prepare(fold[0], seed=0)


def test_prepare_once_per_fold(benchmark, fold):
    benchmark.pedantic(lambda: prepare(fold[0], seed=0), rounds=1)


def test_core_panel_of_a_cell(benchmark, fold, prepared):
    result = benchmark.pedantic(lambda: evaluate(prepared, fold[1]), rounds=2)
    benchmark.extra_info["cpu_seconds_by_step"] = {step: round(spent, 2) for step, spent in result.seconds.items()}
    assert all(metric.value is not None for key, metric in result.values.items() if "strong" not in key)

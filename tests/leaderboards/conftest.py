"""Records of schema 1, built from strings and numbers."""

import copy
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gexbench.leaderboards.records import Record, parse_record

Values = Mapping[str, float | None]
Make = Callable[..., dict[str, Any]]

REFERENCES: dict[str, dict[str, float | None]] = {
    "real-holdout": {
        "recall_genes": 0.9, "frechet": 80.0, "correlation_mse": 0.002, "variance_ratio": 1.0,
        "detection_xgb": 0.5, "tstr_lr_accuracy[project]": 0.93, "copy_share": 0.01,
    },
    "gene-shuffle": {
        "recall_genes": 0.6, "frechet": 680.0, "correlation_mse": 0.052, "variance_ratio": 2.0,
        "detection_xgb": 1.0, "tstr_lr_accuracy[project]": None, "copy_share": 0.0,
    },
    "class-mean": {
        "recall_genes": 0.0, "frechet": 340.0, "correlation_mse": 0.042, "variance_ratio": 0.0,
        "detection_xgb": 1.0, "tstr_lr_accuracy[project]": 0.85, "copy_share": 0.01,
    },
    "class-gaussian": {
        "recall_genes": 0.8, "frechet": 95.0, "correlation_mse": 0.0023, "variance_ratio": 0.95,
        "detection_xgb": 0.98, "tstr_lr_accuracy[project]": 0.94, "copy_share": 0.0,
    },
}  # fmt: skip
TRTR, MAJORITY = {"tstr_lr_accuracy[project]": 0.95}, {"tstr_lr_accuracy[project]": 0.15}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def content(generator: str, fold: int, values: Values, repeat: int = 0, /, **changes: Any) -> dict[str, Any]:
    """The JSON content of a record; `changes` replace or, for objects, extend its fields."""
    record: dict[str, Any] = {
        "schema": 1,
        "state": "ok",
        "reason": None,
        "traceback": None,
        "keys": {
            kind: _digest(f"{kind} {generator} {fold} {repeat} {changes.get('train_fraction', 1.0)}")
            for kind in ("rows", "record")
        },
        "suite": {"version": "0.1.0", "commit": None},
        "generator": {
            "name": generator,
            "version": "1",
            "family": "reference" if generator in REFERENCES else "vae",
            "reference": generator in REFERENCES,
            "conditions": ["labels"],
            "settings": {"width": 8},
            "source_hash": "0" * 64,
            "local": False,
            "returns_real_rows": generator == "real-holdout",
        },
        "cohort": {
            "name": "tiny",
            "fingerprint": "f" * 64,
            "unit": "log2(tpm+1)",
            "samples": 400,
            "genes": 40,
            "label_columns": ["project", "primary_site"],
        },
        "fold": {
            "track": "random",
            "index": fold,
            "hash": _digest(str(fold)),
            "train": 240,
            "validation": 80,
            "test": 80,
            "left_out": [],
        },
        "repeat": repeat,
        "seeds": {"fit": 1},
        "budget": "quick",
        "threads": 1,
        "device": "cpu",
        "panel": "core",
        "metrics": {
            key: {
                "value": value,
                "reason": None if value is not None else "not applicable: the generator is unconditional",
                "version": 1,
            }
            for key, value in values.items()
        },
        "per_class": {},
        "reference_values": {"trtr": TRTR, "majority": MAJORITY},
        "diagnostics": {},
        "curves": {},
        "times_s": {"fit": 2.0, "sample": 0.5, "score": 3.0},
        "cpu_times_s": {"fit": 1.5, "sample": 0.25, "score": 2.5},
        "peak_memory_bytes": {"host": 2**28, "device": None},
        "hardware": {
            "processor": "a processor",
            "architecture": "x86_64",
            "system": "Linux",
            "cores": 4,
            "memory_bytes": 2**34,
        },
        "versions": {"python": "3.11.9"},
        "warnings": [],
    }
    for field, change in changes.items():
        merged = {**record.get(field, {}), **change} if isinstance(change, dict) else change
        record[field] = merged
    return copy.deepcopy(record)


@pytest.fixture
def make() -> Make:
    """`make(generator, fold, values, repeat=0, **changes)`: the content of a record."""
    return content


@pytest.fixture
def references() -> Callable[[int], list[dict[str, Any]]]:
    """`references(folds)`: contents of the four reference generators' records on that many folds."""

    def made(folds: int) -> list[dict[str, Any]]:
        return [content(name, fold, values) for name, values in REFERENCES.items() for fold in range(folds)]

    return made


@pytest.fixture
def parsed() -> Callable[[list[dict[str, Any]]], list[Record]]:
    """Records of contents."""
    return lambda contents: [parse_record(each, f"{number}.json") for number, each in enumerate(contents)]

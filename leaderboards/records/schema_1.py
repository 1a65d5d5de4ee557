"""Records of schema 1, which leave out what does not apply; schema 2 states every field."""

from collections.abc import Mapping
from typing import Any

_ABSENT: Mapping[str, Any] = {
    "traceback": None,
    "output": [],
    "trained_by": None,
    "train_fraction": 1.0,
    "fitted": None,
    "gene_sets": None,
    "clusters": None,
    "per_cluster": {},
    "extra": {},
    "score_cpu_times_s": {},
}
_ABSENT_OF_GENERATOR: Mapping[str, Any] = {"variant": "default", "tuning": None, "file": None}


def from_schema_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a record of schema 1 as one of schema 2; ill-typed fields stay, for the model to refuse."""
    generator = content.get("generator")
    filled = {"generator": {**_ABSENT_OF_GENERATOR, **generator}} if isinstance(generator, dict) else {}
    return {**_ABSENT, **content, **filled}

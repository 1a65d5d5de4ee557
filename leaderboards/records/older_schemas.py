"""Records of earlier schemas, as those of the present one.

Schema 1 leaves out what does not apply; schema 2 states every field; schema 3 adds the protocol and the figures of the
gates. Records of schemas 1 and 2 follow protocol 1.
"""

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
_ADDED: Mapping[str, Any] = {"protocol": 1, "gates": {}}


def from_schema_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a record of schema 1 in the present schema; ill-typed fields stay, for the model to refuse."""
    generator = content.get("generator")
    filled = {"generator": {**_ABSENT_OF_GENERATOR, **generator}} if isinstance(generator, dict) else {}
    return from_schema_2({**_ABSENT, **content, **filled})


def from_schema_2(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a record of schema 2 in the present schema; a field that schema 2 lacks is refused as unknown."""
    foreign = {f"{name} (of a later schema)": value for name, value in content.items() if name in _ADDED}
    return {**{name: value for name, value in content.items() if name not in _ADDED}, **foreign, **_ADDED}

"""The card that may be published: patients, genes, folds, inputs, means and sds; no patient's values."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gexbench.tasks.cohorts.cohort import MINIMUM_CLASS_SIZE, Cohort, Ragged
from gexbench.tasks.errors import InputError
from gexbench.tasks.files.gene_columns import FOLD_COLUMNS
from gexbench.tasks.files.input_paths import check_file, read_regular
from gexbench.tasks.names import unknown

SCHEMA = 1
KIND = "gexbench cohort card"
PUBLISHED = "published:"
"""Prefix of the name of a card shipped with the package."""
EVERYONE = "all"
_DECIMALS = 6
_BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The parts of a cohort, or of its card, that a comparison needs.

    Attributes:
        name: of the cohort.
        fingerprint: of the cohort.
        unit: of the expression.
        genes: gene names.
        clinical: by sample: `group` (the patient), the label columns, the parts of the folds.
        labels: label columns, finest first.
        means: group of samples (`all`, `fold_random 0`, `project LUAD`) → (genes,) means.
        sds: the same, population sds.
        digests: `expression`, `counts`, `patches`, `text (…)` → SHA-256, blind to the order of patients and genes and
            of a patient's patches.
        cohort: the cohort itself, None where only the card is known.
    """

    name: str
    fingerprint: str
    unit: str
    genes: tuple[str, ...]
    clinical: pd.DataFrame
    labels: tuple[str, ...]
    means: Mapping[str, NDArray[np.float64]]
    sds: Mapping[str, NDArray[np.float64]]
    digests: Mapping[str, str]
    cohort: Cohort | None = None


def side_of(cohort: Cohort, fingerprint: str | None = None) -> Side:
    """Summaries of a cohort.

    Means and sds are over all samples, over each part of the folds and over each class of the finest label; groups
    of fewer than 25 samples have none, since a mean of few is nearly their values.
    """
    folds = [column for column in FOLD_COLUMNS if column in cohort.clinical]
    clinical = cohort.clinical[[*cohort.label_columns, *folds]].copy()
    clinical.insert(0, "group", cohort.groups)
    groups = {EVERYONE: np.ones(len(cohort), dtype=bool)}
    for column in (*folds, cohort.finest_label):
        values = clinical[column].to_numpy()
        groups |= {f"{column} {value}": values == value for value in sorted(set(values.tolist()))}
    groups = {name: rows for name, rows in groups.items() if name == EVERYONE or rows.sum() >= MINIMUM_CLASS_SIZE}
    means, sds = _moments(cohort.expression, groups)
    return Side(
        name=cohort.name,
        fingerprint=fingerprint or cohort.fingerprint(),
        unit=cohort.unit.name,
        genes=cohort.genes,
        clinical=clinical,
        labels=cohort.label_columns,
        means=means,
        sds=sds,
        digests=_digests(cohort),
        cohort=cohort,
    )


def card_text(side: Side, provenance: Mapping[str, Any]) -> str:
    """The card as JSON text: one side's summaries, the rules and the SHA-256 of every input; no patient's values."""
    table = side.clinical
    content = {
        "name": side.name,
        "fingerprint": side.fingerprint,
        "unit": side.unit,
        "genes": list(side.genes),
        "labels": list(side.labels),
        "samples": table.index.tolist(),
        "clinical": {column: table[column].tolist() for column in table},
        "means": {name: _rounded(values) for name, values in side.means.items()},
        "sds": {name: _rounded(values) for name, values in side.sds.items()},
        "digests": dict(side.digests),
        "inputs": _inputs(provenance),
        "provenance": _without_slides(provenance),
    }
    wrapped = {"kind": KIND, "schema": SCHEMA, "sha256": _checksum(content), "content": content}
    return json.dumps(wrapped, sort_keys=True, allow_nan=False) + "\n"


def published_cards() -> list[str]:
    """Names of the cohorts whose cards come with the package."""
    folder = resources.files("gexbench.tasks.public") / "cards"
    return sorted(item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json"))


def read_published(name: str) -> Side:
    """The card of a published cohort, by name.

    Raises:
        InputError: an unknown name.
    """
    if name not in published_cards():
        raise unknown(name, published_cards(), "published card")
    text = (resources.files("gexbench.tasks.public") / "cards" / f"{name}.json").read_text(encoding="utf-8")
    return _stated(json.loads(text), f"{PUBLISHED}{name}")


def read_card(path: Path) -> Side:
    """The side that a card states.

    Raises:
        InputError: no card, a card of another schema, or one that was changed after it was written.
    """
    check_file(path)
    try:
        wrapped = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path.name}: not a JSON file ({error})") from None
    return _stated(wrapped, path.name)


def _stated(wrapped: Any, where: str) -> Side:
    if not isinstance(wrapped, dict) or wrapped.get("kind") != KIND:
        raise InputError(f"{where}: not a cohort card; `gexbench cohort card NAME --out FILE` writes one")
    if wrapped.get("schema") != SCHEMA:
        raise InputError(f"{where}: schema {wrapped.get('schema')!r}, but this version reads {SCHEMA}")
    content = wrapped.get("content")
    try:
        unchanged = isinstance(content, dict) and wrapped.get("sha256") == _checksum(content)
    except (ValueError, RecursionError):  # numbers that are not finite
        unchanged = False
    if not isinstance(content, dict) or not unchanged:
        raise InputError(f"{where}: its checksum does not match, so it was changed or damaged; download the card again")
    return Side(
        name=content["name"],
        fingerprint=content["fingerprint"],
        unit=content["unit"],
        genes=tuple(content["genes"]),
        clinical=pd.DataFrame(content["clinical"], index=pd.Index(content["samples"])),
        labels=tuple(content["labels"]),
        means={name: np.asarray(values) for name, values in content["means"].items()},
        sds={name: np.asarray(values) for name, values in content["sds"].items()},
        digests=content["digests"],
    )


def _moments(
    expression: NDArray[np.float32], groups: Mapping[str, NDArray[np.bool_]]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    genes = expression.shape[1]
    means = {name: np.empty(genes) for name in groups}
    sds = {name: np.empty(genes) for name in groups}
    for start in range(0, genes, _BLOCK):
        place = slice(start, min(start + _BLOCK, genes))
        block = expression[:, place].astype(np.float64)
        for name, rows in groups.items():
            means[name][place], sds[name][place] = block[rows].mean(axis=0), block[rows].std(axis=0)
    return means, sds


def _digests(cohort: Cohort) -> dict[str, str]:
    order = np.argsort(cohort.samples)
    genes = np.argsort(np.asarray(cohort.genes))
    found = {"expression": _digest(cohort.expression[row][genes].tobytes() for row in order)}
    if cohort.counts is not None:
        counts = cohort.counts
        found["counts"] = _digest(counts[row][genes].tobytes() for row in order)
    if cohort.patches is not None:
        found["patches"] = _digest(patch_set(cohort.patches, row) for row in order)
    for variant, text in cohort.text.items():
        found[f"text ({variant})"] = _digest(rows_of(text, row).tobytes() for row in order)
    return found


def rows_of(ragged: Ragged, row: int) -> NDArray[Any]:
    """The rows of one sample."""
    return ragged.values[ragged.offsets[row] : ragged.offsets[row + 1]]


def patch_set(patches: Ragged, row: int) -> bytes:
    """A sample's patches as bytes that do not depend on their order."""
    return b"".join(sorted(patch.tobytes() for patch in rows_of(patches, row)))


def _digest(parts: Any) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _without_slides(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance without its files and without the names of slides."""
    kept = {key: value for key, value in provenance.items() if key not in {"inputs", "files"}}
    if "dropped" in kept:
        kept["dropped"] = [
            {**item, "examples": []} if str(item["reason"]).startswith("slides") else item for item in kept["dropped"]
        ]
    return kept


def _inputs(provenance: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every input with its SHA-256, whatever kind of import it was; slides as one, for their names state patients."""
    listed = [dict(item) for item in provenance.get("inputs", ())]
    slides = [item for item in listed if item["role"] == "slides"]
    if slides:
        whole = hashlib.sha256("".join(str(item["sha256"]) for item in slides).encode()).hexdigest()
        size = sum(int(item["bytes"]) for item in slides)
        listed = [item for item in listed if item["role"] != "slides"]
        listed.append({"role": "slides", "files": len(slides), "bytes": size, "sha256": whole})
    files = provenance.get("files", {})
    return listed + [{"role": role, **facts} for role, facts in files.items()]


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in np.round(values, _DECIMALS)]


def _checksum(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()

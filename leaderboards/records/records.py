"""Reading records: one JSON file per cell, checked strictly where it comes in."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from gexbench.tasks.panel.catalogue import lookup

SCHEMA = 1
LARGEST_RECORD_BYTES = 32 * 2**20
DEFAULT, TUNED = "default", "tuned"
_NUMBER = (int, float)
_ANCHORS = ("trtr", "majority", "shuffled_labels")
_OPTIONAL_TEXT = (str, type(None))
CLUSTERS = ("site", "patient")

_FIELDS: Mapping[str, tuple[type, ...]] = {
    "state": (str,),
    "reason": _OPTIONAL_TEXT,
    "suite.version": (str,),
    "suite.commit": _OPTIONAL_TEXT,
    "generator.name": (str,),
    "generator.version": (str,),
    "generator.family": (str,),
    "generator.reference": (bool,),
    "generator.conditions": (list,),
    "generator.settings": (dict,),
    "generator.source_hash": (str,),
    "generator.local": (bool,),
    "generator.returns_real_rows": (bool,),
    "cohort.name": (str,),
    "cohort.fingerprint": (str,),
    "cohort.unit": (str,),
    "cohort.samples": (int,),
    "cohort.genes": (int,),
    "cohort.label_columns": (list,),
    "fold.track": (str,),
    "fold.index": (int,),
    "fold.hash": (str,),
    "fold.train": (int,),
    "fold.validation": (int,),
    "fold.test": (int,),
    "fold.left_out": (list,),
    "repeat": (int,),
    "seeds": (dict,),
    "budget": (str,),
    "threads": (int,),
    "device": (str,),
    "panel": (str,),
    "metrics": (dict,),
    "reference_values": (dict,),
    "warnings": (list,),
    "times_s": (dict,),
    "cpu_times_s": (dict,),
    "peak_memory_bytes": (dict,),
    "hardware": (dict,),
    "versions": (dict,),
}


class RecordError(ValueError):
    """Records that cannot make a table; `problems` names every file or value concerned, with the mend."""

    def __init__(self, problems: str | Iterable[str]) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


@dataclass(frozen=True, slots=True)
class Measured:
    """A metric of a cell: its value, or None with the reason why there is none."""

    value: float | None
    reason: str | None
    version: int


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One cell, checked.

    Attributes:
        place: the file's name, for messages.
        generator: name of its row: the registry key, with the variant behind it where it is not the default.
        variant: `default`, or `tuned` with settings that differ from fold to fold.
        train_fraction: share of the fold's training and validation patients that the generator was fitted on.
        state: `ok`, `unavailable`, `skipped`, or how the cell failed.
        metrics: `name` or `name[label]` → what was measured.
        reference_values: `trtr`, `majority` and, in newer records, `shuffled_labels` → metric key → value of this
            fold: the downstream tasks' ceilings and floors.
        content: the whole record as read.
    """

    place: str
    state: str
    reason: str | None
    generator: str
    variant: str
    reference: bool
    fold: int
    repeat: int
    metrics: Mapping[str, Measured]
    reference_values: Mapping[str, Mapping[str, float]]
    content: Mapping[str, Any]
    train_fraction: float = 1.0

    @property
    def per_cluster(self) -> Mapping[str, Mapping[str, tuple[int, float]]]:
        """Patient-level metric key → cluster of test rows → rows and sum of the value; empty in older records."""
        found: Mapping[str, Mapping[str, tuple[int, float]]] = self.content.get("per_cluster", {})
        return found

    @property
    def row(self) -> str:
        """Name of its row among those of all shares: the generator, with the share behind it where it is below 1."""
        return self.generator if self.train_fraction == 1.0 else f"{self.generator}@{self.train_fraction:g}"

    def metric_keys(self) -> frozenset[str]:
        """Metric keys of the cell, and those that its fold's downstream tasks state."""
        return frozenset(self.metrics) | {key for values in self.reference_values.values() for key in values}


def read_records(folder: Path) -> list[Record]:
    """All records of a folder (`*.json`), in the order of generator, fold and repeat.

    Raises:
        RecordError: an empty folder; files that are no record, broken, or of another schema, all at once.
    """
    if not folder.is_dir():
        raise RecordError(f"{folder}: no such folder; records are made by `gexbench run`")
    paths = sorted(path for path in folder.glob("*.json") if not path.name.startswith("."))
    if not paths:
        raise RecordError(f"{folder}: no records (*.json); make them with `gexbench run`")
    records: list[Record] = []
    problems: list[str] = []
    for path in paths:
        try:
            records.append(read_record(path))
        except RecordError as error:
            problems += error.problems
    if problems:
        raise RecordError(problems)
    return sorted(records, key=lambda record: (record.generator, record.fold, record.repeat, record.place))


def read_record(path: Path) -> Record:
    """The record of one file.

    Raises:
        RecordError: a file that is no record, broken, or of another schema.
    """
    return parse_record(_loaded(path), path.name)


def parse_record(content: Any, place: str) -> Record:
    """A record from its JSON content.

    Args:
        content: what `json.loads` returned.
        place: where it came from, for messages.

    Raises:
        RecordError: every missing or ill-typed field, unknown metric and ill-formed value, all at once.
    """
    if not isinstance(content, dict) or "schema" not in content:
        raise RecordError(f"{place}: not a gexbench record (no 'schema'); move it out of the records folder")
    if content["schema"] != SCHEMA or isinstance(content["schema"], bool):
        raise RecordError(
            f"{place}: record schema {content['schema']!r}, this gexbench reads {SCHEMA}; use the version that wrote it"
        )
    problems = [
        f"{place}: {name}: {problem}" for name, types in _FIELDS.items() if (problem := _problem(content, name, types))
    ]
    if problems:
        raise RecordError(problems)
    found = [*_ill_formed(content), *_ill_measured(content["metrics"]), *_ill_anchored(content["reference_values"])]
    found += _ill_clustered(content)
    problems = [f"{place}: {problem}" for problem in found]
    if problems:
        raise RecordError(problems)
    return Record(
        place=place,
        state=content["state"],
        reason=content["reason"],
        generator=_row_name(content["generator"]),
        variant=content["generator"].get("variant", DEFAULT),
        reference=content["generator"]["reference"],
        fold=content["fold"]["index"],
        repeat=content["repeat"],
        train_fraction=float(content.get("train_fraction", 1.0)),
        metrics={
            key: Measured(
                None if entry["value"] is None else float(entry["value"]), entry.get("reason"), entry["version"]
            )
            for key, entry in content["metrics"].items()
        },
        reference_values=content["reference_values"],
        content=content,
    )


def _row_name(generator: Mapping[str, Any]) -> str:
    variant = generator.get("variant", DEFAULT)
    return str(generator["name"]) if variant == DEFAULT else f"{generator['name']}-{variant}"


def _loaded(path: Path) -> Any:
    mend = "restore it, or delete it and run the cell again"
    try:
        if path.stat().st_size > LARGEST_RECORD_BYTES:
            raise RecordError(f"{path.name}: {path.stat().st_size:,} bytes is no record; move it out of the folder")
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise RecordError(f"{path.name}: cannot be read ({error.strerror}); {mend}") from None
    except RecordError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path.name}: broken JSON ({error}); {mend}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _problem(content: Mapping[str, Any], name: str, types: tuple[type, ...]) -> str | None:
    value: Any = content
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            return "missing"
        value = value[part]
    if type(value) not in types:
        wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in types)
        return f"{_short(value)} is not {wanted}"
    return None


def _ill_formed(content: Mapping[str, Any]) -> Iterable[str]:
    name = content["generator"]["name"]
    if not name or len(name) > 200:
        yield f"generator.name: {len(name)} characters; use 1 to 200"
    yield from _ill_tuned(content["generator"])
    yield from _ill_filed(content["generator"])
    for key in ("train", "test"):
        if content["fold"][key] < 1:
            yield f"fold.{key}: {content['fold'][key]} patients"
    extra = content.get("extra", {})
    if not isinstance(extra, dict) or any(type(value) not in _NUMBER for value in extra.values()):
        yield f"extra: {_short(extra)} is not an object of numbers"
    if type(content.get("fitted", 0)) is not int:
        yield f"fitted: {_short(content['fitted'])} is not int"
    fraction = content.get("train_fraction", 1.0)
    if type(fraction) not in _NUMBER or not 0.0 < fraction <= 1.0:
        yield f"train_fraction: {_short(fraction)} is not a share above 0 and up to 1"
    if content["fold"]["index"] < 0 or content["repeat"] < 0:
        yield f"fold.index {content['fold']['index']}, repeat {content['repeat']}: both count from 0"
    for field in ("times_s", "cpu_times_s", "peak_memory_bytes"):
        for key, value in content[field].items():
            if value is not None and type(value) not in _NUMBER:
                yield f"{field}.{key}: {_short(value)} is not a number"
    yield from (f"warnings: {_short(text)} is not text" for text in content["warnings"] if not isinstance(text, str))
    for columns in (content["cohort"]["label_columns"], content["generator"]["conditions"]):
        yield from (f"{_short(text)} is not text" for text in columns if not isinstance(text, str))


def _ill_filed(generator: Mapping[str, Any]) -> Iterable[str]:
    file = generator.get("file", {"name": "", "class": "", "sha256": ""})
    if not isinstance(file, dict) or any(type(file.get(key)) is not str for key in ("name", "class", "sha256")):
        yield f"generator.file: {_short(file)} has no name, class and sha256"


def _ill_tuned(generator: Mapping[str, Any]) -> Iterable[str]:
    variant, tuning = generator.get("variant", DEFAULT), generator.get("tuning")
    if variant not in (DEFAULT, TUNED):
        yield f"generator.variant: {_short(variant)} is neither {DEFAULT} nor {TUNED}"
    elif (tuning is not None) != (variant == TUNED):
        yield f"generator.tuning: a {TUNED} record has one, others have none"
    elif variant == TUNED:
        if not isinstance(tuning, dict):
            yield f"generator.tuning: {_short(tuning)} is not dict"
            return
        trials = tuning.get("trials")
        if not isinstance(trials, dict) or any(type(count) is not int for count in trials.values()):
            yield f"generator.tuning.trials: {_short(trials)} is not an object of counts"
        scores = [tuning.get(key) for key in ("validation_score", "default_validation_score")]
        if any(score is not None and type(score) not in _NUMBER for score in scores):
            yield f"generator.tuning: a validation score is not a number: {_short(scores)}"


def _ill_anchored(reference_values: Mapping[str, Any]) -> Iterable[str]:
    for anchor, values in reference_values.items():
        if anchor not in _ANCHORS or not isinstance(values, dict):
            yield f"reference_values.{anchor}: not an object of values named {' or '.join(_ANCHORS)}"
            continue
        for key, value in values.items():
            if unknown := _unknown(key):
                yield f"reference_values.{anchor}: {unknown}"
            elif type(value) not in _NUMBER:
                yield f"reference_values.{anchor}.{key}: {_short(value)} is not a number"


def _ill_clustered(content: Mapping[str, Any]) -> Iterable[str]:
    """Optional: `clusters` and `per_cluster`, metric key → cluster → [rows, sum]."""
    kept = content.get("per_cluster", {})
    if kept and content.get("clusters") not in CLUSTERS:
        yield f"clusters: {_short(content.get('clusters'))} is none of {', '.join(CLUSTERS)}"
    if not isinstance(kept, dict) or not all(isinstance(each, dict) for each in kept.values()):
        yield f"per_cluster: {_short(kept)} is not an object of objects"
        return
    for key, clusters in kept.items():
        if unknown := _unknown(key):
            yield f"per_cluster: {unknown}"
        for name, entry in clusters.items():
            if not _is_sum(entry):
                yield f"per_cluster.{key}.{_short(name)}: {_short(entry)} is not a count of rows and a sum"


def _is_sum(entry: Any) -> bool:
    if not isinstance(entry, list) or len(entry) != 2:
        return False
    rows, total = entry
    return type(rows) is int and rows > 0 and type(total) in _NUMBER and math.isfinite(total)


def _ill_measured(metrics: Mapping[str, Any]) -> Iterable[str]:
    for key, entry in metrics.items():
        if unknown := _unknown(key):
            yield f"metrics: {unknown}; `gexbench ls metrics` lists this gexbench's catalogue"
        elif not isinstance(entry, dict) or not {"value", "version"} <= entry.keys():
            yield f"metrics.{key}: {_short(entry)} has no value and version"
        elif entry["value"] is not None and type(entry["value"]) not in _NUMBER:
            yield f"metrics.{key}.value: {_short(entry['value'])} is not a number or null"
        elif type(entry["version"]) is not int:
            yield f"metrics.{key}.version: {_short(entry['version'])} is not int"
        elif not isinstance(entry.get("reason"), _OPTIONAL_TEXT):
            yield f"metrics.{key}.reason: {_short(entry['reason'])} is not text or null"


def _unknown(key: str) -> str | None:
    try:
        lookup(key)
    except (KeyError, ValueError) as error:
        return str(error.args[0])
    return None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"

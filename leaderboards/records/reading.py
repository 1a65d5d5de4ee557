"""Reading records: one JSON file per cell, checked strictly where it comes in."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gexbench.leaderboards.records.model import SCHEMA, Record
from gexbench.leaderboards.records.older_schemas import from_schema_1, from_schema_2
from gexbench.leaderboards.records.problems import REMEDY, RecordError, Twice, field_problems
from gexbench.tasks.errors import short
from gexbench.tasks.files.input_paths import read_regular

LARGEST_RECORD_BYTES = 32 * 2**20
_CONVERTERS: Mapping[int, Callable[[Mapping[str, Any]], Mapping[str, Any]]] = {
    1: from_schema_1,
    2: from_schema_2,
    SCHEMA: dict,
}


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
    problems += _twice(records)
    if problems:
        raise RecordError(problems)
    return sorted(records, key=lambda record: (*record.cell, record.place))


def read_record(path: Path) -> Record:
    """The record of one file.

    Raises:
        RecordError: a file that is no record, broken, or of another schema.
    """
    return parse_record(_loaded(path), path.name)


def parse_record(content: Any, place: str) -> Record:
    """A record from its JSON content, of any schema that this gexbench reads.

    Args:
        content: JSON values.
        place: where it came from, for messages.

    Raises:
        RecordError: every missing, unknown and ill-typed field, unknown metric and ill-formed value, all at once.
    """
    if not isinstance(content, dict) or "schema" not in content:
        raise RecordError(f"{place}: not a gexbench record (no 'schema'); move it out of the records folder")
    schema = content["schema"]
    if type(schema) is not int or schema not in _CONVERTERS:
        known = ", ".join(map(str, _CONVERTERS))
        raise RecordError(
            f"{place}: record schema {short(schema)}, this gexbench reads {known}; use the version that wrote it"
        )
    fields = {name: value for name, value in content.items() if name != "schema"}
    try:
        return Record.of(_CONVERTERS[schema](fields), place)
    except ValidationError as error:
        raise RecordError([f"{place}: {each}" for each in (*field_problems(error), REMEDY)]) from None


def _twice(records: Sequence[Record]) -> Iterator[str]:
    """What is wrong where several files of a folder hold the record of one key: all but one are copies."""
    places: dict[str, list[str]] = {}
    for record in records:
        places.setdefault(record.keys.record, []).append(record.place)
    for same in places.values():
        if len(same) > 1:
            yield f"{', '.join(same)}: have the same key (keys.record); keep the file that was written for it"


def _loaded(path: Path) -> Any:
    try:
        return json.loads(read_regular(path, LARGEST_RECORD_BYTES).decode(), object_pairs_hook=_object)
    except OSError as error:
        remedy = "check the path" if isinstance(error, FileNotFoundError) else REMEDY
        raise RecordError(f"{path.name}: cannot be read ({error.strerror}); {remedy}") from None
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{path.name}: broken JSON ({str(error).partition(';')[0]}); {REMEDY}") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    counts = Counter(name for name, _ in pairs)
    return {name: value if counts[name] == 1 else Twice() for name, value in pairs}

"""Records in a store: their states, and what they tell of cells that are to do."""

from collections.abc import Iterator
from typing import Any

from gexbench.benchmark.storage.store import Store
from gexbench.leaderboards.records import Record, RecordError, parse_record
from gexbench.leaderboards.records.parts import STATES


def kept_records(store: Store) -> Iterator[Record]:
    """Every record of a store that this gexbench reads; others tell it nothing."""
    for content in store.each("records"):
        try:
            yield parse_record(content, "store")
        except RecordError:
            continue


def kept_record(store: Store, key: str) -> dict[str, Any] | None:
    """The JSON content of the record of a score key, None without one; a record of another key is corrupt.

    Key and state alone are read: a sweep that resumes asks this of thousands, and its leaderboard reads them whole.
    """
    content = store.read_json("records", key)
    if content is None:
        return None
    keys = content.get("keys")
    if not isinstance(keys, dict) or keys.get("record") != key or content.get("state") not in STATES:
        store.corrupt.append(f"records/{key}.json")
        return None
    return content


def kept_state(store: Store, key: str) -> str | None:
    """The state that the record of a score key says, None without one."""
    content = kept_record(store, key)
    return None if content is None else str(content["state"])

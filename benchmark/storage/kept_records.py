"""Records in a store: their states, and what they tell of cells that are to do."""

from collections.abc import Iterator, Mapping
from typing import Any

from gexbench.benchmark.storage.store import Store
from gexbench.leaderboards.records import Record, RecordError, parse_record


def kept_records(store: Store) -> Iterator[Record]:
    """Every record of a store that this gexbench reads; others tell it nothing."""
    for content in store.each("records"):
        try:
            yield parse_record(content, "store")
        except RecordError:
            continue


def state_in(content: Mapping[str, Any] | None) -> str | None:
    """The state that a record's JSON content says, None without one.

    The rest is not read: a sweep that resumes asks this of thousands, and its leaderboard reads them whole.
    """
    return None if content is None else str(content["state"])

"""Records and training logs of a leaderboard folder."""

from gexbench.leaderboards.records.model import Record
from gexbench.leaderboards.records.parts import TUNED
from gexbench.leaderboards.records.problems import RecordError
from gexbench.leaderboards.records.reading import parse_record, read_record, read_records

__all__ = ["TUNED", "Record", "RecordError", "parse_record", "read_record", "read_records"]

"""Leaderboards: records in, tables out; pure functions that know no generator and no runner."""

"""The study "What each metric sees": rows that cheat, measured."""

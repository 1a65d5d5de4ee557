"""Figures of leaderboards: each a function of a frame, or of arrays, that returns a matplotlib figure."""

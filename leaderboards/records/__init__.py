"""Records and training logs of a leaderboard folder."""

"""Published leaderboards, and their tables within other pages."""

"""Leaderboards as Markdown, HTML and LaTeX."""

"""Generators in files that the user names: read once, run in processes of their own."""

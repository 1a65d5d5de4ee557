"""Cohorts from a user's files."""

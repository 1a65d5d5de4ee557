"""Cohorts, folds, device-resident data and downstream tasks."""

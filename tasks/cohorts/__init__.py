"""Cohorts, their folds, and what generators see of them."""

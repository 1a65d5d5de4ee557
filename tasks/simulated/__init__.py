"""The simulated cohort and its exact oracle."""

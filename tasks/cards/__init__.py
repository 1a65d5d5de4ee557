"""Cards of cohorts, and their comparison."""

"""What a metric and a task declare, and what their computations are given: light to import."""

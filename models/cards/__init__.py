"""Pages about the generators."""

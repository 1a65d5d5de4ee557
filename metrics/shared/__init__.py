"""Tools shared by the metric functions."""

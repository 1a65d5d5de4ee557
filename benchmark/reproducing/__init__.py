"""A cell run again from its record, and rows from kept models."""

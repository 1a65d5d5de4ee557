"""Rerunning a cell from its record, and sampling from kept models."""

"""Sweeps: specification, cells, store, workers, records and the command line."""

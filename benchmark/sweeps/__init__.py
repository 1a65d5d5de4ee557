"""What to run: specifications, sweeps, cells and their content keys."""

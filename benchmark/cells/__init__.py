"""What one cell does: train, sample, score, and write a record."""

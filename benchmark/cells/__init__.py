"""What one cell does: train, sample, score, and leave a record."""

"""Search of a generator's settings."""

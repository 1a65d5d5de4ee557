"""What metrics are: specifications, the catalogue, normalised scores."""

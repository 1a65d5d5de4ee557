"""What ranks hang on: single metrics and families, and metrics that tell no models apart."""

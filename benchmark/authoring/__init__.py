"""For authors of generators: a first file, and generators from files."""

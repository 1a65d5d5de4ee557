"""For authors of generators: a template file, and generators loaded from files."""

"""For authors: generators in files that the user names, a base class for models of tables, seeded global state."""

"""Whole-slide images: reading, tissue, tiles and their embeddings."""

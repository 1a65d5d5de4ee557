"""Studies that make pages of the documentation; the engine imports none of them."""

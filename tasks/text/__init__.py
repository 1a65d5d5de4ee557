"""Clinical text and its encoders."""

"""The questions put to synthetic rows: the panel of metrics on a prepared fold."""

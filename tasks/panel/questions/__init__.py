"""The built-in tasks, one question to synthetic rows per file: its metrics are declared where they are computed."""

"""Reading and writing of files, with checks."""

"""What a file or folder is and how a cohort is built from it, from heads and samples."""

"""What the commands share in a terminal: the layout of help, and tables."""

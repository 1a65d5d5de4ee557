"""The study "Gates": how often honest rows fail, and what is found."""

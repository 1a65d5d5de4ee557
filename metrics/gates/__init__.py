"""Calibrated gates: how many copies are too many, and the class copula that membership is read against."""

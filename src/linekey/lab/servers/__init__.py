"""Servers right and wrong, to try phones at."""

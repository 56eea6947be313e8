"""Snom's phones, as one maker among others."""

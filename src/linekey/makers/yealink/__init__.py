"""Yealink's phones: ``key = value``, and a boot file before it."""

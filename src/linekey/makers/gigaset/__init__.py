"""Gigaset's PRO desk phones, which have Snom's files and settings."""

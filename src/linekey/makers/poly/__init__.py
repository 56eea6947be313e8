"""Poly's phones (Polycom UC software): XML whose attributes are the settings."""

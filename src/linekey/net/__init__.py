"""Sockets: what listens, and what calls."""

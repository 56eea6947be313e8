"""The door: connections accepted, bounded, and given to HTTP over TLS."""

"""X.509 as values: read, describe, match names, prove paths, build. Pure."""

"""Which settings are secrets: the rule is the catalogue's, for server and phone alike."""

from linekey.catalog.secrecy import is_secret, is_secret_value

__all__ = ["is_secret", "is_secret_value"]

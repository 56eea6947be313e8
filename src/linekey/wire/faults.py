"""Telling a fault of linekey's own to whoever repairs it.

Rule: where it happened and of which type it is, and never what the exception says: that
may hold a password, or whatever somebody typed.
"""

import logging
import traceback


def log_fault(log: logging.Logger, what: str, error: Exception) -> None:
    """Log ``error`` as an error, with its traceback and without its text."""
    kind, where = (
        type(error).__name__,
        "".join(traceback.format_tb(error.__traceback__)),
    )
    log.error(
        "%s: %s (its text is left out, it may hold a secret)\n%s", what, kind, where
    )

"""Certificates that were read before, by their bytes.

A phone comes again and again with its certificate, and all phones of a maker with the
same ones above theirs. Rule: what is kept is a function of the bytes alone; nothing is
judged here, and what cannot be read is not kept.
"""

from functools import lru_cache

from linekey.certs.certificate import Certificate

MAX_KEPT = 2048
"""Certificates kept: some 3 KiB each."""
MAX_KEPT_BYTES = 2560
"""Of one; phones' have 800 to 1,600."""

_kept = lru_cache(maxsize=MAX_KEPT)(Certificate.from_der)


def certificate_of(der: bytes) -> Certificate:
    """Read a certificate, as ``Certificate.from_der`` does, once."""
    return _kept(der) if len(der) <= MAX_KEPT_BYTES else Certificate.from_der(der)

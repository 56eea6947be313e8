"""When a certificate "expires soon": one notion for check, preflight, pages and lab."""

from datetime import datetime, timedelta
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.said import say

SERVER_SOON: Final = timedelta(days=30)
"""A server's certificate: ACME clients renew 30 days ahead, so one that has less left
was not renewed when it should have been."""

PART_LEFT: Final = 3
"""A certificate of a shorter life is renewed when a third of it is left, as ACME
clients do: one of 24 hours is not to be renewed from its first minute on."""

AUTHORITY_SOON: Final = timedelta(days=365)
"""An authority: to change what every phone or server of a fleet trusts takes a
provisioning round and, for built-in roots, a firmware."""


def expires_soon(
    certificate: Certificate, now: datetime, *, authority: bool = False
) -> bool:
    """Whether a valid certificate is to be replaced now; ``now`` is aware.

    False for one that has ended already. ``authority``: it stands above others.
    """
    usual = AUTHORITY_SOON if authority else SERVER_SOON
    return now <= certificate.not_after and is_due(certificate, now, usual)


def is_due(certificate: Certificate, now: datetime, usual: timedelta) -> bool:
    """Whether less than ``usual`` is left of it, or less than a third of its life where
    that is shorter; True of one that has ended."""
    part = (certificate.not_after - certificate.not_before) / PART_LEFT
    return certificate.not_after - now < min(usual, part)


def left_words(certificate: Certificate, now: datetime) -> str:
    """How long a certificate is still valid, in days, or in hours where it is short."""
    left = certificate.not_after - now
    if left >= timedelta(days=2):
        return say("%(count)s days", count=left.days)
    hours = left // timedelta(hours=1)
    return say("%(count)s hour" if hours == 1 else "%(count)s hours", count=hours)

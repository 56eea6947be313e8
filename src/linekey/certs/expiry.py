"""When a certificate "expires soon": one notion for check, preflight, pages and lab."""

from datetime import datetime, timedelta
from typing import Final

from linekey.certs.certificate import Certificate

SERVER_SOON: Final = timedelta(days=30)
"""A server's certificate: ACME clients renew 30 days ahead, so one that has less left
was not renewed when it should have been."""

AUTHORITY_SOON: Final = timedelta(days=365)
"""An authority: to change what every phone or server of a fleet trusts takes a
provisioning round and, for built-in roots, a firmware."""


def expires_soon(
    certificate: Certificate, now: datetime, *, authority: bool = False
) -> bool:
    """Whether a valid certificate is to be replaced now; ``now`` is aware.

    False for one that has ended already. ``authority``: it stands above others.
    """
    left = certificate.not_after - now
    return timedelta(0) <= left < (AUTHORITY_SOON if authority else SERVER_SOON)

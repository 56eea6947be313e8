"""Is it safe to export this? What ``linekey serve`` would refuse, another may not do.

The same checks as before linekey's own start (``preflight``), with the export's name,
address, certificate and key. The key is read where that is permitted, to see whose it
is, and goes nowhere.
"""

import os
import stat
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from linekey.certs.certificate import Certificate
from linekey.provisioning.ca_rules import Rules
from linekey.server.preflight.checks import check_certificate, check_trust, read_key
from linekey.server.preflight.finding import found
from linekey.settings import Settings
from linekey.trust.findings import Finding

_STRANGERS = 0o007


def check_export(
    *,
    name: str | None,
    host: str,
    chain: Sequence[Certificate],
    key: Path,
    vendor_cas: Sequence[Certificate],
    now: datetime,
    rules: Rules | None = None,
) -> list[Finding]:
    """Judge what a foreign server is to be told.

    ``name`` is the host name that phones use; None where they look at none. ``host`` is
    the address it listens on; empty for every address. ``chain`` is empty if there is
    no certificate yet. Raises InputError or CertificateError for a key that can be read
    and is no key, or another certificate's.
    """
    settings = Settings(host=host or "::", names=() if name is None else (name,))
    findings: list[Finding] = []
    if vendor_cas:
        findings += check_trust(settings, vendor_cas, now, rules)
    if chain:
        findings += check_certificate(settings, chain, now)
        if os.access(key, os.R_OK):
            read_key(key, chain)
            findings += _check_mode(key)
    return findings


def _check_mode(key: Path) -> list[Finding]:
    mode = stat.S_IMODE(key.stat().st_mode)
    if not mode & _STRANGERS:
        return []
    return [
        found(
            "key.readable",
            f"every user can read {str(key)!r} (mode {mode:04o})",
            f"chmod o= {key}; if others may have read the key, replace it",
        )
    ]

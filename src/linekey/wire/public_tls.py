"""The TLS with which linekey itself calls the services of others: webhooks, mail.

Apart from the phones' TLS (``tls.context``), which must speak what old phones do: here
it is Python's own, with the system's CAs, TLS 1.2 or newer, names checked.
"""

import ssl
from pathlib import Path

from linekey.errors import InputError


def public_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a client's context; ``ca_file`` is trusted besides the system's CAs.

    Raises InputError for a file that cannot be read or holds no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            what = getattr(error, "strerror", None) or "it holds no certificate"
            if isinstance(error, ssl.SSLError):
                what = "it holds no certificate"
            raise InputError(
                f"alerts.ca_file: cannot use {str(ca_file)!r}: {what.lower()}",
                hint="give a PEM file with CA certificates, which this user may read",
            ) from None
    return context


def tls_trouble(error: ssl.SSLError) -> str:
    """Say in words what went wrong; for a certificate, why it is not accepted."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
    reason = (error.reason or "no reason given").lower().replace("_", " ")
    return f"TLS failed: {reason}"

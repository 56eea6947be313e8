"""The one error of this room: the other end's bytes broke a rule of TLS."""

from typing import Literal

from linekey.errors import PeerError
from linekey.tls.alerts import Alert

Kind = Literal["broken", "not_tls", "plain_http", "proxy_unasked", "ssl2", "too_large"]


class TlsError(PeerError):
    """Bytes that are not what TLS allows, or more of them than we take.

    ``alert`` is what RFC 8446 §6 has for it, or None where no answer in TLS makes
    sense (plain HTTP, garbage); ``linekey.tls.alerts.record`` makes the bytes.
    ``kind``: TLS that is broken, or what came instead of a hello.
    """

    def __init__(
        self,
        message: str,
        *,
        alert: Alert | None = None,
        hint: str = "",
        kind: Kind = "broken",
    ) -> None:
        super().__init__(message, hint=hint)
        self.alert = alert
        self.kind: Kind = kind

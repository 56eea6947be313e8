"""The one error of this room: the other end's bytes broke a rule of TLS."""

from linekey.errors import PeerError
from linekey.tls.alerts import Alert


class TlsError(PeerError):
    """Bytes that are not what TLS allows, or more of them than we take.

    ``alert`` is what RFC 8446 §6 has for it, or None where no answer in TLS makes
    sense (plain HTTP, garbage); ``linekey.tls.alerts.record`` makes the bytes.
    """

    def __init__(
        self, message: str, *, alert: Alert | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.alert = alert

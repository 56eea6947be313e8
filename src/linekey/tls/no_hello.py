"""What came where a ClientHello was due: errors that name it, with their cures.

An administrator who reads "plain HTTP on the TLS port" need not read on. Protocols are
told apart in ``tls.strangers``. Rule: any bytes give a TlsError, or more are needed.
"""

from typing import NoReturn

from linekey.said import say
from linekey.tls.alerts import Alert
from linekey.tls.errors import Kind, TlsError
from linekey.tls.strangers import (
    PROXY_V1,
    PROXY_V2,
    Stranger,
    may_become_known,
    name_stranger,
)
from linekey.tls.versions import Version

CONTENT = {
    20: say("a ChangeCipherSpec"),
    21: say("an alert"),
    23: say("application data"),
    24: say("a heartbeat"),
}
"""Records that are no handshake's, by their ContentType (RFC 8446 §5.1)."""


def explain_stranger(data: bytes) -> None:
    """Raise with what this is instead of TLS, or return if it is too short to say."""
    stranger = name_stranger(data)
    if stranger is not None:
        _raise_stranger(stranger)
    if data[0] in CONTENT and data[1:2] in (b"", b"\x03"):
        if len(data) < 3:
            return
        raise TlsError(
            say("%(record)s came before any client hello", record=CONTENT[data[0]]),
            alert=Alert.UNEXPECTED_MESSAGE,
            hint=say("look at what connects there: it sends TLS records, but no hello"),
        )
    if data[0] & 0x80 and data[2:3] in (b"", b"\x01"):
        if len(data) < 5:
            return
        highest = int.from_bytes(data[3:5], "big")
        if highest == 2 or Version.SSL3 <= highest <= Version.TLS1_3:
            label = "SSLv2" if highest == 2 else Version(highest).label
            raise TlsError(
                say("an SSL 2 client hello (it offers up to %(label)s)", label=label),
                alert=Alert.PROTOCOL_VERSION,
                hint=say("switch the client's SSL 2 compatible hello off"),
                kind="ssl2",
            )
    if may_become_known(data):
        return
    if data[0] < 0x20 and data[1:2] == b"\x03" and data[2:3] <= b"\x04":
        if len(data) < 5:
            return
        raise TlsError(
            say(
                "a record of the unknown type %(number)s came before any client hello",
                number=data[0],
            ),
            alert=Alert.UNEXPECTED_MESSAGE,
        )
    raise_garbage(data)


def _raise_stranger(stranger: Stranger) -> NoReturn:
    kind: Kind = "plain_http" if stranger.is_http else "not_tls"
    if stranger in (PROXY_V1, PROXY_V2):
        kind = "proxy_unasked"
    raise TlsError(
        say("%(name)s on the TLS port", name=stranger.name),
        hint=stranger.cure,
        kind=kind,
    )


def raise_garbage(data: bytes) -> NoReturn:
    """Raise with what this is instead of TLS, by its first bytes."""
    stranger = name_stranger(data)
    if stranger is not None:
        _raise_stranger(stranger)
    raise TlsError(
        say("no TLS: the connection begins with %(bytes)s", bytes=data[:8].hex(" ")),
        kind="not_tls",
    )


def explain_unfinished(data: bytes | bytearray) -> TlsError | None:
    """Say what a connection was that ended before its hello was whole.

    None where it was a hello so far, or nothing was sent. The error is not raised.
    """
    if data[:2] in (b"", b"\x16", b"\x16\x03"):
        return None
    try:
        stranger = name_stranger(bytes(data), final=True)
        if stranger is not None:
            _raise_stranger(stranger)
        raise_garbage(bytes(data))
    except TlsError as error:
        return error

"""Alerts: their numbers, what each means to an administrator, and what cures it.

Numbers and meanings: RFC 8446 §6, RFC 5246 §7.2, RFC 6066, RFC 7507 (confidence H).
The cures are ours, for phones and provisioning servers.
"""

import struct
from enum import IntEnum

from linekey.said import fill


class Alert(IntEnum):
    """An alert description; the number on the wire."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    DECRYPTION_FAILED = 21
    RECORD_OVERFLOW = 22
    DECOMPRESSION_FAILURE = 30
    HANDSHAKE_FAILURE = 40
    NO_CERTIFICATE = 41
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    EXPORT_RESTRICTION = 60
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    CERTIFICATE_UNOBTAINABLE = 111
    UNRECOGNIZED_NAME = 112
    BAD_CERTIFICATE_STATUS_RESPONSE = 113
    BAD_CERTIFICATE_HASH_VALUE = 114
    UNKNOWN_PSK_IDENTITY = 115
    CERTIFICATE_REQUIRED = 116
    NO_APPLICATION_PROTOCOL = 120

    @property
    def label(self) -> str:
        """As the RFCs spell it: ``unknown_ca``."""
        return self.name.lower()


TEXTS: dict[Alert, tuple[str, str]] = {
    Alert.CLOSE_NOTIFY: ("the %(peer)s closed the connection in good order", ""),
    Alert.UNEXPECTED_MESSAGE: (
        "the %(peer)s got an unexpected TLS message",
        "check that both ends use TLS on this port, without a proxy in between",
    ),
    Alert.BAD_RECORD_MAC: (
        "the %(peer)s could not authenticate a record",
        "look for a device in between that changes the traffic, or a wrong key",
    ),
    Alert.DECRYPTION_FAILED: ("the %(peer)s could not decrypt a record", ""),
    Alert.RECORD_OVERFLOW: ("the %(peer)s got a record longer than TLS allows", ""),
    Alert.DECOMPRESSION_FAILURE: ("the %(peer)s could not decompress a record", ""),
    Alert.HANDSHAKE_FAILURE: (
        "the %(peer)s found no cipher suite that both ends support, or did not get"
        " a certificate that it requires",
        "compare the cipher suites and versions of both ends, and check whether a"
        " client certificate is required",
    ),
    Alert.NO_CERTIFICATE: ("the client has no certificate to send (SSL 3)", ""),
    Alert.BAD_CERTIFICATE: (
        "the %(peer)s refused the certificate: it is damaged, not yet valid, for"
        " another name, or has a key or hash that the %(peer)s does not accept",
        "check the certificate's name, dates, key size and hash, and the clock of"
        " the %(peer)s",
    ),
    Alert.UNSUPPORTED_CERTIFICATE: (
        "the %(peer)s does not accept this type of certificate, or not for this use",
        "check key type, keyUsage and extendedKeyUsage",
    ),
    Alert.CERTIFICATE_REVOKED: (
        "the certificate was revoked",
        "issue a new certificate, or restore the device",
    ),
    Alert.CERTIFICATE_EXPIRED: (
        "the certificate has expired, by the clock of the %(peer)s",
        "renew the certificate, or set the clock of the other end (NTP)",
    ),
    Alert.CERTIFICATE_UNKNOWN: (
        "the %(peer)s refused the certificate without naming a reason",
        "look in the log of the other end",
    ),
    Alert.ILLEGAL_PARAMETER: ("the %(peer)s got a value that TLS does not allow", ""),
    Alert.UNKNOWN_CA: (
        "the %(peer)s does not know the CA that issued the certificate, or an"
        " intermediate certificate was not sent",
        "send the complete chain without the root, and install the root on the"
        " other end",
    ),
    Alert.ACCESS_DENIED: (
        "the certificate is valid, but the %(peer)s's rules deny it access",
        "check the rules of the other end for this certificate",
    ),
    Alert.DECODE_ERROR: ("the %(peer)s could not read a message", ""),
    Alert.DECRYPT_ERROR: (
        "the %(peer)s found a signature or key exchange invalid",
        "check that the key belongs to the certificate, and that issuer and"
        " certificate belong together",
    ),
    Alert.EXPORT_RESTRICTION: ("the %(peer)s applies old export rules", ""),
    Alert.PROTOCOL_VERSION: (
        "the %(peer)s does not support this TLS version",
        "allow a version that both ends support; old phones need TLS 1.0",
    ),
    Alert.INSUFFICIENT_SECURITY: (
        "the %(peer)s requires stronger cipher suites or keys",
        "compare the cipher suites, key sizes and DH groups of both ends",
    ),
    Alert.INTERNAL_ERROR: (
        "the %(peer)s had an internal error",
        "look in the log of the other end",
    ),
    Alert.INAPPROPRIATE_FALLBACK: (
        "the client fell back to an older version although the server supports a"
        " newer one, as in a downgrade attack",
        "find out why the client's first attempt failed, after which it fell back",
    ),
    Alert.USER_CANCELED: ("the %(peer)s cancelled the handshake", ""),
    Alert.NO_RENEGOTIATION: ("the %(peer)s does not renegotiate", ""),
    Alert.MISSING_EXTENSION: ("the %(peer)s needs an extension that was missing", ""),
    Alert.UNSUPPORTED_EXTENSION: (
        "the %(peer)s got an extension it had not offered",
        "",
    ),
    Alert.CERTIFICATE_UNOBTAINABLE: (
        "the %(peer)s could not fetch the certificate from its URL",
        "",
    ),
    Alert.UNRECOGNIZED_NAME: (
        "the server does not know the host name that the client asked for (SNI)",
        "check the host name in the URL against the server's configuration",
    ),
    Alert.BAD_CERTIFICATE_STATUS_RESPONSE: (
        "the client did not accept the OCSP answer that the server stapled",
        "renew the stapled OCSP answer, or switch stapling off",
    ),
    Alert.BAD_CERTIFICATE_HASH_VALUE: ("a certificate's hash did not match", ""),
    Alert.UNKNOWN_PSK_IDENTITY: ("the server does not know this PSK or SRP user", ""),
    Alert.CERTIFICATE_REQUIRED: (
        "the server requires a client certificate and got none",
        "give the client its certificate; check that the server's list of accepted"
        " CAs includes its issuer",
    ),
    Alert.NO_APPLICATION_PROTOCOL: (
        "the server supports none of the protocols that the client offers (ALPN)",
        "",
    ),
}

WARNING, FATAL = 1, 2


def parse_alert(number: int) -> Alert | None:
    """Give the alert with this number, or None for one that is not registered."""
    try:
        return Alert(number)
    except ValueError:
        return None


def explain(alert: Alert, peer: str = "other end") -> str:
    """Say in half a sentence what it means that ``peer`` sent this alert."""
    return fill(TEXTS[alert][0], {"peer": peer})


def cure(alert: Alert) -> str:
    """Say what an administrator can do about it; empty where there is nothing."""
    return TEXTS[alert][1]


def record(alert: Alert, version: int = 0x0301, *, level: int = FATAL) -> bytes:
    """Make the plain record that carries this alert, for use where no engine runs.

    ``version``: the peer's, of its hello or at least of its record. The header gets it,
    or the nearest from SSL 3 to TLS 1.2: RFC 8446 §5.1 has legacy_record_version frozen
    there, and a peer that does not know the version of an alert may not read it.
    ``level``: 1 warning, 2 fatal.
    """
    header = max(0x0300, min(version, 0x0303))
    return struct.pack("!BHHBB", 21, header, 2, level, alert)

"""What a fleet needs, as a GnuTLS priority string: Debian's slapd is built with it.

GnuTLS names key exchanges, ciphers and MACs apart and combines them, so the string can
allow a combination that no phone asked for (AES-GCM with an RSA key exchange, where one
old phone needs RSA). It never allows what is in neither list.

``%PROFILE_LOW`` accepts RSA-1024 and ``%VERIFY_ALLOW_SIGN_WITH_SHA1`` SHA-1 signatures
in certificates (GnuTLS manual, "Priority Strings"); both are there only where the fleet
has such phones.
"""

from linekey.export.needs import Needs
from linekey.tls.suites import Suite, by_name
from linekey.tls.versions import Version

_VERSIONS = {
    Version.TLS1_0: "VERS-TLS1.0",
    Version.TLS1_1: "VERS-TLS1.1",
    Version.TLS1_2: "VERS-TLS1.2",
    Version.TLS1_3: "VERS-TLS1.3",
}


def priority_string(needs: Needs) -> str:
    """Write ``needs`` for GnuTLS, ``TLSCipherSuite`` in slapd.conf."""
    parts: dict[str, None] = dict.fromkeys(["NONE"])
    suites = [*needs.suite_values, *map(by_name, needs.tls13_suites)]
    for names in (
        [_VERSIONS[v] for v in needs.versions],
        [_key_exchange(s) for s in needs.suite_values],
        [_cipher(s) for s in suites],
        [_mac(s) for s in suites],
        ["SIGN-ALL", "GROUP-ALL", "CTYPE-X509", "COMP-NULL"],
    ):
        parts.update(dict.fromkeys(f"+{name}" for name in names))
    if needs.sha1_models:
        parts["%PROFILE_LOW"] = parts["%VERIFY_ALLOW_SIGN_WITH_SHA1"] = None
    return ":".join(parts)


def _key_exchange(suite: Suite) -> str:
    if suite.key_exchange == "RSA":
        return "RSA"
    return f"{suite.key_exchange}-{suite.authentication}"


def _cipher(suite: Suite) -> str:
    if suite.cipher == "CHACHA20":
        return "CHACHA20-POLY1305"
    return f"{suite.cipher}-{suite.bits}-{suite.mode}"


def _mac(suite: Suite) -> str:
    return "AEAD" if suite.aead else suite.mac

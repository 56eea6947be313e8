"""The rules a phone's verdict can rest on: one table, each row with its source.

Rules of this file: an id, once released, keeps its meaning; the order of ``RULES`` is
the order in which a phone meets them (reach the server, agree on a protocol, read the
chain, find a path, check it, check the name, show its own certificate); a rule says
where it comes from and how sure that is ("H" vendor page, source code or certificate
bytes; "M" one good secondary source; "L" inference). ``docs/reference/findings.md`` is
written from this table.

``binding`` tells the rules that no setting lifts: a key the phone cannot use stays
unusable when server authentication is off or an exception was added.
"""

from dataclasses import dataclass
from typing import Final, Literal

from linekey.catalog.settings_rules import CHECK_FQDN

Confidence = Literal["H", "M", "L"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: what it says, for which firmware, on whose word.

    ``id`` is ``group.word``; ``firmware`` the range it speaks for, in words;
    ``binding`` is true where neither a setting nor an exception lifts the rule.
    """

    id: str
    title: str
    source: str
    confidence: Confidence
    firmware: str = "all"
    binding: bool = False


_SERVER_AUTH = "SNOM-TLS, Server Authentication"
_EXCEPTION = "SNOM-TLS, Adding Unknown Certificates"
_MATRIX = "SNOM-TLS, Supported Cipher Suites"
_HASHES = "SNOM-TLS, Authentication of the devices (hash table)"
_SETTINGS = "SNOM-SETTING, check_fqdn_against_server_cert and its flags"
_MEASURED = "OPENSSL-RUN"
_PATH = "RFC 5280 §6.1, as OpenSSL's X509_verify_cert applies it"

_TABLE: Final = (
    # --- what all the rest depends on, so that it is read first
    Rule("phone.abilities", "some source tells what the phone supports in TLS",
         "catalogue, other makers' models: none does", "H",
         firmware="of other makers' phones, unless a captured hello is given"),
    Rule("phone.roots", "some source tells whether the phone has the path's CA built "
         "in", "catalogue, other makers' models: none names their CAs", "H",
         firmware="of other makers' phones"),
    Rule("phone.firmware", "some source names this firmware for this model",
         "catalogue, firmware versions", "M"),
    Rule("phone.firmware-date", "the verdict is the same with every list of roots that "
         "the firmware may have",
         "SNOM-TLS, Adding Unknown Certificates (list updated with the firmware)",
         "M", firmware="where the firmware's date is not known"),
    Rule("phone.server-name", "the verdict is the same with and without a server name "
         "(SNI)", "catalogue, derived hello; RFC 6066 §3", "L",
         firmware="that rows with TLS 1.2 send one, and older ones none, is inferred"),
    Rule("phone.suite-order", "the verdict is the same with any order of the suites",
         "catalogue, derived hello; RFC 5246 §7.4.1.2", "L",
         firmware="the order is inferred"),
    # --- can the server be reached at all
    Rule("reach.name", "the server's name resolves", "RFC 8499", "H", binding=True),
    Rule("reach.connect", "the server accepts the connection", "RFC 9293", "H",
         binding=True),
    Rule("reach.time", "the server answers in time", "linekey's own", "H",
         binding=True),
    Rule("reach.tls", "the server answers with TLS", "RFC 5246 §6.2.1", "H",
         binding=True),
    Rule("reach.malformed", "the server's messages can be read", "RFC 5246 §7.4", "H",
         binding=True),
    # --- do they agree on a protocol
    Rule("tls.version", "phone and server have a TLS version in common", _MATRIX, "H",
         binding=True),
    Rule("tls.suite", "phone and server have a cipher suite in common", _MATRIX, "H",
         binding=True),
    Rule("tls.alert", "the server accepts the phone's ClientHello",
         "RFC 5246 §7.2.2", "H",
         binding=True),
    Rule("tls.suite-offered", "the server picks a suite the phone offered",
         "RFC 5246 §7.4.1.3", "H", binding=True),
    Rule("tls.server-name", "the server sends the same certificate with and without a "
         "server name (SNI)", "RFC 6066 §3", "L"),
    Rule("tls.suite-order", "the server prefers its own order of suites",
         "RFC 9325 §4.2.1", "L"),
    Rule("tls.weak-suite", "the cipher suite that is chosen is secure",
         "RFC 9325 §4.1", "H"),
    Rule("tls.old-version", "the TLS version that is chosen is secure", "RFC 8996",
         "H"),
    Rule("tls.dh-size", "the Diffie-Hellman group is of a usable size",
         "RFC 9325 §4.4; OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k, measured", "M",
         binding=True),
    Rule("tls.curve", "the curve is one the phone offered", "RFC 8422 §5.4", "M",
         binding=True),
    # --- the chain as it was sent
    Rule("chain.other-certificate", "the server's other certificate (RSA, ECDSA) is "
         "accepted, too", "RFC 8422 §2", "M"),
    Rule("chain.empty", "the server sends a certificate", "RFC 5246 §7.4.2", "H",
         binding=True),
    Rule("chain.leaf-first", "the server's own certificate is sent first",
         "RFC 5246 §7.4.2; RFC 8446 §4.4.2", "H"),
    Rule("chain.unreadable", "the phone's OpenSSL can read every certificate",
         "OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k, measured", "M", binding=True),
    Rule("chain.duplicate", "no certificate is sent twice", "RFC 5246 §7.4.2", "H"),
    Rule("chain.order", "each certificate is the issuer of the one before it",
         "RFC 5246 §7.4.2", "H"),
    Rule("chain.extra", "only certificates of the path are sent",
         "RFC 5246 §7.4.2", "H"),
    Rule("chain.root-sent", "the root is not sent", "RFC 5246 §7.4.2", "H"),
    Rule("chain.incomplete", "every intermediate is sent", "RFC 5246 §7.4.2", "H"),
    # --- what the phone can compute with
    Rule("key.kind", "the leaf's key is of a kind the phone can use", _MATRIX, "H",
         binding=True),
    Rule("key.issuer-kind", "every issuer's key is of a kind the phone can use",
         _MATRIX, "M"),
    Rule("key.large", "no RSA key is larger than the phone can use",
         "catalogue, key sizes of the model", "L", binding=True),
    # --- the path
    Rule("auth.off", "server authentication is on", _SERVER_AUTH, "H",
         firmware="8.x: off unless switched on (8.2.30); 10.x: always on"),
    Rule("exception.added", "the certificate is on the tab as an exception",
         _EXCEPTION, "H"),
    Rule("chain.self-signed", "the leaf is signed by a CA", _SERVER_AUTH, "H"),
    Rule("chain.untrusted", "the path ends at a CA or server certificate on the "
         "phone", _SERVER_AUTH, "H"),
    Rule("chain.tab-leaf", "the leaf itself is on the phone's Server Certificates "
         "tab", _EXCEPTION, "M"),
    Rule("chain.issuer-not-ca", "every issuer in the path is a CA", _PATH, "H"),
    Rule("chain.path-length", "no CA exceeds its path length constraint", _PATH, "H"),
    Rule("chain.critical-extension", "no critical extension is unknown", _PATH, "H"),
    Rule("chain.name-constraints", "the names stay within the CA's constraints",
         _PATH, "H"),
    Rule("chain.purpose", "the certificates may be used for a TLS server",
         "RFC 5280 §4.2.1.12", "H"),
    # --- sizes and hashes along it
    Rule("key.small", "no key is smaller than the phone accepts",
         "catalogue, key sizes of the model", "L"),
    Rule("key.weak", "every key is large enough to be secure", "RFC 9325 §4.5", "H"),
    Rule("hash.unsupported", "phones support every signature hash in the path",
         "OpenSSL, EVP digests of 0.9.8 to 1.0.2", "M"),
    Rule("hash.table", "the maker's table lists every signature hash in the path",
         _HASHES + ", which speaks of the phone's own certificate", "L",
         firmware="SHA-2 from 8.9.3.60 and 10.1.x, by model"),
    Rule("hash.rare", "no certificate is signed with MD4 or RIPEMD-160",
         "RFC 6150; OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k, measured", "L"),
    Rule("hash.md5", "no certificate is signed with MD5", "RFC 6151 §2", "M"),
    Rule("hash.sha1", "no certificate is signed with SHA-1", "RFC 9155; " + _MEASURED,
         "M"),
    # --- signatures
    Rule("chain.signature", "every signature in the path verifies", _PATH, "H"),
    Rule("chain.malformed", "every certificate in the path can be used", _PATH, "H"),
    # --- time
    Rule("clock.wrong", "the phone's clock is set", _PATH, "M"),
    Rule("chain.date-form", "every date has the form of RFC 5280",
         "RFC 5280 §4.1.2.5; OpenSSL 1.0.1u, 1.0.2o, 1.0.2s and 1.1.1k, measured", "M"),
    Rule("chain.not-yet-valid", "every certificate in the path is already valid",
         _PATH, "H"),
    Rule("chain.expired", "no certificate in the path has expired", _PATH, "H"),
    # --- the name
    Rule("name.unchecked", "the name is checked", _SETTINGS, "H",
         firmware=f"from {CHECK_FQDN.since}; on by default in 10.x, off in 8.x"),
    Rule("name.idle", "check_fqdn_against_server_cert takes effect", _SETTINGS, "H",
         firmware="8.x: only with TLS server authentication on"),
    Rule("name.wildcard", "a wildcard is one the flags allow", _SETTINGS, "H",
         firmware="wildcards refused by default before 8.7.5.71"),
    Rule("name.ip", "an IP address is a SAN iPAddress of the leaf", _SETTINGS, "H"),
    Rule("name.mismatch", "the name the phone connects to is in the leaf", _SETTINGS,
         "H"),
    Rule("name.cn-only", "the leaf names the server in a SAN", "RFC 9525 §2", "H"),
    # --- what will break, and what is never looked at
    Rule("chain.root-date", "the path's root is in every list the firmware may have",
         "SNOM-TLS, Adding Unknown Certificates (list updated with the firmware)",
         "M", firmware="where the firmware's date is not known"),
    Rule("chain.cross-sign", "a path exists without a cross-sign",
         "linekey's own", "M"),
    Rule("chain.expires-soon", "the leaf stays valid for a while",
         "linekey's own", "H"),
    Rule("chain.anchor-expires-soon", "the path's CAs outlive the leaf's next renewals",
         "linekey's own", "H"),
    Rule("chain.version1", "every certificate is of version 3", "SNOM-CA", "H"),
    Rule("chain.revocation", "revocation is checked", "SNOM-TLS, Limitations", "H"),
    # --- would the server accept the phone
    Rule("client.asked", "the server asks the phone for its certificate",
         "SNOM-TLS, TLS handshake overview", "H"),
    Rule("client.none", "the phone has a certificate to send",
         "SNOM-TLS, The built-in certificate", "H"),
    Rule("client.shared", "the phone's certificate is its own",
         "SNOM-TLS, Authentication of the devices", "H"),
    Rule("client.ca-names", "the server names a CA of the phone's certificate",
         "RFC 5246 §7.4.4", "H"),
    Rule("client.type", "the server accepts the phone's type of key", "RFC 5246 §7.4.4",
         "H"),
    Rule("client.signature", "the server accepts a signature hash the phone supports",
         "RFC 5246 §7.4.4", "H", firmware="TLS 1.2"),
    Rule("client.refused", "the server accepts the phone's certificate",
         "RFC 5246 §7.4.6; RFC 8446 §4.4.2.4", "H"),
    Rule("client.answered", "the server answers a request after the handshake",
         "RFC 8446 §6.2; linekey design 9", "H"),
)  # fmt: skip

RULES: Final[dict[str, Rule]] = {rule.id: rule for rule in _TABLE}
"""Every rule by its id, in the order in which a phone meets them."""

PLACE: Final[dict[str, int]] = {rule.id: place for place, rule in enumerate(_TABLE)}
"""A rule's place in that order, from 0."""

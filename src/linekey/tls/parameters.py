"""Numbers that hellos and first flights carry beside suites: groups, signatures, more.

From the IANA registries "TLS Supported Groups", "TLS SignatureScheme", "TLS
ExtensionType Values" and "TLS ClientCertificateType Identifiers" (confidence H).
Data and look-ups; nothing here judges.
"""

from ipaddress import ip_address

from linekey.tls.versions import is_grease

GROUPS: dict[int, str] = {
    **dict(
        enumerate(
            (
                "sect163k1 sect163r1 sect163r2 sect193r1 sect193r2 sect233k1 sect233r1"
                " sect239k1 sect283k1 sect283r1 sect409k1 sect409r1 sect571k1"
                " sect571r1 secp160k1 secp160r1 secp160r2 secp192k1 secp192r1"
                " secp224k1 secp224r1 secp256k1 secp256r1 secp384r1 secp521r1"
                " brainpoolP256r1 brainpoolP384r1 brainpoolP512r1 x25519 x448"
                " brainpoolP256r1tls13 brainpoolP384r1tls13 brainpoolP512r1tls13"
            ).split(),
            start=1,
        )
    ),
    0x0029: "curveSM2",
    0x0100: "ffdhe2048",
    0x0101: "ffdhe3072",
    0x0102: "ffdhe4096",
    0x0103: "ffdhe6144",
    0x0104: "ffdhe8192",
    0x0200: "MLKEM512",
    0x0201: "MLKEM768",
    0x0202: "MLKEM1024",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
}
"""Curves and finite-field groups by number (RFC 8422, RFC 7919, RFC 8446)."""

SIGNATURE_SCHEMES: dict[int, str] = {
    0x0101: "rsa_pkcs1_md5",
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1",
    0x0203: "ecdsa_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0302: "dsa_sha224",
    0x0303: "ecdsa_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "dsa_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0501: "rsa_pkcs1_sha384",
    0x0502: "dsa_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0601: "rsa_pkcs1_sha512",
    0x0602: "dsa_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
}
"""Signature and hash pairs by number (RFC 5246 §7.4.1.4.1, RFC 8446 §4.2.3)."""

EXTENSIONS: dict[int, str] = {
    0: "server_name",
    1: "max_fragment_length",
    5: "status_request",
    10: "supported_groups",
    11: "ec_point_formats",
    12: "srp",
    13: "signature_algorithms",
    15: "heartbeat",
    16: "application_layer_protocol_negotiation",
    18: "signed_certificate_timestamp",
    21: "padding",
    22: "encrypt_then_mac",
    23: "extended_master_secret",
    27: "compress_certificate",
    28: "record_size_limit",
    35: "session_ticket",
    41: "pre_shared_key",
    42: "early_data",
    43: "supported_versions",
    44: "cookie",
    45: "psk_key_exchange_modes",
    47: "certificate_authorities",
    49: "post_handshake_auth",
    50: "signature_algorithms_cert",
    51: "key_share",
    57: "quic_transport_parameters",
    13172: "next_protocol_negotiation",
    17513: "application_settings",
    65037: "encrypted_client_hello",
    65281: "renegotiation_info",
}

POINT_FORMATS: dict[int, str] = {
    0: "uncompressed",
    1: "ansiX962_compressed_prime",
    2: "ansiX962_compressed_char2",
}
"""Forms of a curve's point (RFC 8422 §5.1.2)."""


def _name(table: dict[int, str], number: int) -> str:
    if number in table:
        return table[number]
    return f"{'GREASE' if is_grease(number) else 'unknown'} (0x{number:04x})"


def group_name(number: int) -> str:
    """Name a group, also an unknown one."""
    return _name(GROUPS, number)


def signature_name(number: int) -> str:
    """Name a signature scheme, also an unknown one."""
    return _name(SIGNATURE_SCHEMES, number)


def parts_of_signature(number: int) -> tuple[str, str]:
    """The kind of key of a signature scheme, and its hash: ``("rsa", "sha256")``.

    The hash is empty where the scheme has none of its own (Ed25519); both are for one
    that is not known.
    """
    name = SIGNATURE_SCHEMES.get(number, "")
    kind, digest = name.partition("_")[0], name.rpartition("_")[2]
    return kind, digest if digest.startswith(("sha", "md5")) else ""


def point_format_name(number: int) -> str:
    """Name a form of a curve's point, also an unknown one."""
    return _name(POINT_FORMATS, number)


def extension_name(number: int) -> str:
    """Name an extension, also an unknown one."""
    return _name(EXTENSIONS, number)


def is_address(host: str) -> bool:
    """Whether a host is an IPv4 or IPv6 literal, which SNI never carries.

    RFC 6066 §3 permits no address there.
    """
    host = host.partition("%")[0].strip("[]")
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

"""Cipher suites: what each number stands for.

Every suite that SNOM-TLS's matrix can mean, and every one that the engine's OpenSSL
knows. Parts are read from the IANA name (RFC 5246 §A.5, RFC 8446 §B.4), in the
matrix's own words: key exchange, authentication, block cipher, key length, mode of
operation, message authentication code (SNOM-TLS, "Supported Cipher Suites").
"""

from dataclasses import dataclass
from functools import lru_cache

from linekey.tls.suite_table import TABLE
from linekey.tls.versions import is_grease

EMPTY_RENEGOTIATION_INFO_SCSV = 0x00FF
"""Not a suite: "I renegotiate safely" (RFC 5746 §3.3)."""

FALLBACK_SCSV = 0x5600
"""Not a suite: "this hello is lower than I can do" (RFC 7507)."""

SIGNALS = {
    EMPTY_RENEGOTIATION_INFO_SCSV: "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
    FALLBACK_SCSV: "TLS_FALLBACK_SCSV",
}


@dataclass(frozen=True, slots=True)
class Suite:
    """One cipher suite.

    ``key_exchange``: RSA, DH, DHE, ECDH, ECDHE, SRP, PSK, DHE_PSK, ECDHE_PSK,
    RSA_PSK, KRB5, FORTEZZA, NULL, or ANY (TLS 1.3, which negotiates it apart).
    ``authentication``: RSA, DSS, ECDSA, anon, SRP, PSK, KRB5, FORTEZZA, NULL, ANY.
    ``cipher``: AES, 3DES, DES, RC4, RC2, IDEA, SEED, CAMELLIA, ARIA, CHACHA20, SM4,
    FORTEZZA or NULL; ``bits`` its key length as the matrix counts it (3DES 168, DES
    56, export 40 or 56, NULL 0). ``mode``: CBC, GCM, CCM, CCM_8, POLY1305, STREAM or
    NULL. ``mac``: MD5, SHA1, SHA256, SHA384, SM3, NULL, or AEAD, where the mode
    itself authenticates.
    ``known_by_engine``: OpenSSL 4.0.3 in cryptography's wheel has it; SRP suites it
    offers only to who set an SRP user name, which the binding has no call for.
    """

    number: int
    name: str
    openssl_name: str | None
    key_exchange: str
    authentication: str
    cipher: str
    bits: int
    mode: str
    mac: str
    tls13: bool
    known_by_engine: bool

    @property
    def aead(self) -> bool:
        """Whether the mode authenticates too (RFC 5116)."""
        return self.mac == "AEAD"

    @property
    def export(self) -> bool:
        """Whether it is one of the weakened suites of the 1990s."""
        return "EXPORT" in self.name

    def __str__(self) -> str:
        return self.name


_KEY_EXCHANGES = {
    "RSA": ("RSA", "RSA"),
    "DH_DSS": ("DH", "DSS"),
    "DH_RSA": ("DH", "RSA"),
    "DHE_DSS": ("DHE", "DSS"),
    "DHE_RSA": ("DHE", "RSA"),
    "DH_anon": ("DHE", "anon"),
    "ECDH_ECDSA": ("ECDH", "ECDSA"),
    "ECDH_RSA": ("ECDH", "RSA"),
    "ECDHE_ECDSA": ("ECDHE", "ECDSA"),
    "ECDHE_RSA": ("ECDHE", "RSA"),
    "ECDH_anon": ("ECDHE", "anon"),
    "SRP_SHA": ("SRP", "SRP"),
    "SRP_SHA_RSA": ("SRP", "RSA"),
    "SRP_SHA_DSS": ("SRP", "DSS"),
    "PSK": ("PSK", "PSK"),
    "DHE_PSK": ("DHE_PSK", "PSK"),
    "PSK_DHE": ("DHE_PSK", "PSK"),
    "ECDHE_PSK": ("ECDHE_PSK", "PSK"),
    "RSA_PSK": ("RSA_PSK", "RSA"),
    "KRB5": ("KRB5", "KRB5"),
    "FORTEZZA_KEA": ("FORTEZZA", "FORTEZZA"),
    "NULL": ("NULL", "NULL"),
}

# Longest first where one begins another.
_CIPHERS = {
    "NULL": ("NULL", 0, "NULL"),
    "RC4_128": ("RC4", 128, "STREAM"),
    "RC4_56": ("RC4", 56, "STREAM"),
    "RC4_40": ("RC4", 40, "STREAM"),
    "RC2_CBC_56": ("RC2", 56, "CBC"),
    "RC2_CBC_40": ("RC2", 40, "CBC"),
    "DES40_CBC": ("DES", 40, "CBC"),
    "DES_CBC_40": ("DES", 40, "CBC"),
    "DES_CBC": ("DES", 56, "CBC"),
    "3DES_EDE_CBC": ("3DES", 168, "CBC"),
    "IDEA_CBC": ("IDEA", 128, "CBC"),
    "SEED_CBC": ("SEED", 128, "CBC"),
    "FORTEZZA_CBC": ("FORTEZZA", 80, "CBC"),
    "CHACHA20_POLY1305": ("CHACHA20", 256, "POLY1305"),
    "SM4_GCM": ("SM4", 128, "GCM"),
    "SM4_CCM": ("SM4", 128, "CCM"),
    **{
        f"{cipher}_{bits}_{mode}": (cipher, bits, mode)
        for cipher in ("AES", "CAMELLIA", "ARIA")
        for bits in (128, 256)
        for mode in ("CBC", "GCM", "CCM_8", "CCM")
    },
}


def _split_cipher(text: str, name: str) -> tuple[str, int, str, str]:
    for prefix, (cipher, bits, mode) in _CIPHERS.items():
        if text == prefix or text.startswith(prefix + "_"):
            return cipher, bits, mode, text[len(prefix) + 1 :]
    raise AssertionError(f"cannot read the cipher of {name}")


def _read(line: str) -> Suite:
    number, name, openssl_name, known = line.split()
    body = name.partition("_")[2]
    left, with_, right = body.partition("_WITH_")
    tls13 = not with_
    if tls13:
        kx, auth = "ANY", "ANY"
        right = "NULL_" + body.split("_")[0] if body.startswith("SHA") else body
    else:
        kx, auth = _KEY_EXCHANGES[left.partition("_EXPORT")[0]]
    cipher, bits, mode, tail = _split_cipher(right, name)
    tail = {"SHA": "SHA1"}.get(tail, tail)
    aead = mode in {"GCM", "CCM", "CCM_8", "POLY1305"}
    return Suite(
        number=int(number, 16),
        name=name,
        openssl_name=None if openssl_name == "-" else openssl_name,
        key_exchange=kx,
        authentication=auth,
        cipher=cipher,
        bits=bits,
        mode=mode,
        mac="AEAD" if aead else tail,
        tls13=tls13,
        known_by_engine=known == "+",
    )


SUITES: dict[int, Suite] = {s.number: s for s in map(_read, TABLE.strip().splitlines())}
"""All we know, by number."""

_BY_NAME: dict[str, Suite] = {
    key: suite
    for suite in SUITES.values()
    for key in (suite.name.upper(), (suite.openssl_name or suite.name).upper())
}


@lru_cache(maxsize=256)
def by_name(text: str) -> Suite:
    """Find a suite by IANA or OpenSSL name in any case, or by number (``0xc02f``).

    Raises KeyError with the name when there is none.
    """
    text = text.strip()
    if text[:2].lower() == "0x":
        try:
            return SUITES[int(text, 16)]
        except (ValueError, KeyError):
            raise KeyError(text) from None
    return _BY_NAME[text.upper()]


def name_of(number: int) -> str:
    """Name a number from the wire, also a signal, GREASE or an unknown one."""
    if number in SUITES:
        return SUITES[number].name
    if number in SIGNALS:
        return SIGNALS[number]
    return f"{'GREASE' if is_grease(number) else 'unknown'} (0x{number:04x})"

"""Numbers that certificates carry, and their names: algorithms, curves, usages.

Long names are OpenSSL's, since SNOM-TLS prints certificates so. Data only.
"""

SIGNATURES: dict[str, tuple[str, str | None]] = {
    "1.2.840.113549.1.1.2": ("md2WithRSAEncryption", "md2"),
    "1.2.840.113549.1.1.3": ("md4WithRSAEncryption", "md4"),
    "1.2.840.113549.1.1.4": ("md5WithRSAEncryption", "md5"),
    "1.2.840.113549.1.1.5": ("sha1WithRSAEncryption", "sha1"),
    "1.3.14.3.2.29": ("sha1WithRSA", "sha1"),
    "1.2.840.113549.1.1.14": ("sha224WithRSAEncryption", "sha224"),
    "1.2.840.113549.1.1.11": ("sha256WithRSAEncryption", "sha256"),
    "1.2.840.113549.1.1.12": ("sha384WithRSAEncryption", "sha384"),
    "1.2.840.113549.1.1.13": ("sha512WithRSAEncryption", "sha512"),
    "1.3.36.3.3.1.2": ("ripemd160WithRSA", "ripemd160"),
    "1.2.840.10045.4.1": ("ecdsa-with-SHA1", "sha1"),
    "1.2.840.10045.4.3.1": ("ecdsa-with-SHA224", "sha224"),
    "1.2.840.10045.4.3.2": ("ecdsa-with-SHA256", "sha256"),
    "1.2.840.10045.4.3.3": ("ecdsa-with-SHA384", "sha384"),
    "1.2.840.10045.4.3.4": ("ecdsa-with-SHA512", "sha512"),
    "1.2.840.10040.4.3": ("dsaWithSHA1", "sha1"),
    "2.16.840.1.101.3.4.3.1": ("dsa_with_SHA224", "sha224"),
    "2.16.840.1.101.3.4.3.2": ("dsa_with_SHA256", "sha256"),
    "2.16.840.1.101.3.4.3.3": ("dsa_with_SHA384", "sha384"),
    "2.16.840.1.101.3.4.3.4": ("dsa_with_SHA512", "sha512"),
    "1.3.101.112": ("ED25519", None),
    "1.3.101.113": ("ED448", None),
}
"""Signature algorithm to OpenSSL's long name and the hash (None: its own)."""

RSASSA_PSS = "1.2.840.113549.1.1.10"

HASHES = {
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}

RSA_KEYS = frozenset({"1.2.840.113549.1.1.1", RSASSA_PSS})
EC_KEY = "1.2.840.10045.2.1"
DSA_KEY = "1.2.840.10040.4.1"
EDWARDS_KEYS = {"1.3.101.112": ("ed25519", 256), "1.3.101.113": ("ed448", 456)}

CURVES = {
    "1.2.840.10045.3.1.1": ("secp192r1", 192),
    "1.3.132.0.33": ("secp224r1", 224),
    "1.2.840.10045.3.1.7": ("secp256r1", 256),
    "1.3.132.0.34": ("secp384r1", 384),
    "1.3.132.0.35": ("secp521r1", 521),
    "1.3.132.0.10": ("secp256k1", 256),
    "1.3.36.3.3.2.8.1.1.7": ("brainpoolP256r1", 256),
    "1.3.36.3.3.2.8.1.1.11": ("brainpoolP384r1", 384),
    "1.3.36.3.3.2.8.1.1.13": ("brainpoolP512r1", 512),
}
"""Named curve to its name (SEC 2, RFC 5639) and its size in bits."""

# Extension types (RFC 5280 §4.2.1), as the content of their identifier's DER.
SUBJECT_KEY_ID = bytes.fromhex("551d0e")
KEY_USAGE = bytes.fromhex("551d0f")
SUBJECT_ALT_NAME = bytes.fromhex("551d11")
BASIC_CONSTRAINTS = bytes.fromhex("551d13")
AUTHORITY_KEY_ID = bytes.fromhex("551d23")
EXTENDED_KEY_USAGE = bytes.fromhex("551d25")
NETSCAPE_CERT_TYPE = bytes.fromhex("6086480186f8420101")
"""2.16.840.1.113730.1.1, of Netscape's certificate extensions; OpenSSL's nsCertType."""

KEY_USAGES = (
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
)
"""RFC 5280 §4.2.1.3, bit 0 first."""

NETSCAPE_CERT_TYPES = (
    "client",
    "server",
    "email",
    "objsign",
    "reserved",
    "sslCA",
    "emailCA",
    "objCA",
)
"""Netscape's certificate types by OpenSSL's names, bit 0 first."""

EXTENDED_KEY_USAGES = {
    "1.3.6.1.5.5.7.3.1": "serverAuth",
    "1.3.6.1.5.5.7.3.2": "clientAuth",
    "1.3.6.1.5.5.7.3.3": "codeSigning",
    "1.3.6.1.5.5.7.3.4": "emailProtection",
    "1.3.6.1.5.5.7.3.8": "timeStamping",
    "1.3.6.1.5.5.7.3.9": "OCSPSigning",
    "1.3.6.1.5.5.7.3.13": "eapOverPPP",
    "1.3.6.1.5.5.7.3.14": "eapOverLAN",
    "1.3.6.1.5.5.7.3.20": "sipDomain",
    "2.5.29.37.0": "anyExtendedKeyUsage",
}
"""RFC 5280 §4.2.1.12; RFC 5924 for SIP; else the dotted identifier is shown."""

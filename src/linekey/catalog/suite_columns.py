"""The cipher suites that the matrix's columns can mean, in an order of preference.

The matrix names no suites, only columns (key exchange, authentication, cipher, key
length, mode, MAC). Its words are those of ``openssl ciphers -v`` (Kx, Au, Enc, Mac), so
a row is read as "every suite of OpenSSL 1.0 whose columns are all listed in the row":

- ``DH`` and ``ECDH`` are the ephemeral exchanges, and with authentication ``NULL`` the
  anonymous one; OpenSSL writes static ones as ``DH/RSA`` and ``ECDH/RSA``, which no row
  has. ``SRP`` with ``RSA`` or ``DSS`` are the authenticated SRP suites; plain SRP has
  ``Au=SRP``, which no row has.
- A suite without encryption has no key length and no mode, one with RC4 no mode.
- GCM's MAC column names the hash of its PRF. Camellia is the CBC/SHA-1 kind only:
  OpenSSL 1.0 has no other.
- Export suites (40 bits) are out: no row lists their key length.

The order is that of OpenSSL 1.0.2's default list: by strength (256, 128, 3DES, RC4,
DES, none), in it by key exchange, GCM before CBC, SHA-2 before SHA-1. The reading of
the columns is M, the order L; numbers are the IANA registry's (H).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SuiteColumns:
    """One suite as the matrix's columns would describe it."""

    number: int
    key_exchange: str
    authentication: str
    cipher: str
    bits: int
    """Key length; 0 for NULL."""
    mode: str | None
    """``CBC``, ``GCM``, or None for RC4 and NULL."""
    mac: str


def _rows(text: str, cipher: str, bits: int, mode: str | None) -> list[SuiteColumns]:
    rows = []
    for entry in text.split():
        number, key_exchange, authentication, mac = entry.split("/")
        rows.append(
            SuiteColumns(
                int(number, 16), key_exchange, authentication, cipher, bits, mode, mac
            )
        )
    return rows


_EPHEMERAL_256 = (
    *_rows("c030/ECDH/RSA/SHA384 c02c/ECDH/ECDSA/SHA384", "AES", 256, "GCM"),
    *_rows(
        "c028/ECDH/RSA/SHA384 c024/ECDH/ECDSA/SHA384"
        " c014/ECDH/RSA/SHA1 c00a/ECDH/ECDSA/SHA1"
        " c022/SRP/DSS/SHA1 c021/SRP/RSA/SHA1",
        "AES",
        256,
        "CBC",
    ),
    *_rows("00a3/DH/DSS/SHA384 009f/DH/RSA/SHA384", "AES", 256, "GCM"),
    *_rows(
        "006b/DH/RSA/SHA256 006a/DH/DSS/SHA256 0039/DH/RSA/SHA1 0038/DH/DSS/SHA1",
        "AES",
        256,
        "CBC",
    ),
    *_rows("0088/DH/RSA/SHA1 0087/DH/DSS/SHA1", "Camellia", 256, "CBC"),
    *_rows("00a7/DH/NULL/SHA384", "AES", 256, "GCM"),
    *_rows("006d/DH/NULL/SHA256 003a/DH/NULL/SHA1", "AES", 256, "CBC"),
    *_rows("0089/DH/NULL/SHA1", "Camellia", 256, "CBC"),
    *_rows("c019/ECDH/NULL/SHA1", "AES", 256, "CBC"),
)
_RSA_256 = (
    *_rows("009d/RSA/RSA/SHA384", "AES", 256, "GCM"),
    *_rows("003d/RSA/RSA/SHA256 0035/RSA/RSA/SHA1", "AES", 256, "CBC"),
    *_rows("0084/RSA/RSA/SHA1", "Camellia", 256, "CBC"),
)
_EPHEMERAL_128 = (
    *_rows("c02f/ECDH/RSA/SHA256 c02b/ECDH/ECDSA/SHA256", "AES", 128, "GCM"),
    *_rows(
        "c027/ECDH/RSA/SHA256 c023/ECDH/ECDSA/SHA256"
        " c013/ECDH/RSA/SHA1 c009/ECDH/ECDSA/SHA1"
        " c01f/SRP/DSS/SHA1 c01e/SRP/RSA/SHA1",
        "AES",
        128,
        "CBC",
    ),
    *_rows("00a2/DH/DSS/SHA256 009e/DH/RSA/SHA256", "AES", 128, "GCM"),
    *_rows(
        "0067/DH/RSA/SHA256 0040/DH/DSS/SHA256 0033/DH/RSA/SHA1 0032/DH/DSS/SHA1",
        "AES",
        128,
        "CBC",
    ),
    *_rows("0045/DH/RSA/SHA1 0044/DH/DSS/SHA1", "Camellia", 128, "CBC"),
    *_rows("00a6/DH/NULL/SHA256", "AES", 128, "GCM"),
    *_rows("006c/DH/NULL/SHA256 0034/DH/NULL/SHA1", "AES", 128, "CBC"),
    *_rows("0046/DH/NULL/SHA1", "Camellia", 128, "CBC"),
    *_rows("c018/ECDH/NULL/SHA1", "AES", 128, "CBC"),
)
_RSA_128 = (
    *_rows("009c/RSA/RSA/SHA256", "AES", 128, "GCM"),
    *_rows("003c/RSA/RSA/SHA256 002f/RSA/RSA/SHA1", "AES", 128, "CBC"),
    *_rows("0041/RSA/RSA/SHA1", "Camellia", 128, "CBC"),
)
_WEAK = (
    *_rows(
        "c012/ECDH/RSA/SHA1 c008/ECDH/ECDSA/SHA1 c01c/SRP/DSS/SHA1 c01b/SRP/RSA/SHA1"
        " 0016/DH/RSA/SHA1 0013/DH/DSS/SHA1 001b/DH/NULL/SHA1 c017/ECDH/NULL/SHA1"
        " 000a/RSA/RSA/SHA1",
        "3DES",
        168,
        "CBC",
    ),
    *_rows(
        "c011/ECDH/RSA/SHA1 c007/ECDH/ECDSA/SHA1 0018/DH/NULL/MD5 c016/ECDH/NULL/SHA1"
        " 0005/RSA/RSA/SHA1 0004/RSA/RSA/MD5",
        "RC4",
        128,
        None,
    ),
    *_rows(
        "0015/DH/RSA/SHA1 0012/DH/DSS/SHA1 001a/DH/NULL/SHA1 0009/RSA/RSA/SHA1",
        "DES",
        56,
        "CBC",
    ),
    *_rows(
        "c010/ECDH/RSA/SHA1 c006/ECDH/ECDSA/SHA1 c015/ECDH/NULL/SHA1"
        " 003b/RSA/RSA/SHA256 0002/RSA/RSA/SHA1 0001/RSA/RSA/MD5",
        "NULL",
        0,
        None,
    ),
)

PREFERENCE: tuple[SuiteColumns, ...] = (
    *_EPHEMERAL_256,
    *_RSA_256,
    *_EPHEMERAL_128,
    *_RSA_128,
    *_WEAK,
)
"""Every suite a row could mean, best first."""

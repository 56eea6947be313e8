"""OpenSSL's X509_V_ERR numbers, their names, and what each means in a sentence's half.

The numbers are those of x509_vfy.h from OpenSSL 3.0 on. Data and one look-up.
"""

from typing import NamedTuple

OK = 0
UNSPECIFIED = 1
UNABLE_TO_GET_ISSUER_CERT = 2
UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY = 6
CERT_SIGNATURE_FAILURE = 7
CERT_NOT_YET_VALID = 9
CERT_HAS_EXPIRED = 10
DEPTH_ZERO_SELF_SIGNED_CERT = 18
SELF_SIGNED_CERT_IN_CHAIN = 19
UNABLE_TO_GET_ISSUER_CERT_LOCALLY = 20
UNABLE_TO_VERIFY_LEAF_SIGNATURE = 21
ERROR_IN_CERT_NOT_BEFORE_FIELD = 13
PATH_LENGTH_EXCEEDED = 25
INVALID_PURPOSE = 26
UNHANDLED_CRITICAL_EXTENSION = 34
INVALID_CA = 79

TRUST_ERRORS = frozenset(
    {
        UNABLE_TO_GET_ISSUER_CERT,
        DEPTH_ZERO_SELF_SIGNED_CERT,
        SELF_SIGNED_CERT_IN_CHAIN,
        UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        UNABLE_TO_VERIFY_LEAF_SIGNATURE,
    }
)
"""No path to an authority that is trusted."""

TIME_ERRORS = frozenset({CERT_NOT_YET_VALID, CERT_HAS_EXPIRED})


class VerifyError(NamedTuple):
    """One number: its constant without X509_V_ERR, what it means, the alert for it.

    ``alert`` is the number of RFC 8446 §6 that OpenSSL's ``ssl_x509err2alert`` has for
    it; certificate_unknown where that names none.
    """

    name: str
    text: str
    alert: int = 46


_E = VerifyError

ERRORS: dict[int, VerifyError] = {
    1: _E("UNSPECIFIED", "the certificate cannot be used"),
    2: _E("UNABLE_TO_GET_ISSUER_CERT", "its issuer's certificate is missing", 48),
    3: _E("UNABLE_TO_GET_CRL", "its revocation list is missing"),
    4: _E("UNABLE_TO_DECRYPT_CERT_SIGNATURE", "its signature cannot be opened", 42),
    5: _E("UNABLE_TO_DECRYPT_CRL_SIGNATURE", "the CRL's signature cannot be opened"),
    6: _E("UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY", "its issuer's key cannot be read", 42),
    7: _E("CERT_SIGNATURE_FAILURE", "its issuer's key did not sign it", 51),
    8: _E("CRL_SIGNATURE_FAILURE", "the CRL is not signed by its issuer"),
    9: _E("CERT_NOT_YET_VALID", "it is not valid yet", 42),
    10: _E("CERT_HAS_EXPIRED", "it has expired", 45),
    11: _E("CRL_NOT_YET_VALID", "the CRL is not valid yet"),
    12: _E("CRL_HAS_EXPIRED", "the CRL has expired"),
    13: _E("ERROR_IN_CERT_NOT_BEFORE_FIELD", "its notBefore is no date", 42),
    14: _E("ERROR_IN_CERT_NOT_AFTER_FIELD", "its notAfter is no date", 42),
    15: _E("ERROR_IN_CRL_LAST_UPDATE_FIELD", "the CRL's thisUpdate is no date"),
    16: _E("ERROR_IN_CRL_NEXT_UPDATE_FIELD", "the CRL's nextUpdate is no date"),
    17: _E("OUT_OF_MEM", "memory ran out"),
    18: _E("DEPTH_ZERO_SELF_SIGNED_CERT", "it is self-signed and not trusted", 48),
    19: _E(
        "SELF_SIGNED_CERT_IN_CHAIN", "the path ends in a root that is not trusted", 48
    ),
    20: _E("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "its issuer is not known", 48),
    21: _E("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "nothing at hand can have signed it", 48),
    22: _E("CERT_CHAIN_TOO_LONG", "the path is too long", 48),
    23: _E("CERT_REVOKED", "it is revoked", 44),
    24: _E("NO_ISSUER_PUBLIC_KEY", "its issuer has no usable key"),
    25: _E(
        "PATH_LENGTH_EXCEEDED", "more authorities stand below it than it allows", 48
    ),
    26: _E("INVALID_PURPOSE", "it was not issued for this use", 43),
    27: _E("CERT_UNTRUSTED", "it is not trusted for this use", 42),
    28: _E("CERT_REJECTED", "it is marked as rejected", 42),
    29: _E("SUBJECT_ISSUER_MISMATCH", "its issuer has another name"),
    30: _E("AKID_SKID_MISMATCH", "its issuer has another key identifier"),
    31: _E("AKID_ISSUER_SERIAL_MISMATCH", "its issuer has another serial number"),
    32: _E("KEYUSAGE_NO_CERTSIGN", "its key must not sign certificates"),
    33: _E("UNABLE_TO_GET_CRL_ISSUER", "the CRL's issuer is missing"),
    34: _E("UNHANDLED_CRITICAL_EXTENSION", "an unknown extension is critical"),
    35: _E("KEYUSAGE_NO_CRL_SIGN", "its key must not sign CRLs"),
    36: _E("UNHANDLED_CRITICAL_CRL_EXTENSION", "an unknown CRL extension is critical"),
    37: _E("INVALID_NON_CA", "it is an authority where none may be"),
    38: _E("PROXY_PATH_LENGTH_EXCEEDED", "too many proxy certificates"),
    39: _E("KEYUSAGE_NO_DIGITAL_SIGNATURE", "its key must not sign"),
    40: _E("PROXY_CERTIFICATES_NOT_ALLOWED", "proxy certificates are not allowed"),
    41: _E("INVALID_EXTENSION", "an extension cannot be read"),
    42: _E("INVALID_POLICY_EXTENSION", "a policy extension cannot be read"),
    43: _E("NO_EXPLICIT_POLICY", "no policy is left"),
    44: _E("DIFFERENT_CRL_SCOPE", "the CRL is for other certificates"),
    45: _E("UNSUPPORTED_EXTENSION_FEATURE", "an extension asks for the unknown"),
    46: _E("UNNESTED_RESOURCE", "it names addresses its issuer must not give"),
    47: _E("PERMITTED_VIOLATION", "its name is outside what its issuer may name"),
    48: _E("EXCLUDED_VIOLATION", "its name is one its issuer must not name"),
    49: _E("SUBTREE_MINMAX", "a name constraint has bounds"),
    50: _E("APPLICATION_VERIFICATION", "the application refused it", 40),
    51: _E("UNSUPPORTED_CONSTRAINT_TYPE", "a name constraint of an unknown type"),
    52: _E("UNSUPPORTED_CONSTRAINT_SYNTAX", "a name constraint cannot be read"),
    53: _E("UNSUPPORTED_NAME_SYNTAX", "a name cannot be compared"),
    54: _E("CRL_PATH_VALIDATION_ERROR", "the CRL's own path does not hold"),
    55: _E("PATH_LOOP", "the path runs in a circle"),
    62: _E("HOSTNAME_MISMATCH", "it is for another host", 42),
    63: _E("EMAIL_MISMATCH", "it is for another e-mail address"),
    64: _E("IP_ADDRESS_MISMATCH", "it is for another IP address", 42),
    66: _E("EE_KEY_TOO_SMALL", "its key is too small", 42),
    67: _E("CA_KEY_TOO_SMALL", "an authority's key is too small", 42),
    68: _E("CA_MD_TOO_WEAK", "an authority's signature hash is too weak", 42),
    69: _E("INVALID_CALL", "the proof was asked for wrongly"),
    70: _E("STORE_LOOKUP", "the store of authorities cannot be searched"),
    76: _E("UNSUPPORTED_SIGNATURE_ALGORITHM", "its signature algorithm is unknown"),
    77: _E(
        "SIGNATURE_ALGORITHM_MISMATCH", "its signature does not fit the issuer's key"
    ),
    78: _E("SIGNATURE_ALGORITHM_INCONSISTENCY", "its two signature algorithms differ"),
    79: _E("INVALID_CA", "it is no authority, yet stands as an issuer", 48),
    80: _E("PATHLEN_INVALID_FOR_NON_CA", "a path length without being an authority"),
    94: _E("EC_KEY_EXPLICIT_PARAMS", "its EC key has parameters of its own"),
}


def error_name(code: int) -> str:
    """OpenSSL's constant, such as ``X509_V_ERR_CERT_HAS_EXPIRED``."""
    known = ERRORS.get(code)
    return f"X509_V_ERR_{known.name}" if known else f"X509_V_ERR_{code}"


def error_text(code: int) -> str:
    """What it means, a lower-case clause about the certificate ("it has expired")."""
    known = ERRORS.get(code)
    return known.text if known else f"OpenSSL refuses it with number {code}"


def alert_number(code: int) -> int:
    """The alert that OpenSSL sends for it."""
    known = ERRORS.get(code)
    return 46 if known is None else known.alert

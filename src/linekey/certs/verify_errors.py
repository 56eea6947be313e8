"""OpenSSL's X509_V_ERR numbers, their names, and what each means in a sentence's half.

The numbers are those of x509_vfy.h from OpenSSL 3.0 on. Data and one look-up.
"""

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

ERRORS: dict[int, tuple[str, str]] = {
    1: ("UNSPECIFIED", "the certificate cannot be used"),
    2: ("UNABLE_TO_GET_ISSUER_CERT", "its issuer's certificate is missing"),
    3: ("UNABLE_TO_GET_CRL", "its revocation list is missing"),
    4: ("UNABLE_TO_DECRYPT_CERT_SIGNATURE", "its signature cannot be opened"),
    5: ("UNABLE_TO_DECRYPT_CRL_SIGNATURE", "the CRL's signature cannot be opened"),
    6: ("UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY", "its issuer's key cannot be read"),
    7: ("CERT_SIGNATURE_FAILURE", "its issuer's key did not sign it"),
    8: ("CRL_SIGNATURE_FAILURE", "the CRL is not signed by its issuer"),
    9: ("CERT_NOT_YET_VALID", "it is not valid yet"),
    10: ("CERT_HAS_EXPIRED", "it has expired"),
    11: ("CRL_NOT_YET_VALID", "the CRL is not valid yet"),
    12: ("CRL_HAS_EXPIRED", "the CRL has expired"),
    13: ("ERROR_IN_CERT_NOT_BEFORE_FIELD", "its notBefore is no date"),
    14: ("ERROR_IN_CERT_NOT_AFTER_FIELD", "its notAfter is no date"),
    15: ("ERROR_IN_CRL_LAST_UPDATE_FIELD", "the CRL's thisUpdate is no date"),
    16: ("ERROR_IN_CRL_NEXT_UPDATE_FIELD", "the CRL's nextUpdate is no date"),
    17: ("OUT_OF_MEM", "memory ran out"),
    18: ("DEPTH_ZERO_SELF_SIGNED_CERT", "it is self-signed and not trusted"),
    19: ("SELF_SIGNED_CERT_IN_CHAIN", "the path ends in a root that is not trusted"),
    20: ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "its issuer is not known"),
    21: ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "nothing at hand can have signed it"),
    22: ("CERT_CHAIN_TOO_LONG", "the path is too long"),
    23: ("CERT_REVOKED", "it is revoked"),
    24: ("NO_ISSUER_PUBLIC_KEY", "its issuer has no usable key"),
    25: ("PATH_LENGTH_EXCEEDED", "more authorities stand below it than it allows"),
    26: ("INVALID_PURPOSE", "it was not issued for this use"),
    27: ("CERT_UNTRUSTED", "it is not trusted for this use"),
    28: ("CERT_REJECTED", "it is marked as rejected"),
    29: ("SUBJECT_ISSUER_MISMATCH", "its issuer has another name"),
    30: ("AKID_SKID_MISMATCH", "its issuer has another key identifier"),
    31: ("AKID_ISSUER_SERIAL_MISMATCH", "its issuer has another serial number"),
    32: ("KEYUSAGE_NO_CERTSIGN", "its key must not sign certificates"),
    33: ("UNABLE_TO_GET_CRL_ISSUER", "the CRL's issuer is missing"),
    34: ("UNHANDLED_CRITICAL_EXTENSION", "an unknown extension is critical"),
    35: ("KEYUSAGE_NO_CRL_SIGN", "its key must not sign CRLs"),
    36: ("UNHANDLED_CRITICAL_CRL_EXTENSION", "an unknown CRL extension is critical"),
    37: ("INVALID_NON_CA", "it is an authority where none may be"),
    38: ("PROXY_PATH_LENGTH_EXCEEDED", "too many proxy certificates"),
    39: ("KEYUSAGE_NO_DIGITAL_SIGNATURE", "its key must not sign"),
    40: ("PROXY_CERTIFICATES_NOT_ALLOWED", "proxy certificates are not allowed"),
    41: ("INVALID_EXTENSION", "an extension cannot be read"),
    42: ("INVALID_POLICY_EXTENSION", "a policy extension cannot be read"),
    43: ("NO_EXPLICIT_POLICY", "no policy is left"),
    44: ("DIFFERENT_CRL_SCOPE", "the CRL is for other certificates"),
    45: ("UNSUPPORTED_EXTENSION_FEATURE", "an extension asks for the unknown"),
    46: ("UNNESTED_RESOURCE", "it names addresses its issuer must not give"),
    47: ("PERMITTED_VIOLATION", "its name is outside what its issuer may name"),
    48: ("EXCLUDED_VIOLATION", "its name is one its issuer must not name"),
    49: ("SUBTREE_MINMAX", "a name constraint has bounds"),
    50: ("APPLICATION_VERIFICATION", "the application refused it"),
    51: ("UNSUPPORTED_CONSTRAINT_TYPE", "a name constraint of an unknown type"),
    52: ("UNSUPPORTED_CONSTRAINT_SYNTAX", "a name constraint cannot be read"),
    53: ("UNSUPPORTED_NAME_SYNTAX", "a name cannot be compared"),
    54: ("CRL_PATH_VALIDATION_ERROR", "the CRL's own path does not hold"),
    55: ("PATH_LOOP", "the path runs in a circle"),
    62: ("HOSTNAME_MISMATCH", "it is for another host"),
    63: ("EMAIL_MISMATCH", "it is for another e-mail address"),
    64: ("IP_ADDRESS_MISMATCH", "it is for another IP address"),
    66: ("EE_KEY_TOO_SMALL", "its key is too small"),
    67: ("CA_KEY_TOO_SMALL", "an authority's key is too small"),
    68: ("CA_MD_TOO_WEAK", "an authority's signature hash is too weak"),
    69: ("INVALID_CALL", "the proof was asked for wrongly"),
    70: ("STORE_LOOKUP", "the store of authorities cannot be searched"),
    76: ("UNSUPPORTED_SIGNATURE_ALGORITHM", "its signature algorithm is unknown"),
    77: ("SIGNATURE_ALGORITHM_MISMATCH", "its signature does not fit the issuer's key"),
    78: ("SIGNATURE_ALGORITHM_INCONSISTENCY", "its two signature algorithms differ"),
    79: ("INVALID_CA", "it is no authority, yet stands as an issuer"),
    80: ("PATHLEN_INVALID_FOR_NON_CA", "a path length without being an authority"),
    94: ("EC_KEY_EXPLICIT_PARAMS", "its EC key has parameters of its own"),
}


def error_name(code: int) -> str:
    """OpenSSL's constant, such as ``X509_V_ERR_CERT_HAS_EXPIRED``."""
    known = ERRORS.get(code)
    return f"X509_V_ERR_{known[0]}" if known else f"X509_V_ERR_{code}"


def error_text(code: int) -> str:
    """What it means, a lower-case clause about the certificate ("it has expired")."""
    known = ERRORS.get(code)
    return known[1] if known else f"OpenSSL refuses it with number {code}"

"""A certificate in words, laid out as the phone's *Certificates* page does.

The fields, their order and their spelling are those of SNOM-TLS's example (section
"Adding Unknown Certificates", H): subject, version, serial number, signature algorithm
and signature, issuer, validity, SHA-1 and MD5 fingerprints, key algorithm, modulus and
exponent. What SNOM-TLS does not show (EC keys) is laid out alike (L).
"""

from linekey.certs.certificate import Certificate

_SHOWN = 80
"""Hex digits of a signature or modulus before the dots (SNOM-TLS's example)."""


def describe(certificate: Certificate) -> list[tuple[str, str]]:
    """Label and text of each line below the subject; times are UTC."""
    key = certificate.key
    lines = [
        ("Version", f"{certificate.version} (0x{certificate.version - 1:04x})"),
        ("Serial Number", _even(f"{certificate.serial:x}")),
        ("Signature Algorithm", certificate.signature_algorithm),
        ("Signature", _cut(certificate.signature.hex())),
        ("Issuer", str(certificate.issuer)),
        (
            "Validity",
            f"{certificate.not_before:%d.%m.%Y %H:%M:%S} - "
            f"{certificate.not_after:%d.%m.%Y %H:%M:%S}",
        ),
        ("SHA1-Fingerprint", certificate.sha1),
        ("MD5-Fingerprint", certificate.md5),
    ]
    if key.kind == "rsa" and key.modulus is not None and key.exponent is not None:
        modulus = f"{key.modulus:X}"
        modulus = "0" * (len(modulus) % 2) + modulus
        sign = "00" if int(modulus[:2], 16) >= 0x80 else ""  # DER's leading zero
        return [
            *lines,
            ("PK Algorithm", "rsaEncryption"),
            ("RSA modulus", _cut(sign + modulus)),
            ("RSA exponent", f"{key.exponent} (0x{_even(f'{key.exponent:x}', odd=5)})"),
        ]
    return [
        *lines,
        ("PK Algorithm", {"ec": "id-ecPublicKey"}.get(key.kind, key.kind)),
        ("Key", key.text),
    ]


def _cut(digits: str) -> str:
    return digits if len(digits) <= _SHOWN else digits[:_SHOWN] + "..."


def _even(digits: str, odd: int = 0) -> str:
    """Pad to whole bytes; OpenSSL prints 65537 as 0x10001, so ``odd`` digits stay."""
    if digits.startswith("-") or len(digits) == odd:
        return digits
    return "0" * (len(digits) % 2) + digits

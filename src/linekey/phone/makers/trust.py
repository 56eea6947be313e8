"""What a maker's file says of trust: verification, names, which CAs count, which CAs.

Data by maker, read off the same settings that ``makers`` writes (each row has its
source there). What comes out is in the phone's own words: Snom's names for the two
switches, ``any.trust.ca_set`` for which CAs count (``builtin``, ``custom``, ``all``).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from linekey.makers.grammar import Line
from linekey.phone.document import CertificateLine, SettingLine
from linekey.phone.state import CA_SET


class Says(StrEnum):
    """What a setting of trust is about."""

    VERIFY = "tls_server_authentication"
    NAME = "check_fqdn_against_server_cert"
    CAS = CA_SET
    PEM = "pem"
    URL = "url"
    MIN_TLS = "any.trust.min_tls"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting: its name as an expression, and what its values mean.

    ``values`` is empty where the value itself is what is meant. A value that is not
    among them means nothing, and the phone's default stays.
    """

    pattern: str
    says: Says
    values: Mapping[str, str] = field(default_factory=dict)


_SWITCH: Final = {"1": "on", "0": "off", "yes": "on", "no": "off"}
_CAS: Final = {
    "0": "builtin", "1": "custom", "2": "all", "default certificates": "builtin",
    "custom certificates": "custom", "all certificates": "all",
}  # fmt: skip

ROWS: Final[Mapping[str, tuple[Row, ...]]] = {
    "yealink": (
        Row(r"(?:static\.)?security\.trust_certificates", Says.VERIFY, _SWITCH),
        Row(r"(?:static\.)?security\.cn_validation", Says.NAME, _SWITCH),
        Row(r"(?:static\.)?security\.ca_cert", Says.CAS, _CAS),
        Row(r"(?:static\.)?trusted_certificates\.url", Says.URL),
        Row(r"(?:static\.)?security\.default_ssl_method", Says.MIN_TLS,
            {"0": "1.0", "3": "", "4": "1.1", "5": "1.2"}),
    ),
    "poly": (
        Row(r"device\.sec\.TLS\.prov\.strictCertCommonNameValidation", Says.NAME,
            _SWITCH),
        Row(r"device\.sec\.TLS\.customCaCert\d|sec\.TLS\.customCaCert\.\d", Says.PEM),
        Row(r"device\.sec\.TLS\.protocol\.prov", Says.MIN_TLS,
            {"tlsv1_0": "1.0", "tlsv1_1": "1.1", "tlsv1_2": "1.2"}),
    ),
    "grandstream": (
        Row(r"P8463|security\.validate\.serverCertificate", Says.VERIFY, _SWITCH),
        Row(r"P22030|provisioning\.validateHostnameInCertificate", Says.NAME, _SWITCH),
        Row(r"P8502|trustedCACertificates\.load", Says.CAS, _CAS),
        Row(r"P843[3-8]|trustedCACertificates\.trustedCACertificate\.[1-6]", Says.PEM),
        Row(r"P22293|security\.minimum\.TLS\.version", Says.MIN_TLS,
            {"10": "1.0", "11": "1.1", "12": "1.2", "tls_1_2": "1.2", "99": "",
             "unlimited": ""}),
    ),
}  # fmt: skip
_COMPILED: Final = {
    maker: tuple(
        (re.compile(row.pattern, re.ASCII | re.IGNORECASE), row) for row in rows
    )
    for maker, rows in ROWS.items()
}


@dataclass(frozen=True, slots=True)
class Trust:
    """What a file says of trust."""

    settings: tuple[SettingLine, ...] = ()
    certificates: tuple[CertificateLine, ...] = ()


def read_trust(maker: str, lines: Iterable[Line]) -> Trust:
    """Read the settings of trust among a file's lines."""
    settings: list[SettingLine] = []
    certificates: list[CertificateLine] = []
    for line in lines:
        row = next(
            (r for p, r in _COMPILED.get(maker, ()) if p.fullmatch(line.name)), None
        )
        value = line.value.strip()
        if row is None or not value:
            continue
        if row.says is Says.PEM:
            certificates.append(CertificateLine(line.number, text=value))
        elif row.says is Says.URL:
            certificates.append(CertificateLine(line.number, url=value))
        elif (meant := row.values.get(value.lower())) is not None:
            settings.append(SettingLine(row.says.value, meant, None, ""))
    return Trust(tuple(settings), tuple(certificates))

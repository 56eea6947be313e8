"""What a certificate is good for: to linekey, and to a server that asks OpenSSL.

The how-to pages of nginx, HAProxy and Apache show the table; tests/live makes each of
these certificates and holds every word against the real programs.
"""

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["accepted", "accepted, noted", "refused"]


@dataclass(frozen=True, slots=True)
class PurposeRow:
    """One kind of certificate. Without its fields it says nothing of purposes."""

    what: str
    linekey: Verdict
    reason: str
    """Name of linekey's reason for a refusal; empty if it accepts."""
    proxies: bool
    """Whether nginx, HAProxy and Apache take it; they ask OpenSSL, so they agree."""
    extended_key_usage: tuple[str, ...] = ()
    key_usage: tuple[str, ...] = ()
    netscape_cert_type: bytes = b""
    """DER of the extension's value."""
    of_authority: bool = False
    """Whether it is the issuing authority that says so, and the leaf says nothing."""


def _eku(*names: str, refused: bool = True, proxies: bool = False) -> PurposeRow:
    return PurposeRow(
        f"extendedKeyUsage {', '.join(names)}",
        "refused" if refused else "accepted",
        "purpose_not_allowed" if refused else "",
        proxies,
        extended_key_usage=names,
    )


ROWS: tuple[PurposeRow, ...] = (
    PurposeRow("none of the three", "accepted", "", True),
    _eku("clientAuth", refused=False, proxies=True),
    _eku("anyExtendedKeyUsage", refused=False),
    PurposeRow(
        "extendedKeyUsage serverAuth", "accepted, noted", "", False,
        extended_key_usage=("serverAuth",),
    ),
    _eku("codeSigning"),
    _eku("emailProtection"),
    _eku("OCSPSigning"),
    _eku("timeStamping"),
    PurposeRow(
        "keyUsage digitalSignature", "accepted", "", True,
        key_usage=("digitalSignature",),
    ),
    PurposeRow(
        "keyUsage keyEncipherment", "refused", "key_usage_not_allowed", False,
        key_usage=("keyEncipherment",),
    ),
    PurposeRow(
        "keyUsage keyAgreement", "refused", "key_usage_not_allowed", True,
        key_usage=("keyAgreement",),
    ),
    PurposeRow(
        "nsCertType client", "accepted", "", True,
        netscape_cert_type=bytes.fromhex("03020780"),
    ),
    PurposeRow(
        "nsCertType server", "accepted, noted", "", False,
        netscape_cert_type=bytes.fromhex("03020640"),
    ),
    PurposeRow(
        "its authority: extendedKeyUsage serverAuth", "accepted, noted", "", False,
        extended_key_usage=("serverAuth",), of_authority=True,
    ),
    PurposeRow(
        "its authority: extendedKeyUsage codeSigning", "refused", "purpose_not_allowed",
        False, extended_key_usage=("codeSigning",), of_authority=True,
    ),
)  # fmt: skip


def purpose_table(peer: str) -> str:
    """The table in Markdown, for the page of ``peer``."""
    lines = [f"| the certificate has | linekey | {peer} |", "|---|---|---|"]
    for row in ROWS:
        said = f"{row.linekey} (`{row.reason}`)" if row.reason else row.linekey
        lines.append(
            f"| {row.what} | {said} | {'accepted' if row.proxies else 'refused'} |"
        )
    return "\n".join(lines)

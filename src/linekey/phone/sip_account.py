"""A phone's SIP account, read from its settings.

Rules (facts/snom.md §3, H): ``user_outbound`` is ``host:5061;transport=tls``; without
it the registrar ``user_host`` is called. RFC 3261 §19.1: the default port of SIP over
TLS is 5061; ``sips:`` means TLS. The name that the certificate must carry is the
outbound proxy, else the registrar (vendor, from 10.1.63.0, H; RFC 5922 §4; for older
firmware the same reading, L). What is copied into messages has no control character:
a line break in a setting would be a header of its own.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from linekey.digits import digits_of
from linekey.errors import InputError

_OUTBOUND = re.compile(
    r"(?:(?P<scheme>sips?):)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:;\s\[\]/@\x00-\x1f\x7f-\x9f]+)"
    r"(?::(?P<port>\d{1,5}))?"
    r"(?P<parameters>(?:;[^\s;]*)*)",
    re.ASCII,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MAX_EXPIRY_S = 2**31 - 1
DEFAULT_EXPIRY_S = 3600
"""``user_expiry``'s default (vendor, M)."""


@dataclass(frozen=True, slots=True)
class SipAccount:
    """One line of a phone."""

    index: int
    user: str
    registrar: str
    """The domain: Request-URI, From and To."""
    host: str
    """What is connected to, and what the certificate must name."""
    port: int
    tls: bool
    password: str = field(default="", repr=False)
    auth_user: str = ""
    display_name: str = ""
    expires_s: int = DEFAULT_EXPIRY_S

    @property
    def address(self) -> str:
        """The address of record, ``sip:user@domain``."""
        return f"sip:{self.user}@{self.registrar}"


def read_account(
    index: int, setting: Callable[[str, int], str | None]
) -> SipAccount | None:
    """Read account ``index`` (from 1); None where the phone has none.

    ``setting`` looks up a setting by name and idx. Raises InputError for an outbound
    proxy that cannot be read, and for control characters in what messages carry.
    """

    def value(name: str) -> str:
        return (setting(name, index) or "").strip()

    user, registrar = value("user_name"), value("user_host")
    if not user or not registrar or value("user_active").lower() == "off":
        return None
    for name in ("user_name", "user_host", "user_pname", "user_realname"):
        if _CONTROL.search(value(name)):
            raise InputError(
                f"{name}{index} has control characters: {value(name)[:80]!r}",
                hint="write it in one line, without line breaks, tabs and NUL",
            )
    outbound = value("user_outbound") or registrar
    match = _OUTBOUND.fullmatch(outbound)
    port = digits_of(match["port"], 65536) if match and match["port"] else None
    if match is None or port in (0, 65536):
        raise InputError(
            f"user_outbound{index} cannot be read: {_without_login(outbound)!r}",
            hint="write host:5061;transport=tls, without user and password (they go"
            " into user_name and user_pass), blanks and control characters",
        )
    parameters = (match["parameters"] or "").lower().split(";")
    tls = match["scheme"] == "sips" or "transport=tls" in parameters
    return SipAccount(
        index=index,
        user=user,
        registrar=registrar,
        host=match["host"].strip("[]"),
        port=port or (5061 if tls else 5060),
        tls=tls,
        password=setting("user_pass", index) or "",
        auth_user=value("user_pname") or user,
        display_name=value("user_realname"),
        expires_s=digits_of(value("user_expiry"), MAX_EXPIRY_S) or DEFAULT_EXPIRY_S,
    )


def _without_login(outbound: str) -> str:
    """The value as an error may show it: ``sip:user:password@`` is a secret."""
    _, at, rest = outbound.rpartition("@")
    return f"…@{rest}"[:80] if at else outbound[:80]

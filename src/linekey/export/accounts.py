"""SIP accounts for an exported registrar: what the registry says of each active phone.

Only accounts of this registrar are exported: those whose ``user_host``, without port
and parameters, is its name. A password leaves as HA1 = MD5(user:realm:password) and in
no other form (RFC 3261 §22.4; Kamailio 5.6 asks by MD5). An account that two phones
have is neither's: it is left out and named.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from linekey.mac import Mac

_USER = re.compile(r"[A-Za-z0-9._~+!$&'()*,;=?/-]{1,64}")
_HOST = re.compile(r"(?:sips?:)?(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+)", re.I)
LINES = range(1, 17)
"""Identities of a phone (the vendor's phones have 12 at most)."""
NAMES = (
    "user_name", "user_host", "user_pass", "user_pname", "user_active", "user_realname",
)  # fmt: skip
"""The settings that make an account."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account, as a registrar keeps it."""

    user: str
    mac: Mac
    ha1: str = field(repr=False)
    name: str = ""
    """What the phone is called: its label, else the account's display name."""


Settings = Mapping[tuple[str, int | None], str]


def accounts_of(
    phones: Iterable[tuple[Mac, str, Settings]], realm: str
) -> tuple[tuple[Account, ...], tuple[str, ...]]:
    """Return the accounts of ``phones`` (MAC, label, settings), and what is left out.

    ``realm`` is the registrar's name.
    """
    found: dict[str, list[Account]] = {}
    elsewhere = 0
    odd: list[str] = []
    for mac, label, settings in phones:
        for line in LINES:
            if not settings.get(("user_name", line), "").strip():
                continue
            account, problem = _account(mac, label, line, settings, realm)
            if account is not None:
                found.setdefault(account.user, []).append(account)
            elif problem:
                odd.append(f"{mac}: {problem}")
            else:
                elsewhere += 1
    for user, several in found.items():
        if len(several) > 1:
            phones_of = ", ".join(str(one.mac) for one in several[:4])
            odd.append(f"the account {user!r} is on several phones: {phones_of}")
    notes = [f"accounts left out: {text}" for text in odd[:8]]
    if len(odd) > len(notes):
        notes.append(f"accounts left out: {len(odd) - len(notes)} more")
    if elsewhere:
        notes.append(f"{elsewhere:,} accounts have another registrar than {realm}")
    single = [several[0] for several in found.values() if len(several) == 1]
    return tuple(sorted(single, key=lambda a: a.user)), tuple(notes)


def _account(
    mac: Mac, label: str, line: int, settings: Settings, realm: str
) -> tuple[Account | None, str]:
    """One line's account, or why it cannot be one; neither: it is another registrar's,
    or switched off."""

    def value(name: str) -> str:
        return settings.get((name, line), "").strip()

    user, password = value("user_name"), settings.get(("user_pass", line), "")
    home = _HOST.match(value("user_host"))
    if (
        home is None
        or home["host"].lower() != realm.lower()
        or value("user_active").lower() == "off"
    ):
        return None, ""
    if value("user_pname") not in ("", user):
        return None, f"user_pname{line} is not user_name{line}"
    if not _USER.fullmatch(user):
        return None, f"user_name{line} has marks that a registrar cannot keep"
    if not password:
        return None, f"user_pass{line} is not set"
    secret = f"{user}:{realm}:{password}".encode()
    ha1 = hashlib.md5(secret, usedforsecurity=False).hexdigest()
    return Account(user, mac, ha1, label or value("user_realname")), ""

"""The registry as a phone book: LDIF for an exported slapd (RFC 2849, RFC 4519).

Each active phone's accounts are entries: the name that others see, the number that they
dial. A number that a telephoneNumber cannot hold (RFC 4517 §3.3.31: PrintableString)
is left out and told. What is equal in both is one entry. No MAC, password or host is in
it.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from linekey.export.accounts import LINES, Settings
from linekey.mac import Mac

BRANCH = "ou=registry,dc=phonebook"
"""Where the registry's entries are: below the operator's own."""
_NUMBER = re.compile(r"[A-Za-z0-9'()+,./:?-]{1,64}", re.ASCII)
_SAFE = re.compile(r"[\x21-\x39\x3b\x3d-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
"""RFC 2849's SAFE-STRING: what else a value is goes in as Base64."""
_CUT = 128
"""Characters of a name that a phone's screen could show, and some more."""


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One number with its name."""

    name: str
    number: str

    def ldif(self) -> str:
        """The entry; its DN is the same whenever name and number are."""
        known = hashlib.sha256(f"{self.name}\0{self.number}".encode()).hexdigest()
        lines = [
            ("dn", f"uid={known[:20]},{BRANCH}"), ("objectClass", "inetOrgPerson"),
            ("uid", known[:20]), ("cn", self.name), ("sn", self.name),
            ("telephoneNumber", self.number),
        ]  # fmt: skip
        return "".join(f"{_line(name, value)}\n" for name, value in lines)


def entries_of(
    phones: Iterable[tuple[Mac, str, Settings]],
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Return the entries of ``phones`` (MAC, label, settings), and what is left out.

    The name is the account's display name, else the phone's label, else the number.
    """
    found: set[Entry] = set()
    odd: list[str] = []
    for mac, label, settings in phones:
        for line in LINES:
            number = settings.get(("user_name", line), "").strip()
            off = settings.get(("user_active", line), "").strip().lower() == "off"
            if not number or off:
                continue
            if not _NUMBER.fullmatch(number):
                odd.append(f"{mac}: {number[:40]!r}")
                continue
            shown = _plain(settings.get(("user_realname", line), "")) or _plain(label)
            found.add(Entry(shown or number, number))
    notes = [f"left out of the phone book, no number of LDAP: {one}" for one in odd[:8]]
    if len(odd) > len(notes):
        notes.append(f"left out of the phone book: {len(odd) - len(notes)} more")
    return tuple(sorted(found)), tuple(notes)


def ldif(entries: Iterable[Entry]) -> str:
    """The whole branch."""
    name = BRANCH.partition(",")[0].partition("=")[2]
    head = f"dn: {BRANCH}\nobjectClass: organizationalUnit\nou: {name}\n"
    return "\n".join([head, *(entry.ldif() for entry in entries)])


def _plain(text: str) -> str:
    """A name of one line, without what no screen shows."""
    kept = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(kept.split())[:_CUT].strip()


def _line(name: str, value: str) -> str:
    if _SAFE.fullmatch(value):
        return f"{name}: {value}"
    return f"{name}:: {base64.b64encode(value.encode()).decode()}"

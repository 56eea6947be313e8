"""The address of a phone, as a value.

A ``Mac`` prints as 12 upper-case hex digits without separators, the form that a
device certificate's CN carries. Two MACs are equal when their digits are; nothing
here looks at what stands around a MAC in a longer text, since a MAC found *inside*
another string proves nothing.
"""

import re
from dataclasses import dataclass
from typing import Self

from linekey.errors import InputError
from linekey.said import say

_BARE = re.compile(r"[0-9A-Fa-f]{12}", re.ASCII)
_SEPARATED = re.compile(
    r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}"
    r"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Mac:
    """A MAC address; ``digits`` is 12 upper-case hex digits."""

    digits: str

    def __post_init__(self) -> None:
        if not _BARE.fullmatch(self.digits) or self.digits != self.digits.upper():
            raise ValueError(f"not 12 upper-case hex digits: {self.digits!r}")

    def __str__(self) -> str:
        return self.digits

    @classmethod
    def from_bare(cls, text: str) -> Self | None:
        """Read exactly 12 hex digits, either case, nothing around them; else None.

        The form in certificates (facts: CN = 12 hex digits, no separators, either
        case) and in file names.
        """
        return cls(text.upper()) if _BARE.fullmatch(text) else None


def is_written_as_mac(text: str) -> bool:
    """Whether a text is a MAC by its form, of a device or not."""
    stripped = text.strip()
    return bool(_BARE.fullmatch(stripped) or _SEPARATED.fullmatch(stripped))


def parse_mac(text: str) -> Mac:
    """Read what an operator types: bare, ``00:04:13:..``, ``00-04-..``, ``0004.13..``.

    Raises InputError for anything else, also for mixed separators, and for an address
    that no device has: zero, broadcast, and groups (IEEE 802-2014 §8.2.2: the lowest
    bit of the first octet).
    """
    bare = _BARE.fullmatch(text) is not None  # nearly all of a table's
    if bare or is_written_as_mac(text):
        digits = text if bare else re.sub(r"[:.-]", "", text.strip())
        mac = Mac(digits.upper())
        if kind := _no_device(mac):
            raise InputError(
                say(
                    "%(mac)s is %(kind)s, and no phone's own",
                    mac=text.strip(),
                    kind=kind,
                ),
                hint=say(
                    "read the MAC address off the phone's label or its status page"
                ),
            )
        return mac
    raise InputError(
        say("not a MAC address: %(text)s", text=repr(text)),
        hint=say("write 12 hex digits, such as 000413AABBCC or 00:04:13:AA:BB:CC"),
    )


def _no_device(mac: Mac) -> str:
    if mac.digits == "0" * 12:
        return "the zero address"
    if mac.digits == "F" * 12:
        return "the broadcast address"
    return "a group's address" if int(mac.digits[:2], 16) & 1 else ""

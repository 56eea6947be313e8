"""Firmware versions as ordered values, and rules that begin with one.

A version is two to five numbers, ``8.4.18`` or ``8.7.3.25.9``; the first two are its
**branch**. Branches live side by side: 8.7.5.52 is older than 8.9.3.40 by number, and
yet has what 8.9.3.40 lacks. So a rule's beginning is a ``Since``: the first version of
each branch that has it.
"""

import re
from dataclasses import dataclass, field
from typing import Self

from linekey.errors import InputError
from linekey.said import say

_FORM = re.compile(
    r"(?:snom[A-Za-z]*\d+[A-Za-z]?-)?[vV]?(\d{1,5}(?:\.\d{1,5}){1,4})"
    r"(?:-SIP(?:-[a-z])?)?(?:\.bin|\.swu)?",
    re.ASCII,
)
_PLACES = 5  # 8.7.3.25.9, in SNOM-TLS's matrix, is the longest seen


@dataclass(frozen=True, slots=True, order=True)
class Firmware:
    """One firmware version; missing places count as 0 (``10.1`` equals ``10.1.0.0``).

    ``numbers`` always has five places; ``text`` is the version as it was written and
    takes no part in comparisons.
    """

    numbers: tuple[int, ...]
    text: str = field(compare=False)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``8.9.3.60``, ``v8.9.3.60`` or a file's name.

        Files are ``snom720-8.9.3.60-SIP-r.bin``, of the D8xx ``….swu``. Raises
        InputError for anything else.
        """
        match = _FORM.fullmatch(text.strip())
        if not match:
            raise InputError(
                say("not a firmware version: %(text)s", text=repr(text)),
                hint=say("write two to five numbers with dots, such as 10.1.33.33"),
            )
        numbers = tuple(int(part) for part in match[1].split("."))
        return cls(numbers + (0,) * (_PLACES - len(numbers)), match[1])

    @property
    def branch(self) -> tuple[int, int]:
        """The first two numbers, ``(8, 9)`` for 8.9.3.60."""
        return self.numbers[0], self.numbers[1]

    def is_at_least(self, since: "Since | Firmware | str") -> bool:
        """Say whether this version has what began with ``since``.

        For a ``Since`` the answer is per branch; for a version (or its text) it is
        plain order.
        """
        if isinstance(since, Since):
            return since.is_reached_by(self)
        return self >= (Firmware.parse(since) if isinstance(since, str) else since)


@dataclass(frozen=True, slots=True)
class Since:
    """The first version of each branch that has something, oldest branch first.

    The last entry speaks for its branch and everything later; every earlier one for
    its own branch alone (SNOM-FILES: 8.7.5.52 speaks for 8.7, 8.9.3.41 for 8.9
    and later). A branch between two entries, such as 8.8 here, is not spoken for and
    counts as not having it: the careful reading (L).
    """

    firsts: tuple[Firmware, ...]

    @classmethod
    def of(cls, *versions: str) -> Self:
        """Build it from version texts, in any order; raises InputError."""
        if not versions:
            raise ValueError("a Since needs at least one version")
        return cls(tuple(sorted(Firmware.parse(version) for version in versions)))

    def __str__(self) -> str:
        return " / ".join(str(first) for first in self.firsts)

    def is_reached_by(self, firmware: Firmware) -> bool:
        """Say whether ``firmware`` has what began here."""
        return firmware >= self.firsts[-1] or any(
            firmware.branch == first.branch and firmware >= first
            for first in self.firsts
        )

"""Text that somebody typed or handed in: which characters nobody can type.

Rule: a control character (Unicode Cc) or half of a surrogate pair (Cs) is refused where
text enters, with its name; such text is no setting (XML 1.0 §2.2 has no way to write
it), no host name and no part of a URL, and it cannot be written down as UTF-8.
"""

from unicodedata import category

from linekey.catalog.known_settings import odd_idx
from linekey.errors import InputError

_LINES = frozenset("\t\n\r")


def untypable(text: str, *, lines: bool = False) -> str:
    """Name the first character that cannot be typed: ``U+0000``; empty if all can.

    ``lines``: tabs and line ends are fine, as in a certificate that somebody pastes.
    """
    if text.isprintable():
        return ""
    odd = (
        c for c in text if category(c) in ("Cc", "Cs") and not (lines and c in _LINES)
    )
    return next((f"U+{ord(c):04X}" for c in odd), "")


def check_idx(name: str, idx: int) -> int:
    """Return ``idx``. Raises InputError where the setting has no such one."""
    if odd := odd_idx(name, idx):
        raise InputError(odd, hint="accounts count from 1, keys from 0")
    return idx


def check_typed(what: str, text: str, *, lines: bool = False) -> str:
    """Return ``text``. Raises InputError, naming ``what``, where it is untypable."""
    if odd := untypable(text, lines=lines):
        raise InputError(
            f"{what} holds the character {odd}, which nobody can type",
            hint="leave control characters out, and write the rest in UTF-8",
        )
    return text

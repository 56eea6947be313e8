"""Text that somebody typed or handed in: which characters nobody can type.

Rule: a control character (Unicode Cc) or half of a surrogate pair (Cs) is refused where
text enters, with its name; such text is no setting (XML 1.0 §2.2 has no way to write
it), no host name and no part of a URL, and it cannot be written down as UTF-8.

``Text``, ``Lines``, ``Number``, ``Index`` and ``Data`` are the types of what a request
to a running phone holds (``phone.requests``): InputError says what is wrong with it.
"""

import base64
import binascii
from typing import Annotated, Any, Final
from unicodedata import category

from pydantic import BeforeValidator, Field, PlainSerializer, Strict, ValidationInfo

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


_MOST_TEXT: Final = 4096
"""Characters of one text; a form's field or a display name."""


def _lines(value: Any, info: ValidationInfo) -> str:
    if not isinstance(value, str):
        raise InputError(f"{info.field_name!r} is no text")
    return check_typed(repr(info.field_name), value, lines=True)


def _text(value: Any, info: ValidationInfo) -> str:
    text = _lines(value, info)
    if len(text) > _MOST_TEXT:
        raise InputError(
            f"{info.field_name!r} has {len(text)} characters; at most {_MOST_TEXT}"
        )
    return check_typed(repr(info.field_name), text)


def _index(value: Any, info: ValidationInfo) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise InputError(f"{info.field_name!r} is no number")


def _number(value: Any, info: ValidationInfo) -> int:
    number = _index(value, info)
    if number is None or number < 0:
        raise InputError(f"{info.field_name!r} is no number")
    return number


def _data(value: Any, info: ValidationInfo) -> bytes:
    try:
        return base64.b64decode(_lines(value, info), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("the request's data is not base64") from None


Lines = Annotated[str, BeforeValidator(_lines)]
"""Text of any length, with line ends: a certificate that somebody pastes."""
Text = Annotated[str, BeforeValidator(_text)]
"""One line, of at most ``_MOST_TEXT`` characters."""
Texts = Annotated[tuple[Text, ...], Field(max_length=100)]
"""One for each field of a form."""
Flag = Annotated[bool, Strict()]
Number = Annotated[int, BeforeValidator(_number)]
"""0 or more."""
Index = Annotated[int | None, BeforeValidator(_index)]
Data = Annotated[
    bytes,
    BeforeValidator(_data),
    PlainSerializer(lambda data: base64.b64encode(data).decode("ascii")),
]
"""A file; base64 on the wire."""

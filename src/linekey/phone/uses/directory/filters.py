r"""An LDAP filter, from the text of RFC 4515 to the bytes of a search.

``write_filter`` reads what stands in a phone's settings, with what was typed put in
already, and writes the Filter of RFC 4511 §4.5.1.

Rules: as RFC 4515 §3 has it, with the empty ``(&)`` and ``(|)`` of RFC 4526; a value's
``*``, ``(``, ``)``, ``\`` and NUL stand as two hexadecimal digits after a ``\``; stars
that follow each other are one, as where nothing was typed into ``*%*`` (OpenLDAP, too,
takes them so); a text that is no filter is an InputError that says where. At most
``MAX_DEPTH`` parts lie within each other.
"""

import re
from typing import Final

from linekey.certs import der
from linekey.errors import InputError

MAX_DEPTH: Final = 50
"""Filters within filters; the vendor's examples have three."""
FILTER_HINT: Final = (
    "write it by RFC 4515, with % for the typed text: (|(cn=%*)(sn=%*))"
)
_AND, _OR, _NOT = 0xA0, 0xA1, 0xA2
_SUBSTRINGS, _PRESENT, _EXTENSIBLE = 0xA4, 0x87, 0xA9
_INITIAL, _ANY, _FINAL = 0x80, 0x81, 0x82
_RULE, _TYPE, _VALUE, _DN = 0x81, 0x82, 0x83, 0x84
_SETS: Final = {"&": _AND, "|": _OR}
_COMPARISONS: Final = {"=": 0xA3, ">=": 0xA5, "<=": 0xA6, "~=": 0xA8}

_OID = r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*)"
_DESCRIPTION = rf"{_OID}(?:;[A-Za-z0-9-]+)*"
"""An attribute description, RFC 4512 §2.5."""
_ITEM: Final = re.compile(rf"({_DESCRIPTION})(=|~=|>=|<=)([^()]*)")
_MATCH: Final = re.compile(rf"({_DESCRIPTION})?(:[dD][nN])?(?::({_OID}))?:=([^()]*)")
_BROKEN_ESCAPE: Final = re.compile(r"\\(?![0-9A-Fa-f]{2})")


def write_filter(text: str) -> bytes:
    """Return the filter's bytes. Raises InputError for what is none."""
    data, stop = _filter(text, 0, 1)
    if stop != len(text):
        raise _wrong("it ends, and more follows", stop)
    return data


def _filter(text: str, at: int, depth: int) -> tuple[bytes, int]:
    """One filter in its brackets at ``at``; its bytes, and where it stops."""
    if depth > MAX_DEPTH:
        raise _wrong(f"more than {MAX_DEPTH} parts lie within each other", at)
    if text[at : at + 1] != "(":
        raise _wrong("an opening bracket is missing", at)
    sign = text[at + 1 : at + 2]
    if sign in _SETS:
        parts, stop = [], at + 2
        while text[stop : stop + 1] == "(":
            part, stop = _filter(text, stop, depth + 1)
            parts.append(part)
        data = der.write(_SETS[sign], *parts)
    elif sign == "!":
        part, stop = _filter(text, at + 2, depth + 1)
        data = der.write(_NOT, part)
    else:
        data, stop = _item(text, at + 1)
    if text[stop : stop + 1] != ")":
        raise _wrong("a closing bracket is missing", stop)
    return data, stop + 1


def _item(text: str, at: int) -> tuple[bytes, int]:
    if (found := _ITEM.match(text, at)) is not None:
        name, sign, value = found.groups()
        stop = found.end()
        if sign == "=" and value and not value.strip("*"):
            return der.write(_PRESENT, name.encode()), stop
        if sign == "=" and "*" in value:
            return _substrings(name, value, found.start(3)), stop
        data = _octets(der.OCTET_STRING, value, found.start(3))
        return der.write(
            _COMPARISONS[sign], der.write(der.OCTET_STRING, name.encode()), data
        ), stop
    found = _MATCH.match(text, at)
    if found is None or not (found[1] or found[3]):
        raise _wrong("an attribute with =, ~=, >=, <= or := is missing", at)
    name, dn, rule, value = found.groups()
    parts = [der.write(_RULE, rule.encode())] if rule else []
    parts += [der.write(_TYPE, name.encode())] if name else []
    parts.append(_octets(_VALUE, value, found.start(4)))
    parts += [der.write(_DN, b"\xff")] if dn else []  # TRUE; FALSE is the default
    return der.write(_EXTENSIBLE, *parts), found.end()


def _substrings(name: str, value: str, at: int) -> bytes:
    """``initial*any*final``, each where it is not empty."""
    pieces, last = [], value.count("*")
    for index, piece in enumerate(value.split("*")):
        if piece:
            tag = {0: _INITIAL, last: _FINAL}.get(index, _ANY)
            pieces.append(_octets(tag, piece, at))
        at += len(piece) + 1
    return der.write(
        _SUBSTRINGS,
        der.write(der.OCTET_STRING, name.encode()),
        der.write(der.SEQUENCE, *pieces),
    )


def _octets(tag: int, value: str, at: int) -> bytes:
    """A value of which the escaped bytes are the bytes meant."""
    if (found := _BROKEN_ESCAPE.search(value)) is not None:
        raise _wrong(
            r"a \ is not followed by two hexadecimal digits", at + found.start()
        )
    for character in "*\0":
        if (place := value.find(character)) >= 0:
            raise _wrong(f"{character!r} is not escaped", at + place)
    first, *rest = value.split("\\")
    pieces = [first.encode()]
    for piece in rest:
        pieces += [bytes.fromhex(piece[:2]), piece[2:].encode()]
    return der.write(tag, *pieces)


def _wrong(why: str, at: int) -> InputError:
    return InputError(
        f"not an LDAP filter: {why} (character {at + 1})", hint=FILTER_HINT
    )

"""The phone's ``ldap_…`` settings, and the filter that a typed text makes of them.

Rules (SNOM-SETTING, H unless said):

- Filters hold ``%`` for what was typed, which is put in once and escaped by RFC 4515
  §3, so that nobody types a filter. Before 10.1.27.0 ``%`` stands for what *begins*
  with it: ``(sn=%)`` with "Love" finds Lovelace; from there on it is the text alone,
  and ``%*`` begins with, ``*%*`` contains (M).
- A text of digits uses ``ldap_number_filter``, any other ``ldap_search_filter`` (L: the
  vendor names the first for callers' numbers); ``ldap_max_hits`` is 50 unless set.
- A user name without a password is refused: servers take such a bind for nobody's and
  call it a success (RFC 4513 §5.1.2). So is an ``ldap_over_tls`` that is neither on nor
  off, which would send the password in plain.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from linekey.digits import digits_of
from linekey.errors import InputError
from linekey.phone.urls import is_host
from linekey.phone.uses.directory.filters import FILTER_HINT, write_filter

MAX_HITS: Final = 50
"""``ldap_max_hits``'s default (SNOM-SETTING, H)."""
MOST_HITS: Final = 1000
"""More than anybody reads on a phone; as many as Active Directory gives at once."""
_MOST_PORT: Final = 65535
_MAX_FILTER: Final = 2000
"""Characters of a filter; the vendor's examples have some 50."""

_EQUALITY = re.compile(r"(?<![~<>:])=[^()]*")
"""Where a * stands for any text; after ~=, >=, <= and := it would be a star (RFC 4515
§3)."""
_BARE = re.compile(r"(?<!\*)%(?!\*)")
_NUMBER = re.compile(r"[+0-9 ()/.-]*[0-9][+0-9 ()/.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    """A phone's ``ldap_…`` settings."""

    host: str
    port: int
    tls: bool
    base: str
    username: str
    """The bind DN; empty binds anonymously."""
    password: str = field(repr=False)
    """Empty exactly where ``username`` is."""
    search_filter: str
    number_filter: str
    name_attributes: tuple[str, ...]
    number_attributes: tuple[str, ...]
    display_name: str
    max_hits: int
    """1 to ``MOST_HITS``."""
    substrings: bool = True
    """``%`` is the typed text alone (10.1.27.0); False: what begins with it."""
    notes: tuple[str, ...] = ()
    """What whoever looks something up should know of these settings."""


def read_directory(
    setting: Callable[[str], str | None], *, substrings: bool = True
) -> DirectorySettings | None:
    """Read the ``ldap_…`` settings; None where no server is set.

    ``substrings`` is the firmware's (``Profile.ldap_substrings``). Raises InputError
    for a host, port, login or filter that cannot be.
    """

    def value(name: str) -> str:
        text = (setting(name) or "").strip()
        if not _is_utf8(text):
            raise InputError(f"{name} is no text", hint="write it in UTF-8")
        return text

    if not value("ldap_server"):
        return None
    notes: list[str] = []
    tls = _switch(value("ldap_over_tls"), "ldap_over_tls")
    username, password = _login(value("ldap_username"), setting("ldap_password"), notes)
    if password and not tls:
        notes.append("ldap_over_tls is off, so ldap_password can be read on the way")
    settings = DirectorySettings(
        host=_host(value("ldap_server")),
        port=_port(value("ldap_port") or ("636" if tls else "389")),
        tls=tls,
        base=value("ldap_base"),
        username=username,
        password=password,
        search_filter=value("ldap_search_filter") or "(|(cn=%*)(sn=%*))",
        number_filter=value("ldap_number_filter") or "(telephoneNumber=%*)",
        name_attributes=tuple(value("ldap_name_attributes").split()) or ("cn", "sn"),
        number_attributes=tuple(value("ldap_number_attributes").split())
        or ("telephoneNumber", "mobile", "homePhone"),
        display_name=value("ldap_display_name") or "%cn",
        max_hits=_hits(value("ldap_max_hits"), notes),
        substrings=substrings,
    )
    for name in ("ldap_search_filter", "ldap_number_filter"):
        template = getattr(settings, name.removeprefix("ldap_"))
        _fill(template, "x", name)
        if substrings and any(map(_BARE.search, _EQUALITY.findall(template))):
            notes.append(
                f"{name} has a bare %: on this firmware it may find whole values only "
                "(nobody says); %* finds what begins so"
            )
    return replace(settings, notes=tuple(notes))


def escape(text: str) -> str:
    r"""Escape a value for a filter: ``* ( ) \`` and NUL by RFC 4515 §3."""
    return "".join(f"\\{ord(c):02x}" if c in "*()\\\x00" else c for c in text)


def filter_for(settings: DirectorySettings, text: str) -> str:
    """The filter that a typed text makes, as RFC 4515 writes it.

    Raises InputError for what makes none.
    """
    if not _is_utf8(text):
        raise InputError("what was typed is no text", hint="type letters or digits")
    if _NUMBER.fullmatch(text.strip()) is not None:
        typed = re.sub(r"[ ()/.-]", "", text)
        template, name = settings.number_filter, "ldap_number_filter"
    else:
        typed = text.strip()
        template, name = settings.search_filter, "ldap_search_filter"
    if not settings.substrings:
        template = _EQUALITY.sub(
            lambda match: match[0].replace("%*", "%").replace("%", "%*"), template
        )
    return _fill(template, typed, name)


def _fill(template: str, typed: str, name: str) -> str:
    """Put ``typed`` in where ``%`` stands; what was put in is not looked at again."""
    if len(template) > _MAX_FILTER:
        raise InputError(
            f"{name} is longer than {_MAX_FILTER} characters", hint=FILTER_HINT
        )
    filled = template.replace("%", escape(typed))
    try:
        write_filter(filled)
    except InputError as error:
        raise InputError(f"{name} is {error.message}", hint=error.hint) from None
    return filled


def _switch(text: str, name: str) -> bool:
    """On or off; what is neither is refused, since off would send a login in plain."""
    word = text.lower()
    if word in ("on", "true", "1", "yes"):
        return True
    if word in ("", "off", "false", "0", "no"):
        return False
    raise InputError(f"{name} cannot be {text[:40]!r}", hint="write on or off")


def _host(text: str) -> str:
    """A name or an address; IPv6 with or without brackets."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if not is_host(bare):
        raise InputError(
            f"ldap_server cannot be {text[:80]!r}",
            hint="write the name or address alone, as ldap.example.com; a port goes"
            " into ldap_port, and TLS into ldap_over_tls",
        )
    return bare


def _port(text: str) -> int:
    port = digits_of(text, _MOST_PORT + 1)
    if port is None or not 0 < port <= _MOST_PORT:
        raise InputError(
            f"ldap_port cannot be {text[:80]!r}",
            hint=f"write a number from 1 to {_MOST_PORT}, as 636",
        )
    return port


def _hits(text: str, notes: list[str]) -> int:
    hits = digits_of(text or str(MAX_HITS), MOST_HITS + 1)
    if not hits:  # LDAP's 0 is "all there are" (RFC 4511 §4.5.1.4): nobody's wish here
        notes.append(
            f"ldap_max_hits cannot be {text[:80]!r}, so {MAX_HITS} holds; write a"
            f" number from 1 to {MOST_HITS}"
        )
        return MAX_HITS
    if hits > MOST_HITS:
        notes.append(f"ldap_max_hits is more than {MOST_HITS}, which holds instead")
    return min(hits, MOST_HITS)


def _login(username: str, password: str | None, notes: list[str]) -> tuple[str, str]:
    if username and not password:
        raise InputError(
            "ldap_username is set, and ldap_password is empty",
            hint="set ldap_password; or, for an anonymous login, empty ldap_username:"
            " servers treat a login without a password as one (RFC 4513 §5.1.2)",
        )
    if not password:
        return "", ""
    if not _is_utf8(password):
        raise InputError("ldap_password is no text", hint="write it in UTF-8")
    if not username:
        notes.append(
            "ldap_password is not sent, since ldap_username is empty: the phone logs in"
            " as nobody"
        )
        return "", ""
    return username, password


def _is_utf8(text: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in text)


def shown(text: str, limit: int = 120) -> str:
    """Somebody else's text as one line of at most ``limit`` printable characters."""
    cleaned = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return cleaned if len(cleaned) <= limit else cleaned[: limit - 1] + "…"

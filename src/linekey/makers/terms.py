"""What every phone needs, whoever made it: the neutral vocabulary.

A term is a setting of a layer whose name begins with ``any.``, so that it is stored,
sealed, listed and put on record as any other setting. ``N`` of an account and ``K`` of
a key are the setting's idx and count from 1. A maker's folder says how each term is
written for its phones (``mapping``); what it cannot say is named, never guessed.

Trust is no term, save for the lowest TLS version: what is rendered always verifies the
server's chain and its name, and carries the CAs that the layers hold.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from linekey.digits import digits_of
from linekey.endpoint import parse_host_port
from linekey.errors import InputError

PREFIX: Final = "any."


class Per(StrEnum):
    """What a term's idx counts."""

    PHONE = "phone"
    """Nothing: it is the whole phone's."""
    ACCOUNT = "account"
    KEY = "key"


class Form(StrEnum):
    """What a value may look like."""

    TEXT = "text"
    HOST = "host"
    """``host`` or ``host:port``; IPv6 with a port in brackets."""
    SECONDS = "seconds"
    NUMBER = "number"
    URL = "url"
    """``http://`` or ``https://`` and a host."""
    LANGUAGE = "language"
    """ISO 639-1: two letters."""


@dataclass(frozen=True, slots=True)
class Term:
    """One row of the vocabulary."""

    name: str
    """``any.account.user``."""
    meaning: str
    per: Per = Per.PHONE
    form: Form = Form.TEXT
    values: tuple[str, ...] = ()
    """The only values there are; empty: any of the form."""
    secret: bool = False

    @property
    def written(self) -> str:
        """As an operator writes it: ``any.account.user[1]``."""
        return self.name if self.per is Per.PHONE else f"{self.name}[1]"

    @property
    def short(self) -> str:
        """Its last part, as ``--account`` has it: ``user``."""
        return self.name.rpartition(".")[2]


def _account(name: str, meaning: str, **more: object) -> Term:
    return Term(f"any.account.{name}", meaning, Per.ACCOUNT, **more)  # type: ignore[arg-type]


def _key(name: str, meaning: str, **more: object) -> Term:
    return Term(f"any.key.{name}", meaning, Per.KEY, **more)  # type: ignore[arg-type]


TRANSPORTS: Final = ("udp", "tcp", "tls")
SRTP: Final = ("off", "optional", "required")
KEY_TYPES: Final = ("none", "line", "speed", "blf", "url")
DIRECTORY: Final = ("ldap", "starttls", "ldaps")
TLS_VERSIONS: Final = ("1.0", "1.1", "1.2", "1.3")

_ROWS: Final = (
    _account("user", "SIP user name, the number of the line"),
    _account("auth_user", "user name for SIP digest, if it is another"),
    _account("password", "password for SIP digest", secret=True),
    _account("display_name", "name that others see"),
    _account("label", "name on the phone's own display"),
    _account("registrar", "registrar, host[:port]", form=Form.HOST),
    _account("outbound", "outbound proxy, host[:port]", form=Form.HOST),
    _account("transport", "SIP transport", values=TRANSPORTS),
    _account("srtp", "encryption of the media", values=SRTP),
    _account("expires", "seconds that a registration lasts", form=Form.SECONDS),
    _key("type", "what the key does", values=KEY_TYPES),
    _key("value", "number, user or URL of the key"),
    _key("label", "text beside the key"),
    _key("account", "account that the key uses, from 1", form=Form.NUMBER),
    Term("any.directory.server", "LDAP server, host[:port]", form=Form.HOST),
    Term("any.directory.base", "LDAP search base"),
    Term("any.directory.user", "DN that the phone binds as"),
    Term("any.directory.password", "its password", secret=True),
    Term("any.directory.transport", "how LDAP is encrypted", values=DIRECTORY),
    Term("any.directory.name_filter", "LDAP filter for names"),
    Term("any.directory.number_filter", "LDAP filter for numbers"),
    Term("any.provisioning.url", "where the phone asks for its file", form=Form.URL),
    Term("any.provisioning.user", "user name for HTTP there"),
    Term("any.provisioning.password", "password for HTTP there", secret=True),
    Term("any.provisioning.interval", "seconds between two times that it asks",
         form=Form.SECONDS),
    Term("any.time.server", "NTP server", form=Form.HOST),
    Term("any.time.zone", "time zone, such as Europe/Berlin"),
    Term("any.language", "language of the display, such as de", form=Form.LANGUAGE),
    Term("any.admin.password", "password of the phone's administrator", secret=True),
    Term("any.trust.min_tls", "lowest TLS version", values=TLS_VERSIONS),
)  # fmt: skip

TERMS: Final[Mapping[str, Term]] = MappingProxyType({t.name: t for t in _ROWS})
"""Every term by its name."""
ACCOUNT_TERMS: Final = tuple(t for t in _ROWS if t.per is Per.ACCOUNT)
MOST_ACCOUNTS: Final = 48
"""Accounts that any phone here has: VVX 1500 and its like, with room (L)."""
MOST_KEYS: Final = 400
"""Keys with expansion modules (L)."""


def is_term(name: str) -> bool:
    """Whether a setting's name is one of the vocabulary's, known or not."""
    return name.startswith(PREFIX)


_URL = re.compile(r"https?://[^\s/@]+(?:/\S*)?", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z]{2}")


def problem_of(name: str, idx: int | None, value: str | None = None) -> str:
    """Why a term cannot stand so, a clause; empty: it can. ``value`` None: not asked.

    No value is repeated, since it may be a secret.
    """
    term = TERMS.get(name)
    if term is None:
        return f"{name[:60]!r} is no term of the neutral vocabulary"
    if term.per is Per.PHONE:
        if idx is not None:
            return f"{name!r} is a setting of the whole phone and has no idx"
    elif idx is None:
        return (
            f"{name!r} belongs to one {term.per} and needs its number: {term.written}"
        )
    else:
        most = MOST_ACCOUNTS if term.per is Per.ACCOUNT else MOST_KEYS
        if not 1 <= idx <= most:
            return f"{name!r} has no idx {idx}: {term.per}s count from 1 to {most}"
    return "" if value is None or value == "" else _odd_value(term, value)


def _odd_value(term: Term, value: str) -> str:
    what = term.written
    if term.values and value not in term.values:
        return f"{what} is one of {', '.join(term.values)}"
    match term.form:
        case Form.SECONDS | Form.NUMBER:
            number = digits_of(value, 10**9)
            if number is None or number < 1:
                return f"{what} is a whole number from 1"
        case Form.HOST:
            try:
                host, _ = parse_host_port(value, 1)
            except ValueError:
                return f"{what} is host or host:port, an IPv6 address in brackets"
            if re.search(r"[\s/@<>\"']", host):
                return f"{what} is host or host:port, and no URL"
        case Form.URL:
            if not _URL.fullmatch(value):
                return f"{what} is a URL that begins with https://, without a user"
        case Form.LANGUAGE:
            if not _LANGUAGE.fullmatch(value):
                return f"{what} is two letters of ISO 639-1, such as de"
        case _:
            pass
    return ""


def check(name: str, idx: int | None, value: str) -> None:
    """Raise InputError if a term cannot stand so."""
    if problem := problem_of(name, idx, value):
        raise InputError(problem, hint="docs/reference/makers.md has all terms")

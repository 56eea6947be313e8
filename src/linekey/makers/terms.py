"""What every phone needs, whoever made it: the neutral vocabulary.

A term is a setting of a layer whose name begins with ``any.``, so that it is stored,
sealed, listed and put on record as any other setting. ``N`` of an account and ``K`` of
a key are the setting's idx and count from 1. A maker's folder says how each term is
written for its phones (``mapping``); what it cannot say is named, never guessed.

Trust is no term: what is rendered always verifies the server's chain and its name, and
carries the CAs that the layers hold. ``any.trust.min_tls`` is the lowest TLS version,
and ``any.trust.except`` names the settings of the maker's that may weaken this, for one
phone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from linekey.digits import digits_of
from linekey.endpoint import parse_host_port
from linekey.errors import InputError
from linekey.said import say

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


def _account(name: str, meaning: str, **more: Any) -> Term:
    return Term(f"any.account.{name}", meaning, Per.ACCOUNT, **more)


def _key(name: str, meaning: str, **more: Any) -> Term:
    return Term(f"any.key.{name}", meaning, Per.KEY, **more)


EXCEPT: Final = "any.trust.except"
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
    Term(EXCEPT, "settings of the maker's, with commas between them, that may weaken"
         " the phone's verification; counts in a phone's own layer only"),
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
        return say(
            "%(name)s is no term of the neutral vocabulary", name=repr(name[:60])
        )
    if term.per is Per.PHONE:
        if idx is not None:
            return say(
                "%(name)s is a setting of the whole phone and has no idx",
                name=repr(name),
            )
    elif idx is None:
        written = term.written
        if term.per is Per.KEY:
            return say(
                "%(name)s belongs to a key and needs its number: %(written)s",
                name=repr(name), written=written,
            )  # fmt: skip
        return say(
            "%(name)s belongs to an account and needs its number: %(written)s",
            name=repr(name), written=written,
        )  # fmt: skip
    else:
        most = MOST_ACCOUNTS if term.per is Per.ACCOUNT else MOST_KEYS
        if not 1 <= idx <= most:
            return say(
                "%(name)s has no idx %(idx)s: it is 1 to %(most)s",
                name=repr(name), idx=idx, most=most,
            )  # fmt: skip
    return "" if value is None or value == "" else _odd_value(term, value)


def _odd_value(term: Term, value: str) -> str:
    what = term.written
    if not value.strip("*"):
        return ""  # stars stand for a value that is not shown
    if term.values and value not in term.values:
        return say(
            "%(name)s is one of %(values)s", name=what, values=", ".join(term.values)
        )
    match term.form:
        case Form.SECONDS | Form.NUMBER:
            number = digits_of(value, 10**9)
            if number is None or number < 1:
                return say("%(name)s is a whole number from 1", name=what)
        case Form.HOST:
            try:
                host, _ = parse_host_port(value, 1)
            except ValueError:
                return say(
                    "%(name)s is host or host:port, an IPv6 address in brackets",
                    name=what,
                )
            if re.search(r"[\s/@<>\"']", host):
                return say("%(name)s is host or host:port, and no URL", name=what)
        case Form.URL:
            if not _URL.fullmatch(value):
                return say(
                    "%(name)s is a URL that begins with https://, without a user",
                    name=what,
                )
        case Form.LANGUAGE:
            if not _LANGUAGE.fullmatch(value):
                return say(
                    "%(name)s is two letters of ISO 639-1, such as de", name=what
                )
        case _:
            pass
    return ""


def check(name: str, idx: int | None, value: str) -> None:
    """Raise InputError if a term cannot stand so."""
    if problem := problem_of(name, idx, value):
        raise InputError(
            problem, hint=say("docs/reference/makers.md has all neutral settings")
        )

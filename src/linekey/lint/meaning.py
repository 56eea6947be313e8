"""What a file's settings mean, whoever's they are: the neutral vocabulary, read.

``said_in`` gives for each setting that has a meaning here a ``Said``: the term of
``makers.terms``, or one of the few more below, the number of account or key, the value
as the vocabulary has it, and the line that it stands in. So that rules are written once
for all makers; what only one maker has is in ``rows``.

More terms than the vocabulary's:

    any.provisioning.scheme     https, http, tftp, ftp, where it stands by itself
    any.account.port            of the registrar or proxy, where it stands by itself
    any.directory.port          the same
    any.web.password            of the phone's own pages

Rule: nothing is merged. Two lines of one setting, as in two branches of a template, are
two.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from linekey.lint.source import Source, plain_name
from linekey.lint.template import is_open
from linekey.makers.grammar import Line
from linekey.makers.mapping import Field, How
from linekey.makers.yealink.grammar import RESET


@dataclass(frozen=True, slots=True, repr=False)
class Said:
    """What one line says. ``repr`` shows no value."""

    term: str
    idx: int | None
    value: str
    line: Line

    def __repr__(self) -> str:
        return f"Said({self.term!r}, {self.idx}, line={self.line.number})"

    @property
    def open(self) -> bool:
        """Whether nothing is known of the value: it is put in later, or stars stand
        for it, as in what ``linekey device show --xml`` prints."""
        return is_open(self.value) or (bool(self.value) and not self.value.strip("*"))


def said_in(source: Source) -> tuple[Said, ...]:
    """Return what a file says, in its order."""
    found: list[Said] = []
    for line in source.lines:
        if source.maker.id == "yealink" and line.value.strip() == RESET:
            continue  # it sets the key back, and says no value
        found.extend(_snom(line) if source.maker.snom_like else _mapped(source, line))
    return tuple(found)


def _mapped(source: Source, line: Line) -> Iterator[Said]:
    """By the maker's own map, which the server writes with."""
    looked_up = Line(plain_name(line.name), line.value, number=line.number)
    theirs = source.maker.translate(looked_up)
    hit = source.maker.map.find(theirs.name)
    if hit is None:
        yield from _of_poly(looked_up, line)
        return
    field, which, idx = hit
    if field.how is How.HOST_PORT and which == 1:
        if field.term in ("any.directory.server",):
            yield Said("any.directory.port", idx, theirs.value, line)
        else:
            yield Said("any.account.port", idx, theirs.value, line)
    elif field.how is How.SCHEME_PATH and which == 0:
        yield Said("any.provisioning.scheme", idx, _scheme(field, theirs.value), line)
    else:
        yield Said(field.term, idx, _ours(field, theirs.value), line)


def _ours(field: Field, theirs: str) -> str:
    if not field.values or is_open(theirs) or field.how is How.SCHEME_PATH:
        return theirs
    text = theirs.strip().lower()
    return next((o for o, t in field.values if t.lower() == text), theirs)


_SCHEMES: Final = {
    "tftp": "tftp", "ftp": "ftp", "ftps": "ftps", "http": "http", "https": "https",
}  # fmt: skip


def _scheme(field: Field, theirs: str) -> str:
    """``https`` and the like. 0 is TFTP for Grandstream (PBX-FUSION, H)."""
    text = theirs.strip().lower()
    if text in _SCHEMES:
        return text
    if text == "0" and field.names[0] == "P212":
        return "tftp"
    return next((o for o, t in field.values if t.lower() == text), theirs)


_POLY_SRTP: Final = re.compile(
    r"(?:reg\.(?P<n>[0-9]{1,3})\.srtp|sec\.srtp)\.(?P<what>enable|require|offer)"
)


def _of_poly(looked_up: Line, line: Line) -> Iterator[Said]:
    """SRTP, which has three switches at Poly's."""
    found = _POLY_SRTP.fullmatch(looked_up.name)
    if found is None or is_open(line.value):
        return
    idx = int(found["n"]) if found["n"] else None
    value = line.value.strip()
    if found["what"] == "enable" and value == "0":
        yield Said("any.account.srtp", idx, "off", line)
    elif found["what"] != "enable" and value == "1":
        word = "required" if found["what"] == "require" else "optional"
        yield Said("any.account.srtp", idx, word, line)


_SNOM_NAMES: Final = {
    "user_name": "any.account.user",
    "user_pname": "any.account.auth_user",
    "user_pass": "any.account.password",
    "user_host": "any.account.registrar",
    "ldap_server": "any.directory.server",
    "ldap_port": "any.directory.port",
    "ldap_username": "any.directory.user",
    "ldap_password": "any.directory.password",
    "setting_server": "any.provisioning.url",
    "http_client_user": "any.provisioning.user",
    "http_client_pass": "any.provisioning.password",
    "admin_mode_password": "any.admin.password",
    "webserver_admin_password": "any.admin.password",
    "webserver_user_password": "any.web.password",
    "http_user": "any.web.user",
    "http_pass": "any.web.password",
}
"""SNOM-SETTING (H); webserver_* of D8xx and Gigaset's P8xx: PBX-TANCREDI (M)."""
_SNOM_IDX: Final = re.compile(r"(user_[a-z]+)([0-9]{1,2})")
_SNOM_SRTP: Final = {"off": "off", "optional": "optional", "mandatory": "required"}


def _snom(line: Line) -> Iterator[Said]:
    name, idx = plain_name(line.name).lower(), line.idx
    if found := _SNOM_IDX.fullmatch(name):
        name, idx = found[1], int(found[2])
    value = line.value.strip()
    if term := _SNOM_NAMES.get(name):
        yield Said(term, idx, value, line)
    elif name == "ldap_over_tls":
        words = {"on": "ldaps", "off": "ldap"}
        yield Said("any.directory.transport", None, words.get(value, value), line)
    elif name == "user_srtp" and value in ("on", "off"):
        yield Said(
            "any.account.srtp", idx, "optional" if value == "on" else "off", line
        )
    elif name == "user_savp":
        yield Said("any.account.srtp", idx, _SNOM_SRTP.get(value, value), line)
    elif name == "user_outbound":
        yield from _outbound(value, idx, line)


def _outbound(value: str, idx: int | None, line: Line) -> Iterator[Said]:
    """``host:5061;transport=tls``, one or several (SNOM-SETTING, H)."""
    for entry in value.split(","):
        host, *parameters = (part.strip() for part in entry.split(";"))
        if not host:
            continue
        yield Said("any.account.outbound", idx, host, line)
        said = [p.partition("=")[2].lower() for p in parameters if "transport=" in p]
        for transport in said:
            yield Said("any.account.transport", idx, transport, line)

"""The phone's LDAP directory: one lookup, from the bind to the names on the screen.

*Theory of operation.* ``Lookup`` is LDAP without a connection: ``begin`` gives the
bytes of a simple bind; ``receive`` takes the server's bytes and gives the next bytes,
until ``result`` stands; ``end`` gives the bytes that say good-bye. TLS
(``ldap_over_tls``) and the socket belong to whoever drives it. Where it fails on the
way, ``fail`` makes the result: the reason, and what had been found by then.

Rules: ``ldap_max_hits`` goes out as the size limit (SNOM-SETTING, H); a search that
ends at a limit keeps what it found, with a note (RFC 4511 appendix A.1); referrals and
search references are not followed (L), and said; a result code is read by its number,
since the list of codes is open (RFC 4511 §4.1.9).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from linekey.errors import PeerError
from linekey.phone.uses.directory.messages import (
    DISCONNECTION,
    Bound,
    Done,
    Found,
    Message,
    MessageReader,
    Notice,
    Reference,
    Result,
    ResultCode,
    write_bind,
    write_search,
    write_unbind,
)
from linekey.phone.uses.directory.settings import DirectorySettings, filter_for, shown

_TIME_LIMIT_S: Final = 10
_MOST_NUMBERS: Final = 50
"""Numbers shown of one entry; people have some five."""
_MAX_VALUE: Final = 200
"""Characters shown of one value."""

_ATTRIBUTE = re.compile(r"%([A-Za-z][A-Za-z0-9;-]*)")

_NAMES: Final = {code.value: code.name.lower() for code in ResultCode}
_LIMITS: Final[Mapping[int, str]] = {
    ResultCode.TIME_LIMIT_EXCEEDED: "the directory's time was up",
    ResultCode.SIZE_LIMIT_EXCEEDED: "the directory reached its size limit",
    ResultCode.ADMIN_LIMIT_EXCEEDED: (
        "the directory reached a limit of its administrator's"
    ),
}
"""With these a search ends early, and what it found is good."""
_LATER: Final = "try again later; look at the directory's log if it stays so"
_CURES: Final[Mapping[int, str]] = {
    ResultCode.STRONG_AUTH_REQUIRED: "set ldap_over_tls on, or log in",
    ResultCode.CONFIDENTIALITY_REQUIRED: "set ldap_over_tls on",
    ResultCode.INAPPROPRIATE_AUTHENTICATION: (
        "set ldap_username (a DN) and ldap_password: the directory wants another login"
    ),
    ResultCode.INVALID_CREDENTIALS: ("check ldap_username (a DN) and ldap_password"),
    ResultCode.BUSY: _LATER,
    ResultCode.UNAVAILABLE: _LATER,
}
"""What helps against a refusal, of the login or the search."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One hit: the name as shown, and the numbers to call with their attributes."""

    name: str
    numbers: tuple[tuple[str, str], ...]
    dn: str


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What a lookup came to. ``problem`` is a sentence, empty when all went well."""

    entries: tuple[Entry, ...] = ()
    """The hits; with a problem, those that had come before it."""
    problem: str = ""
    cure: str = ""
    notes: tuple[str, ...] = ()
    """Said besides: more hits than the limit, references that were not followed."""


class Lookup:
    """One lookup. Drive it with ``begin`` and ``receive`` until ``result`` is there."""

    def __init__(self, settings: DirectorySettings, text: str) -> None:
        self.settings = settings
        self.result: LookupResult | None = None
        self._filter = filter_for(settings, text)
        self._reader = MessageReader()
        self._bind = self._search = 0
        """Our messages' ids, from 1; 0 is nobody's."""
        self._entries: list[Entry] = []
        self._references = 0
        self._cut = False
        self._over = False
        """Whether there is nobody left to say good-bye to."""

    def begin(self) -> bytes:
        """The bytes of the bind."""
        self._bind = 1
        settings = self.settings
        return write_bind(self._bind, settings.username, settings.password)

    def receive(self, data: bytes) -> bytes:
        """Take the server's bytes, return ours; PeerError for what is no LDAP."""
        said = b""
        try:
            self._reader.feed(data)
            while self.result is None and (message := self._reader.next()) is not None:
                said += self._take(message)
        except PeerError:
            self._over = True
            raise
        return said

    def end(self) -> bytes:
        """The unbind (RFC 4511 §4.3); nothing where there is nobody to say it to."""
        if self._over or not self._bind:
            return b""
        self._over = True
        return write_unbind(max(self._bind, self._search) + 1)

    def fail(self, problem: str, cure: str) -> LookupResult:
        """The result of a lookup that ended like this, with what it had found."""
        self.result = LookupResult(self._hits(), problem, cure, self._notes())
        return self.result

    def _take(self, message: Message) -> bytes:
        """Take one message; what to say to it, which only the login's end has."""
        match message:
            case Notice(name=name, result=result):
                if name == DISCONNECTION:
                    self._disconnected(result)
            case Bound(id=self._bind, result=result) if not self._search:
                return self._bound(result)
            case Found(id=self._search) if self._search:
                if len(self._entries) <= self.settings.max_hits:
                    self._entries.append(self._entry(message))
            case Reference(id=self._search) if self._search:
                self._references += 1
            case Done(id=self._search, result=result) if self._search:
                self._done(result)
            case _:
                raise PeerError(
                    "the directory breaks the rules of LDAP: it answers what the phone"
                    f" did not ask (message {message.id})",
                    hint="look at the server's log, and whether something stands in"
                    " between",
                )
        return b""

    def _disconnected(self, result: Result) -> None:
        self._over = True  # by the notice (RFC 4511 §4.4.1)
        self.fail(
            f"the directory ended the connection: {_told(result)}",
            _CURES.get(result.code, "look at the directory's log"),
        )

    def _bound(self, result: Result) -> bytes:
        if result.code == ResultCode.SUCCESS:
            return self._begin_search()
        if result.code == ResultCode.REFERRAL:
            self._referred(result)
        else:
            self.fail(
                f"the directory refused the login: {_told(result)}",
                _CURES.get(
                    result.code, "ask the directory's administrator how phones log in"
                ),
            )
        return b""

    def _begin_search(self) -> bytes:
        wanted = dict.fromkeys(
            (
                *self.settings.name_attributes,
                *self.settings.number_attributes,
                *_ATTRIBUTE.findall(self.settings.display_name),
            )
        )
        self._search = self._bind + 1
        return write_search(
            self._search,
            base=self.settings.base,
            filter_text=self._filter,
            attributes=wanted,
            size_limit=self.settings.max_hits,
            time_limit_s=_TIME_LIMIT_S,
        )

    def _done(self, result: Result) -> None:
        if result.code == ResultCode.SUCCESS:
            self.result = LookupResult(self._hits(), notes=self._notes())
        elif result.code == ResultCode.REFERRAL:
            self._referred(result)
        elif result.code not in _LIMITS:
            self.fail(
                f"the directory refused the search: {_told(result)}",
                _CURES.get(result.code, "check ldap_base and what the login may read"),
            )
        elif self._entries:
            limit = _LIMITS[result.code]
            self.result = LookupResult(self._hits(), notes=self._notes(limit))
        else:
            self.fail(
                f"{_LIMITS[result.code]} before it found anybody: {_told(result)}",
                "type more; or narrow ldap_base, or let the directory index the"
                " attributes of the filter",
            )

    def _referred(self, result: Result) -> None:
        where = f" ({shown(result.referrals[0])})" if result.referrals else ""
        self.fail(
            f"the directory refers to another server{where}; phones do not follow",
            "set ldap_server and ldap_base to the server that has the entries",
        )

    def _hits(self) -> tuple[Entry, ...]:
        entries = self._entries[: self.settings.max_hits]
        return tuple(sorted(entries, key=lambda entry: entry.name.casefold()))

    def _notes(self, limit: str = "") -> tuple[str, ...]:
        notes = list(self.settings.notes)
        if self._references:
            notes.append(
                "a reference to another directory was not followed"
                if self._references == 1
                else f"{self._references} references to other directories were not"
                " followed"
            )
        count = min(len(self._entries), self.settings.max_hits)
        if limit or len(self._entries) > count:
            hits = "is more than 1 hit" if count == 1 else f"are more than {count} hits"
            by = f" ({limit})" if limit else ""
            notes.append(f"there {hits}{by}; type more")
        if self._cut:
            notes.append(f"no more than {_MOST_NUMBERS} numbers of an entry are shown")
        return tuple(notes)

    def _entry(self, found: Found) -> Entry:
        values: dict[str, list[str]] = {}
        for description, raw in found.attributes:
            texts = [shown(v.decode("utf-8", "replace"), _MAX_VALUE) for v in raw]
            name = description.lower()
            values.setdefault(name, []).extend(texts)
            if ";" in name:  # cn;lang-de is a cn, too (RFC 4512 §2.5.2)
                values.setdefault(name.partition(";")[0], []).extend(texts)

        def first(name: str) -> str:
            return next(iter(values.get(name.lower(), ())), "")

        display = _ATTRIBUTE.sub(lambda m: first(m[1]), self.settings.display_name)
        fallback = (first(name) for name in self.settings.name_attributes)
        dn = shown(found.dn, _MAX_VALUE)
        numbers = [
            (name, number)
            for name in self.settings.number_attributes
            for number in values.get(name.lower(), ())
        ]
        self._cut |= len(numbers) > _MOST_NUMBERS
        return Entry(
            name=" ".join(display.split())
            or next((name for name in fallback if name), dn),
            numbers=tuple(numbers[:_MOST_NUMBERS]),
            dn=dn,
        )


def _told(result: Result) -> str:
    name = _NAMES.get(result.code, "a result code that RFC 4511 does not have")
    text = shown(result.text)
    return f"{name} ({result.code}){': ' + text if text else ''}"

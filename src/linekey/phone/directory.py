"""The phone's LDAP directory: one lookup, from the bind to the names on the screen.

*Theory of operation.* ``Lookup`` is LDAP without a connection: ``begin`` gives the
bytes of a simple bind; ``receive`` takes the server's bytes and gives the next bytes,
until ``result`` stands. TLS (``ldap_over_tls``) and the socket belong to whoever drives
it.

Rules: ``ldap_max_hits`` goes out as the size limit (facts/snom.md §3, H); referrals and
search references are not followed (L), and said.
"""

import re
from dataclasses import dataclass

from sansldap import (
    BindResponse,
    DereferencingPolicy,
    LDAPClient,
    LDAPError,
    LDAPResult,
    LDAPResultCode,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    SearchScope,
)

from linekey.errors import PeerError
from linekey.phone.directory_settings import DirectorySettings, filter_for, shown

_MAX_ANSWER = 4 * 1024 * 1024
"""Bytes taken in one lookup; a thousand entries are some 300 kB."""
_TIME_LIMIT_S = 10
_SEQUENCE = b"\x30"
"""With which every LDAPMessage begins (RFC 4511 §4.1.1, X.690 §8.9)."""

_ATTRIBUTE = re.compile(r"%([A-Za-z][A-Za-z0-9;-]*)")


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
        self._client = LDAPClient()
        self._entries: list[Entry] = []
        self._references = 0
        self._taken = 0

    def begin(self) -> bytes:
        """The bytes of the bind."""
        self._client.bind_simple(
            self.settings.username or None, self.settings.password or None
        )
        return self._client.data_to_send()

    def receive(self, data: bytes) -> bytes:
        """Take the server's bytes, return ours; PeerError for what is no LDAP."""
        if not self._taken and data[:1] not in (b"", _SEQUENCE):
            # Else its first bytes may pass for the length of a message to wait for.
            raise PeerError(
                "the directory's answer is no LDAP: it begins as no message does",
                hint="check ldap_server, ldap_port and ldap_over_tls",
            )
        self._taken += len(data)
        if self._taken > _MAX_ANSWER:
            raise PeerError(
                f"the directory sends more than {_MAX_ANSWER} bytes",
                hint="narrow ldap_base or the filter, or lower ldap_max_hits",
            )
        try:
            messages = self._client.receive(data)
        except (LDAPError, IndexError) as error:  # IndexError: sansldap on a cut value
            raise PeerError(
                f"the directory's answer is no LDAP: {shown(str(error))}",
                hint="check ldap_server, ldap_port and ldap_over_tls",
            ) from None
        for message in messages:
            if self.result is not None:
                break
            match message:
                case BindResponse():
                    self._bound(message)
                case SearchResultEntry():
                    self._entries.append(self._entry(message))
                case SearchResultReference():
                    self._references += 1
                case SearchResultDone():
                    self._done(message)
        return self._client.data_to_send()

    def _bound(self, message: BindResponse) -> None:
        code = message.result.result_code
        if code == LDAPResultCode.SUCCESS:
            wanted = dict.fromkeys(
                (
                    *self.settings.name_attributes,
                    *self.settings.number_attributes,
                    *_ATTRIBUTE.findall(self.settings.display_name),
                )
            )
            self._client.search_request(
                base_object=self.settings.base,
                scope=SearchScope.SUBTREE,
                dereferencing_policy=DereferencingPolicy.NEVER,
                size_limit=self.settings.max_hits,
                time_limit=_TIME_LIMIT_S,
                filter=self._filter,
                attributes=list(wanted),
            )
            return
        self.result = LookupResult(
            problem=f"the directory refused the login: {_told(message.result)}",
            cure="check ldap_username (a DN) and ldap_password"
            if code == LDAPResultCode.INVALID_CREDENTIALS
            else "ask the directory's administrator how phones log in",
        )

    def _done(self, message: SearchResultDone) -> None:
        code, notes = message.result.result_code, list(self.settings.notes)
        if self._references:
            notes.append(
                "a reference to another directory was not followed"
                if self._references == 1
                else f"{self._references} references to other directories were not"
                " followed"
            )
        if code in (LDAPResultCode.SUCCESS, LDAPResultCode.SIZE_LIMIT_EXCEEDED):
            if code == LDAPResultCode.SIZE_LIMIT_EXCEEDED:
                count = len(self._entries)
                notes.append(
                    f"there is more than {count} hit; type more"
                    if count == 1
                    else f"there are more than {count} hits; type more"
                )
            entries = self._entries[: self.settings.max_hits]
            entries.sort(key=lambda entry: entry.name.casefold())
            self.result = LookupResult(tuple(entries), notes=tuple(notes))
        elif code == LDAPResultCode.REFERRAL:
            self.result = LookupResult(
                problem="the directory refers to another server; phones do not follow",
                cure="set ldap_server and ldap_base to the server that has the entries",
            )
        else:
            self.result = LookupResult(
                problem=f"the directory refused the search: {_told(message.result)}",
                cure="check ldap_base and what the login may read",
            )

    def _entry(self, message: SearchResultEntry) -> Entry:
        values = {
            attribute.name.lower(): [
                shown(v.decode("utf-8", "replace"), 200) for v in attribute.values
            ]
            for attribute in message.attributes
        }

        def first(name: str) -> str:
            return next(iter(values.get(name.lower(), ())), "")

        display = _ATTRIBUTE.sub(lambda m: first(m[1]), self.settings.display_name)
        fallback = (first(name) for name in self.settings.name_attributes)
        return Entry(
            name=" ".join(display.split())
            or next((name for name in fallback if name), message.object_name),
            numbers=tuple(
                (name, number)
                for name in self.settings.number_attributes
                for number in values.get(name.lower(), ())
            ),
            dn=message.object_name,
        )


def _told(result: LDAPResult) -> str:
    code, message = result.result_code, shown(result.diagnostics_message)
    return f"{code.name.lower()} ({int(code)}){': ' + message if message else ''}"

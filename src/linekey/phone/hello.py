"""The hello of a model with a firmware, and where it differs from the real phone's.

The wanted hello is the one that ``catalog.hello`` derives from the matrix row, the same
that ``linekey check`` sends as raw records. The engine is told to make it: its suites,
groups and signature algorithms, no server name, session ticket, extended master secret
or encrypt-then-MAC where the row has none. What OpenSSL cannot be told is left as it is
(docs/decisions/0017), and nothing of it is silent: the differences are read off the
bytes of a hello beside the derived one, not off what was asked for.

Phones of one model, firmware and issuing CA share what does not depend on their own
certificate.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from OpenSSL import SSL

from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert
from linekey.tls.context import ClientContext, client_context
from linekey.tls.engine import ClientEngine
from linekey.tls.events import PeerChain, Refuse
from linekey.tls.hello import ClientHello, parse_client_hello
from linekey.tls.parameters import (
    extension_name,
    group_name,
    point_format_name,
    signature_name,
)
from linekey.tls.suites import SUITES, name_of
from linekey.tls.versions import Version, label_of

_NAME: Final = "prov.example.com"
"""Some host, for a hello to look at."""
_SECP256R1: Final = 23
_LISTS_OF_THEIR_OWN: Final = frozenset({10, 11, 13})
"""Extensions whose content is compared number by number: groups, point formats,
signature algorithms."""


@lru_cache(maxsize=64)
def phone_context(
    row: Profile, issuers: tuple[Certificate, ...] = ()
) -> tuple[ClientContext, tuple[str, ...]]:
    """How phones of this profile speak, and where that differs from the real ones.

    ``issuers`` stand above their certificates; ``ClientContext.showing`` puts one of
    those in, and whoever connects brings a judge. Raises InputError where the engine
    speaks nothing of it.
    """
    context = client_context(
        verify=_nobody,
        min_version=Version(max(row.min_version, Version.TLS1_0)),
        max_version=Version(row.max_version),
        suites=row.suites,
        # Without a list OpenSSL names its own groups, RFC 7919's too. A curve that no
        # suite of such a row can use makes it name none.
        groups=row.groups or (_SECP256R1,),
        signature_algorithms=row.signature_algorithms,
        issuers=issuers,
        session_ticket=row.sends_session_ticket,
        extended_master_secret=False,
        encrypt_then_mac=False,
        name=row.name,
    )
    return context, _notes(row, context)


def _nobody(_: PeerChain) -> Refuse:
    """Stands in a context until a connection brings its own judge."""
    return Refuse(Alert.INTERNAL_ERROR, "no judge for this connection")


@dataclass(frozen=True, slots=True)
class Difference:
    """One part in which two hellos differ, by the numbers on the wire.

    ``wanted`` and ``sent`` are the lists as they stand in each hello; ``name`` makes a
    word of a number.
    """

    part: str
    wanted: tuple[int, ...]
    sent: tuple[int, ...]
    name: Callable[[int], str]

    @property
    def lacking(self) -> tuple[int, ...]:
        """What the phone sends and the engine does not, in the phone's order."""
        return tuple(n for n in self.wanted if n not in self.sent)

    @property
    def added(self) -> tuple[int, ...]:
        """What the engine sends and the phone does not."""
        return tuple(n for n in self.sent if n not in self.wanted)

    @property
    def reordered(self) -> bool:
        """Whether what both send stands in another order."""
        return [n for n in self.wanted if n in self.sent] != [
            n for n in self.sent if n in self.wanted
        ]

    @property
    def sentences(self) -> tuple[str, ...]:
        """A clause for each way in which they differ; the names follow a colon."""
        engine = _engine()
        said = []
        srp = [n for n in self.lacking if self.part == "suites" and _needs_user(n)]
        rest = [n for n in self.lacking if n not in srp]
        if rest:
            said.append(
                f"{self.part} not offered, as {engine} does not have them: "
                + self._names(rest)
            )
        if srp:
            said.append(
                f"{self.part} not offered, as {engine} offers them only with an SRP "
                f"user name, which linekey cannot give it: {self._names(srp)}"
            )
        if self.added:
            said.append(
                f"{self.part} that {engine} adds and the phone would not send: "
                + self._names(self.added)
            )
        if self.reordered:
            said.append(
                f"{self.part} in another order than the phone's, which {engine} sets: "
                + self._names([n for n in self.sent if n in self.wanted])
            )
        return tuple(said)

    def _names(self, numbers: Sequence[int]) -> str:
        return ", ".join(map(self.name, numbers))


def _needs_user(number: int) -> bool:
    """Whether OpenSSL has the suite, and hides it from who set no SRP user name."""
    suite = SUITES.get(number)
    return suite is not None and suite.key_exchange == "SRP" and suite.known_by_engine


def _engine() -> str:
    return " ".join(SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode().split()[:2])


def differences(wanted: ClientHello, sent: ClientHello) -> tuple[Difference, ...]:
    """Every part of a hello but its random bytes in which two of them differ.

    The content of extensions that are no lists of numbers is compared as bytes: one
    that differs is told as both lacking and added.
    """
    found = []
    for part, wants, has, name in (
        ("record version", _one(wanted.record_version), _one(sent.record_version),
         label_of),
        ("hello version", _one(wanted.legacy_version), _one(sent.legacy_version),
         label_of),
        ("suites", wanted.suites, sent.suites, name_of),
        ("compression methods", wanted.compressions, sent.compressions, str),
        ("bytes of session id", _one(len(wanted.session_id)),
         _one(len(sent.session_id)), str),
        ("extensions", _numbers(wanted), _numbers(sent), extension_name),
        ("groups", wanted.groups, sent.groups, group_name),
        ("point formats", wanted.point_formats, sent.point_formats,
         point_format_name),
        ("signature algorithms", wanted.signature_algorithms,
         sent.signature_algorithms, signature_name),
    ):  # fmt: skip
        if tuple(wants) != tuple(has):
            found.append(Difference(part, tuple(wants), tuple(has), name))
    contents = dict(sent.extensions)
    other = tuple(
        number
        for number, content in wanted.extensions
        if number not in _LISTS_OF_THEIR_OWN
        and contents.get(number, content) != content
    )
    if other:
        found.append(Difference("contents of extensions", other, (), extension_name))
    return tuple(found)


def _one(number: int) -> tuple[int, ...]:
    return (number,)


def _numbers(hello: ClientHello) -> tuple[int, ...]:
    return tuple(number for number, _ in hello.extensions)


def _notes(row: Profile, context: ClientContext) -> tuple[str, ...]:
    """How a hello from ``context`` differs from the profile's, a clause each."""
    name = _NAME if row.sends_server_name else None
    sent = parse_client_hello(ClientEngine(context, server_name=name).take_output())
    assert sent is not None, "the engine's own hello is whole"
    notes = []
    if row.min_version < Version.TLS1_0:
        notes.append(
            f"a server that answers in SSL 3 is refused, as {_engine()} does not speak "
            "it; the phone does"
        )
    for difference in differences(row.client_hello(_NAME), sent):
        notes += difference.sentences
    return tuple(notes)

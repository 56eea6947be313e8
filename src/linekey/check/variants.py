"""Other hellos to ask a server with: what else the same phone could meet there.

A hello is derived, and two things in it are guessed that a server may choose by:
whether a server name is sent (SNI) and the order of the suites (``catalog.hello``, L).
A server may also have two certificates, one for RSA and one for ECDSA suites. So a
server that answered a phone's hello is asked again, by hellos that differ from it in
one of these and in nothing else. ``check.other_answers`` says what follows; nothing
here judges.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from linekey.catalog.profile import all_profiles
from linekey.check.answer import Answer, Reach
from linekey.check.classes import PhoneClass, hellos_of
from linekey.check.hellos import Hello, derive
from linekey.tls.hello import ClientHello, with_server_name
from linekey.tls.parameters import is_address
from linekey.tls.suites import SIGNALS, SUITES, Suite
from linekey.tls.versions import Version


class Change(StrEnum):
    """In what a variant differs from the phone's own hello."""

    SERVER_NAME = "server name"
    """Sent where the phone's has none, left out where it has one."""
    ORDER = "order of suites"
    """The suites in reverse."""
    RSA = "RSA"
    """Only suites for which the server proves itself by RSA."""
    ECDSA = "ECDSA"
    """Only suites for which it proves itself by ECDSA."""
    DHE = "DHE"
    """Only suites with a Diffie-Hellman group of the server's choice."""
    ECDHE = "ECDHE"
    """Only suites with a curve."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A hello and what is different in it."""

    change: Change
    hello: Hello


def name_variant(hello: Hello, name: str | None) -> Variant | None:
    """With the name if the hello has none, without if it has one.

    None for an address, which is never sent, and for a hello that was captured: there
    the name is known.
    """
    if not hello.derived or not name or is_address(name):
        return None
    other = None if hello.client_hello.server_name is not None else name
    try:
        changed = with_server_name(hello.client_hello, other)
    except UnicodeError:
        return None
    return Variant(Change.SERVER_NAME, replace(hello, client_hello=changed))


def variants_of(hello: Hello, name: str | None) -> tuple[Variant, ...]:
    """Every variant of a hello; in TLS 1.3 there is none but the name's.

    There the suites say nothing of the certificate.
    """
    found = [name_variant(hello, name)]
    if hello.client_hello.max_version < Version.TLS1_3:
        found.append(_reversed(hello))
        for changes, part in (
            ((Change.RSA, Change.ECDSA), lambda s: s.authentication),
            ((Change.DHE, Change.ECDHE), lambda s: s.key_exchange),
        ):
            found += [_only(hello, change, part) for change in changes]
    return tuple(variant for variant in found if variant is not None)


def _suites(hello: ClientHello) -> tuple[int, ...]:
    return tuple(n for n in hello.suites if n not in SIGNALS)


def _with_suites(hello: Hello, suites: Sequence[int]) -> Hello:
    signals = tuple(n for n in hello.client_hello.suites if n in SIGNALS)
    changed = replace(hello.client_hello, suites=(*suites, *signals))
    return replace(hello, client_hello=changed)


def _reversed(hello: Hello) -> Variant | None:
    suites = _suites(hello.client_hello)
    if not hello.derived or len(suites) < 2:
        return None
    return Variant(Change.ORDER, _with_suites(hello, suites[::-1]))


def _only(hello: Hello, change: Change, part: Callable[[Suite], str]) -> Variant | None:
    every = _suites(hello.client_hello)
    chosen = [n for n in every if n in SUITES and part(SUITES[n]) == change.value]
    if not chosen or len(chosen) == len(every):
        return None
    return Variant(change, _with_suites(hello, chosen))


def worth_asking(
    hello: Hello, answer: Answer, name: str | None, *, follows: bool | None = None
) -> Iterator[Variant]:
    """The variants that can tell something new after this answer.

    The name's wherever the server answered, hung up or was silent; the reverse order
    and the other kind of certificate where a chain came; the kinds of key exchange once
    it is known that the server follows the phone's order (``follows``; None: not asked
    yet).
    """
    if answer.reach is not Reach.ANSWERED and not answer.reach.wordless:
        return
    shown = answer.suite.authentication if answer.chain and answer.suite else None
    for variant in variants_of(hello, name):
        match variant.change:
            case Change.SERVER_NAME:
                wanted = follows is None
            case Change.ORDER:
                wanted = follows is None and shown is not None
            case Change.RSA | Change.ECDSA:
                wanted = follows is None and shown not in (None, variant.change.value)
            case _:
                exchange = answer.suite.key_exchange if answer.suite else None
                wanted = bool(follows) and variant.change.value != exchange
        if wanted:
            yield variant


def further_hellos(
    classes: Sequence[PhoneClass],
    answers: dict[tuple[object, ...], Answer],
    name: str | None,
) -> tuple[Hello, ...]:
    """What to ask next, each once; empty when nothing more can be learned.

    Call it until it is empty: what is asked second depends on what came of the first.
    """
    wanted: dict[tuple[object, ...], Hello] = {}
    for hello in hellos_of(classes):
        answer = answers.get(hello.wire_key)
        if answer is None:
            continue
        for variant in worth_asking(hello, answer, name):
            wanted[variant.hello.wire_key] = variant.hello
        if follows_order(hello, answers):
            for variant in worth_asking(hello, answer, name, follows=True):
                wanted[variant.hello.wire_key] = variant.hello
    return tuple(hello for key, hello in wanted.items() if key not in answers)


def follows_order(hello: Hello, answers: dict[tuple[object, ...], Answer]) -> bool:
    """Whether the server chose another suite when the order was reversed."""
    turned = _reversed(hello)
    if turned is None:
        return False
    one, other = answers.get(hello.wire_key), answers.get(turned.hello.wire_key)
    if one is None or other is None or other.suite_number is None:
        return False
    return one.suite_number != other.suite_number


def needs_control(answers: dict[tuple[object, ...], Answer]) -> bool:
    """Whether some hello was hung up on or met silence, and none was answered.

    Only another hello can tell then whether the server refuses these phones or is dead.
    """
    reaches = {answer.reach for answer in answers.values()}
    return Reach.ANSWERED not in reaches and any(r.wordless for r in reaches)


def control_hellos(
    answers: dict[tuple[object, ...], Answer], name: str | None
) -> tuple[Hello, ...]:
    """The hello of every row of the matrix that was not asked yet, newest first."""
    rows = {p.match.row.id: p for p in reversed(all_profiles())}
    every = (derive(profile, name) for profile in rows.values())
    return tuple({h.wire_key: h for h in every if h.wire_key not in answers}.values())

"""The hello of a model with a firmware, and where it differs from the real phone's.

Phones of one model, firmware and issuing CA share what does not depend on their own
certificate. Nothing is swapped silently: the notes are read off the very bytes of a
hello, not off what was asked for, so whatever the engine leaves out or adds is said.
"""

from functools import lru_cache

from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.tls.alerts import Alert
from linekey.tls.context import ClientContext, client_context
from linekey.tls.engine import ClientEngine
from linekey.tls.events import PeerChain, Refuse
from linekey.tls.hello import parse_client_hello
from linekey.tls.parameters import group_name, signature_name
from linekey.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, name_of
from linekey.tls.versions import Version, label_of


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
        groups=row.groups,
        signature_algorithms=row.signature_algorithms,
        issuers=issuers,
        name=row.name,
    )
    return context, differences(row, context)


def _nobody(_: PeerChain) -> Refuse:
    """Stands in a context until a connection brings its own judge."""
    return Refuse(Alert.INTERNAL_ERROR, "no judge for this connection")


def differences(row: Profile, context: ClientContext) -> tuple[str, ...]:
    """What a hello from ``context`` lacks or has beyond the profile, a clause each."""
    hello = parse_client_hello(ClientEngine(context).take_output())
    assert hello is not None, "the engine's own hello is whole"
    notes: list[str] = []
    if row.min_version < Version.TLS1_0:
        notes.append("SSL 3 is not offered: no current engine speaks it")
    lacking = {v for v in row.versions if v >= Version.TLS1_0} - set(hello.versions)
    extra = set(hello.versions) - set(row.versions)
    for words, numbers in (("not offered", lacking), ("offered beyond", extra)):
        if numbers:
            notes.append(f"{words}: {', '.join(label_of(v) for v in sorted(numbers))}")
    for what, wanted, sent, label in (
        ("suites", row.suites, hello.suites, name_of),
        ("groups", row.groups, hello.groups, group_name),
        (
            "signature algorithms",
            row.signature_algorithms,
            hello.signature_algorithms,
            signature_name,
        ),
    ):
        signal = {EMPTY_RENEGOTIATION_INFO_SCSV} if what == "suites" else set()
        if absent := [label(n) for n in wanted if n not in sent and n not in signal]:
            notes.append(
                f"{what} not offered, as no current engine speaks them: "
                + ", ".join(absent)
            )
        if added := [label(n) for n in sent if n not in wanted and n not in signal]:
            notes.append(
                f"{what} that the engine adds and the phone would not send: "
                + ", ".join(added)
            )
    return tuple(notes)

"""Where the hello that leaves differs from the one the phone would send.

Rule: nothing is swapped silently. The notes are read off the very bytes of a hello, not
off what was asked for, so whatever the engine leaves out or adds on its own is said.
"""

from linekey.catalog.profile import Profile
from linekey.tls.context import ClientContext
from linekey.tls.engine import ClientEngine
from linekey.tls.hello import parse_client_hello
from linekey.tls.parameters import group_name, signature_name
from linekey.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, name_of
from linekey.tls.versions import Version, label_of


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

"""What phones meet at a test server: by the check, and by a virtual phone; both told alike."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from linekey.catalog.models import Generation, find_model
from linekey.catalog.profile import all_profiles
from linekey.certs.certificate import Certificate
from linekey.certs.pem import private_key_to_pem
from linekey.check.assess import Question
from linekey.check.classes import PhoneClass, classes_of
from linekey.check.phones import Setup, gather
from linekey.check.prober import Limits, Prober
from linekey.check.questions import ask_for
from linekey.check.report import ClassResult, Outcome, Report
from linekey.check.run import check_answers
from linekey.lab.authority import LabAuthority
from linekey.lab.servers.kinds import KINDS, Kind
from linekey.lab.servers.running import Running
from linekey.mac import Mac
from linekey.phone.document import PhoneDocument
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ConnectionReported, Event
from linekey.phone.identity import DeviceIdentity
from linekey.phone.state import PhoneState, new_phone
from linekey.tls.alerts import Alert
from linekey.tls.engine import Identity
from linekey.trust.connection import ConnectionReport

NOW = datetime.now(UTC)
MAC = Mac("000413200000")
LIMITS = Limits(per_second=None, connect_s=5.0, answer_s=5.0)
IMPATIENT = Limits(per_second=None, connect_s=5.0, answer_s=0.5)
_WORDS = {
    Outcome.PHONE_REFUSES: "phone",
    Outcome.SERVER_REFUSES: "server",
    Outcome.UNREACHABLE: "unreachable",
}


def told(result: ClassResult) -> str:
    """A result in the words of ``Case.expected``."""
    if result.outcome is Outcome.ACCEPTED:
        return "accepted"
    rules = dict.fromkeys(f.rule for f in result.findings if f.refuses)
    return f"{_WORDS[result.outcome]}: {' '.join(rules)}"


def classes_for(
    kinds: list[Kind], called: str, root: Certificate
) -> tuple[PhoneClass, ...]:
    """The catalogue's classes of these kinds, which know ``root`` and nothing else."""
    strict = kinds[0].authenticates
    assert all(k.authenticates is strict for k in kinds)
    rows = {row for kind in kinds for row in kind.rows}
    setup = Setup(
        authorities=(root,),
        documents=(PhoneDocument.of_settings({"tls_server_authentication": "on"}),)
        if strict
        else (),
    )
    profiles = [p for p in all_profiles() if p.match.row.id in rows]
    return classes_of(gather(profiles, called, setup, now=NOW).phones)


def kind_of(phones: PhoneClass, authenticates: bool) -> str:
    (kind,) = [
        name
        for name, kind in KINDS.items()
        if phones.first.profile.match.row.id in kind.rows
        and kind.authenticates is authenticates
    ]
    return kind


async def check(
    running: Running,
    classes: tuple[PhoneClass, ...],
    identity: Identity | None = None,
    known: tuple[Certificate, ...] = (),
) -> Report:
    """``linekey check`` without its command line."""
    called = running.case.called
    limits = IMPATIENT if running.case.talk == "silent" else LIMITS
    answers = await ask_for(
        Prober(limits), "127.0.0.1", running.port, classes, identity=identity,
        name=called,
    )  # fmt: skip
    chain = () if identity is None else tuple(identity.chain)
    question = Question(called, NOW, known=known, identity=chain)
    return check_answers(
        answers, classes, question, label="test servers", host="127.0.0.1", port=running.port,
        checked_at=NOW,
    )  # fmt: skip


class Visitor(VirtualPhone):
    """A virtual phone that remembers its connections."""

    def __init__(self, state: PhoneState, **options: object) -> None:
        super().__init__(state, **options)  # type: ignore[arg-type]
        self.reports = []

    def happened(self, event: Event) -> None:
        if isinstance(event, ConnectionReported):
            self.reports.append(event.report)
        super().happened(event)


@dataclass(frozen=True)
class Visit:
    """What a virtual phone met: its state after the round, its verdict in words."""

    state: PhoneState
    verdict: str


def built_in(
    lab: LabAuthority, generation: Generation
) -> tuple[Identity, DeviceIdentity]:
    chain, key = lab.device_identity(MAC, generation)
    return Identity(chain, key), DeviceIdentity(chain, private_key_to_pem(key))


async def visit(
    running: Running, kind: Kind, root: Certificate, lab: LabAuthority
) -> Visit:
    """A phone of this kind boots with the test server as its setting server."""
    model, firmware = kind.phone
    _, identity = built_in(lab, find_model(model).builtin)
    state = new_phone(
        MAC, model, firmware, builtin=identity, authorities=(root,),
        setting_server=f"https://{running.case.called}:{running.port}/",
    )  # fmt: skip
    if kind.authenticates:
        state = replace(state, server_authentication=True)
    phone = Visitor(state, time_limit_s=0.5 if running.case.talk == "silent" else 5.0)
    async with asyncio.timeout(30), phone:
        after = await phone.round_ended()
    return Visit(after, _verdict(after, phone.reports[0] if phone.reports else None))


_CERTIFICATE_STATUS = {400, 403, 495, 496}
"""How nginx says in HTTP that it does not take a certificate (400), and others."""


def _verdict(state: PhoneState, report: ConnectionReport | None) -> str:
    if report is None:
        return "unreachable"
    verdict = report.verdict
    if verdict is not None and not verdict.accepted:
        rules = dict.fromkeys(f.rule for f in verdict.findings if f.refuses)
        return f"phone: {' '.join(rules)}"
    if report.alert_received is not None:
        return "server"
    if report.alert_sent is not None and not report.completed:
        protocol = {Alert.ILLEGAL_PARAMETER, Alert.HANDSHAKE_FAILURE}
        return "phone" if report.alert_sent in protocol else "unreachable"
    if not report.completed:
        return "unreachable"
    statuses = {document.status for document in state.fetched}
    return "server" if statuses & _CERTIFICATE_STATUS else "accepted"


def agree(expected: str, met: str) -> bool:
    """Whether a phone's verdict is the expected one.

    A phone that refuses names the rules of its judge, in the same order; what it never
    came to see (the server's late refusal) and what its engine refused (the suite) is
    not among them.
    """
    outcome, _, rules = expected.partition(": ")
    if outcome != "phone":
        return met == outcome
    judged = [r for r in rules.split() if not r.startswith(("tls.", "client."))]
    return (
        met == f"phone: {' '.join(judged)}" if judged and ":" in met else met == "phone"
    )

"""From what a server said (or would say) to a result for one class of phones.

The outcomes are decided here and nowhere else. What the phone refuses comes before what
the server would refuse afterwards, as on the wire; both are told. Where no source tells
what a phone supports, nothing is concluded: the outcome is unknown, with what it would
take to know. A captured hello tells all but the CAs that the phone has built in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from linekey.catalog.profile import Profile
from linekey.certs.certificate import Certificate
from linekey.check.answer import Answer
from linekey.check.classes import PhoneClass
from linekey.check.client_side import client_summary, look_at_client
from linekey.check.cures import (
    append_cure,
    protocol_cures,
    provision_cure,
    setting_cure,
)
from linekey.check.negotiation import look_at_negotiation, look_at_reach
from linekey.check.report import ClassResult, Cure, Outcome
from linekey.trust.findings import Finding, Verdict, failed, in_order
from linekey.trust.name_check import is_ip
from linekey.trust.paths import missing_intermediates, unreadable
from linekey.trust.root_age import DEPENDS, ROOT_DATE, difference_of


@dataclass(frozen=True, slots=True)
class Question:
    """What is judged for every class alike.

    ``name`` is what the phones connect to; ``at`` the date of the judgement (aware);
    ``known`` certificates known from elsewhere, which only help to say what is
    missing; ``identity`` the certificate chain that phones would show, where the
    operator gave one.
    """

    name: str | None
    at: datetime
    known: tuple[Certificate, ...] = ()
    identity: tuple[Certificate, ...] = ()


def assess_unknown(phones: PhoneClass) -> ClassResult:
    """The result for phones of which no source tells what they support in TLS."""
    model = phones.first.profile.model
    finding = failed(
        "phone.abilities",
        "no source tells by model and firmware what it supports in TLS (versions, "
        f"suites, kinds of key, hashes): {model.title}",
        severity="warning",
        evidence="; ".join(
            f"{rule.statement} ({rule.source})"
            for rule in phones.first.profile.facts
            if rule.name == "tls.told"
        ),
        cure="capture the ClientHello that the phone sends (its first bytes to any "
        f"TLS port, raw or in hex) and give it: --model {model.name} --hello FILE",
    )
    return ClassResult(
        id=phones.id,
        phones=phones.pairs,
        hello={
            "origin": "unknown: no source tells it, and none was captured",
            "versions": [],
            "suites": [],
            "server_name": None,
            "ja4": None,
        },
        outcome=Outcome.UNKNOWN,
        findings=(finding,),
    )


def assess_chain(
    phones: PhoneClass, chain: Sequence[Certificate], question: Question
) -> ClassResult:
    """A result for a chain that is on no server yet (``--chain``)."""
    verdict = _judge(phones, chain, question)
    return _result(phones, chain, question, verdict, verdict.findings)


def assess_answer(
    phones: PhoneClass, answer: Answer, question: Question, *, others_answered: bool
) -> ClassResult:
    """A result for what a server said to this class's hello.

    ``others_answered`` is true where the server spoke TLS with another class: then a
    connection closed without a word is a refusal of this hello, not a dead server.
    """
    reached = look_at_reach(answer, phones.first, others_answered=others_answered)
    if reached.outcome is not None:
        result = ClassResult(
            id=phones.id,
            phones=phones.pairs,
            hello=phones.first.hello.as_dict(),
            outcome=reached.outcome,
            findings=in_order(
                (*look_at_firmware(phones.first.profile), *reached.findings)
            ),
            alert=None if answer.alert is None else answer.alert.label,
            roots=_roots(phones),
        )
        if reached.outcome is Outcome.SERVER_REFUSES:
            cures = protocol_cures([p.profile for p in phones.phones], "tls.suite")
            result = replace(result, cures=tuple(cures))
        return result
    spoken = look_at_negotiation(answer, phones.first)
    suite = answer.suite
    phone = phones.first
    verdict = Verdict(True, ())
    if answer.unreadable:
        verdict = Verdict.of([unreadable(answer.unreadable)])
    elif (
        suite is None
        or suite.authentication != "anon"
        or phone.state.authenticates_servers
    ):
        verdict = _judge(phones, answer.chain, question)
    client = look_at_client(answer, phones.first, question.identity, question.at)
    findings = (*spoken, *verdict.findings, *client)
    result = _result(phones, answer.chain, question, verdict, findings)
    return replace(
        result,
        negotiated=answer.negotiated,
        client_certificate=client_summary(answer),
    )


def look_at_firmware(profile: Profile) -> list[Finding]:
    """Whether there is such a phone at all: a warning with the near versions."""
    return [
        failed(
            "phone.firmware",
            doubt,
            severity="warning",
            evidence="the nearest row of the cipher matrix is used: "
            f"{profile.match.how}",
            cure="look up the firmware version on the phone's own page, and give it",
        )
        for doubt in profile.warnings
    ]


_CLIENT: Final = "client."


def _result(
    phones: PhoneClass,
    chain: Sequence[Certificate],
    question: Question,
    verdict: Verdict,
    findings: Sequence[Finding],
) -> ClassResult:
    about_roots = _look_at_roots(phones, verdict)
    findings = (*look_at_firmware(phones.first.profile), *about_roots, *findings)
    ordered = in_order(findings)
    differs = difference_of(verdict)
    refusals = [f for f in ordered if f.refuses]
    if any(not f.rule.startswith(_CLIENT) for f in refusals):
        outcome = Outcome.PHONE_REFUSES
    elif refusals:
        outcome = Outcome.SERVER_REFUSES
    elif about_roots:
        outcome = Outcome.UNKNOWN
    else:
        outcome = Outcome.ACCEPTED
    alert = verdict.alert if outcome is Outcome.PHONE_REFUSES else None
    return ClassResult(
        id=phones.id,
        phones=phones.pairs,
        hello=phones.first.hello.as_dict(),
        outcome=outcome,
        findings=ordered,
        alert=None if alert is None else alert.label,
        path=tuple(
            {"subject": str(c.subject), "label": c.label, "sha256": c.sha256}
            for c in verdict.path
        ),
        cures=tuple(_cures(phones, chain, question, verdict, ordered)),
        roots=_roots(phones),
        differs="" if differs is None else f"{_capital(differs.evidence)}.",
    )


def _look_at_roots(phones: PhoneClass, verdict: Verdict) -> list[Finding]:
    """That a path ends at a CA which these phones may have built in, or may not.

    Which they have no source tells: a public CA is taken for theirs to see what else
    there is, and then this decides.
    """
    phone = phones.first
    if phone.profile.model.is_known or not verdict.path:
        return []
    if not verdict.accepted or not phone.state.authenticates_servers:
        return []
    own = {entry.certificate for entry in phone.state.trust.server_certificates}
    if own & set(verdict.path):
        return []
    top = verdict.path[-1]
    return [
        failed(
            "phone.roots",
            f"no source tells whether the {phone.profile.model.title} has "
            f"{top.label} built in; with it the phone accepts",
            severity="warning",
            evidence=f"the path ends at {top.label}, a public root",
            cure="provision that CA to the phones, as linekey's own files do, and give "
            "it with --trust FILE",
        )
    ]


def _roots(phones: PhoneClass) -> dict[str, Any] | None:
    roots = phones.first.state.roots
    return None if roots is None else roots.as_dict()


def _judge(
    phones: PhoneClass, chain: Sequence[Certificate], question: Question
) -> Verdict:
    return phones.first.state.verdict_on(
        chain, question.name, question.at, known=question.known
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _cures(
    phones: PhoneClass,
    chain: Sequence[Certificate],
    question: Question,
    verdict: Verdict,
    findings: Sequence[Finding],
) -> list[Cure]:
    """Texts to paste, for what failed and decides (or would, with authentication)."""
    phone = phones.first
    rules = {f.rule for f in findings if not f.ok and f.severity != "note"}
    cures: list[Cure] = []
    if "chain.incomplete" in rules:
        missing = missing_intermediates(
            chain, phone.state.trust, question.at, question.known
        )
        if missing:
            cures.append(append_cure(missing, "chain.incomplete"))
    if "chain.self-signed" in rules:
        cures.append(provision_cure(chain[:1], phone.profile, "chain.self-signed"))
    elif (about := rules & {"chain.untrusted", DEPENDS, ROOT_DATE}) and verdict.path:
        rule = "chain.untrusted" if "chain.untrusted" in about else about.pop()
        top = verdict.path[-1]
        issuers = [c for c in question.known if c.self_issued and _issued(c, top)]
        anchor = top if top.self_issued or not issuers else issuers[0]
        if anchor != chain[0]:
            cures.append(provision_cure((anchor,), phone.profile, rule))
    if "name.wildcard" in rules:
        lenient = phone.state.tls_settings.host_flags & ~(2 | 4 | 16)
        cures.append(
            setting_cure("host_name_validation_flags", str(lenient), "name.wildcard")
        )
    if "name.unchecked" in {f.rule for f in findings if not f.ok} and (
        phone.profile.check_fqdn_available
        and phone.profile.model.is_known
        and question.name
        and not is_ip(question.name)
        and phone.state.authenticates_servers
    ):
        cures.append(
            setting_cure("check_fqdn_against_server_cert", "on", "name.unchecked")
        )
    return cures


def _issued(root: Certificate, below: Certificate) -> bool:
    return root.subject.matches(below.issuer)

"""What a server said to the variants of a phone's hello, beside what it said to that.

Two things that the hello only guesses can decide: whether a server name is sent, and
the order of the suites. Where another answer leads to another outcome, one finding says
so, and stands before all else (``phone.server-name``, ``phone.suite-order``), as for
the firmware's date: both are judged, by the one judge. Where a second certificate or a
group of the same server would be refused, that is a warning: today's answer is another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from linekey.certs.certificate import Certificate
from linekey.check.answer import Answer, Reach
from linekey.check.classes import PhoneClass
from linekey.check.report import ClassResult, Outcome
from linekey.check.variants import Change, Variant, variants_of
from linekey.reasons import Severity
from linekey.trust.findings import Finding, failed, held, in_order

SERVER_NAME = "phone.server-name"
"""The rule whose finding says that the verdict depends on whether a name is sent."""
SUITE_ORDER = "phone.suite-order"
"""The rule whose finding says that it depends on the order of the suites."""

SERVER_NAME_SHOWN = "tls.server-name"
"""The rule whose finding says that another certificate is shown, to the same effect."""

Assess = Callable[[PhoneClass, Answer], ClassResult]
_SAYS = {
    Outcome.ACCEPTED: "the phone accepts",
    Outcome.PHONE_REFUSES: "the phone refuses the server",
    Outcome.SERVER_REFUSES: "the server refuses the phone",
    Outcome.UNREACHABLE: "there is no answer",
    Outcome.UNKNOWN: "it is not known whether the phone accepts",
}


@dataclass(frozen=True, slots=True)
class _Met:
    """One answer and what the phone makes of it."""

    answer: Answer
    result: ClassResult

    @property
    def leaf(self) -> Certificate | None:
        return self.answer.chain[0] if self.answer.chain else None

    @property
    def words(self) -> str:
        """``the server shows CN=x, and the phone refuses the server (…)``."""
        shown = f"shows {self.leaf.label}" if self.leaf else "shows no certificate"
        return f"the server {shown}, and {self.said}"

    @property
    def said(self) -> str:
        says = _SAYS[self.result.outcome]
        refusals = [f.message for f in self.result.findings if f.refuses]
        return f"{says} ({refusals[0]})" if refusals else says


def with_other_answers(
    phones: PhoneClass,
    result: ClassResult,
    answers: Mapping[tuple[object, ...], Answer],
    name: str | None,
    assess: Assess,
) -> ClassResult:
    """The result, with what the answers to the hello's variants add to it.

    ``answers`` by ``Hello.wire_key``; a variant that was not asked, or was lost on the
    way, adds nothing.
    """
    first = phones.first
    own = _Met(answers[first.hello.wire_key], result)
    met: dict[Change, _Met] = {}
    for variant in variants_of(first.hello, name):
        answer = answers.get(variant.hello.wire_key)
        if answer is not None and (
            answer.reach is Reach.ANSWERED or answer.reach.wordless
        ):
            met[variant.change] = _Met(
                answer, _assessed(phones, variant, answer, assess)
            )
    findings: list[Finding] = []
    if Change.SERVER_NAME in met:
        sends = first.hello.client_hello.server_name is not None
        findings += _about_name(own, met[Change.SERVER_NAME], sends, name or "")
    if Change.ORDER in met:
        findings += _about_order(own, met)
    findings += _about_certificates(own, met)
    return replace(result, findings=in_order((*result.findings, *findings)))


def _assessed(
    phones: PhoneClass, variant: Variant, answer: Answer, assess: Assess
) -> ClassResult:
    alike = replace(phones.first, hello=variant.hello)
    return assess(PhoneClass(phones.id, (alike,)), answer)


def _about_name(own: _Met, other: _Met, sends: bool, name: str) -> list[Finding]:
    with_name, without = (own, other) if sends else (other, own)
    inferred = (
        "that this firmware sends one is inferred"
        if sends
        else "that this firmware sends none is inferred"
    )
    if own.result.outcome is not other.result.outcome:
        return [
            failed(
                SERVER_NAME,
                "depends on whether this firmware sends a server name (SNI): with it "
                f"{with_name.words}; without it {without.words}",
                severity="warning",
                evidence=f"{inferred}; asked with the name {name} and without a server "
                "name",
                cure=f"make the certificate for {name} the default one of this address "
                "and port (nginx: default_server; Apache: the first VirtualHost; "
                "HAProxy: the first crt), so that it is shown without a name, too",
            )
        ]
    if with_name.leaf == without.leaf:
        shown = without.leaf.label if without.leaf else "no certificate"
        return [
            held(
                SERVER_NAME,
                f"with and without a server name (SNI) the server shows {shown}",
                inferred,
            )
        ]
    shown = without.leaf.label if without.leaf else "no certificate"
    return [
        failed(
            SERVER_NAME_SHOWN,
            f"without a server name (SNI) the server shows {shown} instead; the "
            "verdict is the same either way",
            severity="warning" if not sends else "note",
            evidence=inferred,
            cure=f"make the certificate for {name} the default one of this address and "
            "port",
        )
    ]


def _about_order(own: _Met, met: Mapping[Change, _Met]) -> list[Finding]:
    turned = met[Change.ORDER]
    if not _picked(turned) or _picked(turned) == _picked(own):
        return []
    others = [turned, *(met[c] for c in (Change.DHE, Change.ECDHE) if c in met)]
    odd = next((m for m in others if _differs(own, m)), None)
    if odd is not None:
        return [
            failed(
                SUITE_ORDER,
                "depends on this firmware's order of suites, which the server follows: "
                f"with {_picked(own)} {own.said}, with {_picked(odd)} {odd.said}",
                severity="warning",
                evidence="the order is inferred; asked with the reverse one as well",
                cure="let the server prefer its own order of suites "
                "(ssl_prefer_server_ciphers on in nginx), and repair what is refused",
            )
        ]
    known = {(f.rule, f.message) for f in own.result.warnings}
    worse = [
        f
        for m in others
        for f in m.result.warnings
        if f.rule.startswith("tls.") and (f.rule, f.message) not in known
    ]
    severity: Severity = "warning" if worse else "note"
    tail = f"; then {worse[0].message}" if worse else ""
    return [
        failed(
            "tls.suite-order",
            "the server follows the phone's order of suites, which is inferred: it "
            f"picks {_picked(own)}, and from the reverse order {_picked(turned)}{tail}",
            severity=severity,
            evidence="asked with the reverse order as well",
            cure="let the server prefer its own order of suites, with AES first",
        )
    ]


def _differs(own: _Met, other: _Met) -> bool:
    """Whether another outcome came of another suite; none in common is no outcome."""
    return bool(other.answer.suite_number) and (
        own.result.outcome is not other.result.outcome
    )


def _picked(met: _Met) -> str:
    suite = met.answer.suite
    return suite.name if suite is not None else ""


def _about_certificates(own: _Met, met: Mapping[Change, _Met]) -> list[Finding]:
    findings = []
    for change in (Change.RSA, Change.ECDSA):
        other = met.get(change)
        if other is None or other.leaf is None or other.leaf == own.leaf:
            continue
        leaf = other.leaf
        also = (
            f"the server has another certificate for {change.value} suites: "
            f"{leaf.label}, {leaf.key.text}, until {leaf.not_after:%Y-%m-%d}"
        )
        if _differs(own, other):
            findings.append(
                failed(
                    "chain.other-certificate",
                    f"{also}; where the server picks that one, {other.said}",
                    severity="warning",
                    evidence=f"asked with {change.value} suites alone; with all of the "
                    f"phone's suites {own.words}",
                    cure="renew and repair both certificates together, or take one of "
                    "them off the server",
                )
            )
        else:
            findings.append(
                held("chain.other-certificate", f"{also}; {other.said}, too")
            )
    return findings

"""What was agreed on below the certificates: reach, version, suite, key exchange.

A phone takes what it offered and nothing else (RFC 5246 §7.4.1.3), which is every
version from its newest down to its oldest (§E.1), SSL 3 where it speaks it; whether
what it takes still protects is another question, and a warning (RFC 9325, RFC 8996).
"""

from dataclasses import dataclass
from typing import Final

from linekey.check.answer import Answer, Reach
from linekey.check.classes import Phone
from linekey.check.cures import is_speakable
from linekey.check.report import Outcome
from linekey.tls.alerts import Alert, cure, explain
from linekey.tls.versions import Version, label_of
from linekey.trust.findings import Finding, failed, held
from linekey.trust.strength import look_at_group

WEAK_CIPHERS: Final = frozenset({"NULL", "DES", "RC4", "RC2", "3DES"})
"""Prohibited or no longer to be used (RFC 9325 §4.1)."""


@dataclass(frozen=True, slots=True)
class Reached:
    """``outcome`` is None where the conversation went on to a certificate."""

    outcome: Outcome | None
    findings: tuple[Finding, ...]


def look_at_reach(answer: Answer, phone: Phone, *, others_answered: bool) -> Reached:
    """Was the server reached, and did it take the hello."""
    where = answer.address or "the server"
    cures = {
        Reach.NO_NAME: (
            "reach.name",
            "correct the name, or the DNS the phones use",
        ),
        Reach.NO_CONNECTION: (
            "reach.connect",
            "check address, port and firewall, and that the server runs",
        ),
        Reach.TIMED_OUT: (
            "reach.time",
            "check firewall and load of the server; --timeout gives it longer",
        ),
        Reach.NOT_TLS: (
            "reach.tls",
            "give the port that speaks TLS (SIP over TLS is usually 5061, HTTPS 443)",
        ),
        Reach.MALFORMED: (
            "reach.malformed",
            "look at what stands at this port; its messages break the TLS standard",
        ),
    }
    if answer.reach in cures:
        rule, what = cures[answer.reach]
        return Reached(
            Outcome.UNREACHABLE,
            (failed(rule, answer.detail, evidence=where, cure=what),),
        )
    if answer.reach.wordless:
        return _wordless(answer, where, others_answered=others_answered)
    if answer.alert is not None:
        return Reached(Outcome.SERVER_REFUSES, (_told(answer, phone, answer.alert),))
    return Reached(None, ())


def _wordless(answer: Answer, where: str, *, others_answered: bool) -> Reached:
    """What hanging up, or silence, means: that depends on what another hello gets."""
    silent = answer.reach is Reach.SILENT
    evidence = f"{where}: {answer.detail}"
    patience = "; --timeout waits longer" if silent else ""
    if others_answered:
        did = (
            "says nothing to this phone's hello"
            if silent
            else "closed the connection after this phone's hello without a word"
        )
        finding = failed(
            "tls.alert",
            f"the server {did}, and answers another hello",
            evidence=evidence,
            cure="allow the phone's versions and suites on the server, and on what "
            f"looks into TLS before it{patience}",
        )
        return Reached(Outcome.SERVER_REFUSES, (finding,))
    did = (
        "took the connection and says nothing to any hello"
        if silent
        else "closed the connection after the hello without a word"
    )
    finding = failed(
        "reach.time" if silent else "reach.tls",
        f"the server {did}",
        evidence=evidence,
        cure=f"check that the port speaks TLS, and to this network{patience}",
    )
    return Reached(Outcome.UNREACHABLE, (finding,))


def _told(answer: Answer, phone: Phone, alert: Alert) -> Finding:
    offered = ", ".join(label_of(v) for v in phone.hello.versions)
    evidence = f"{answer.address}: alert {alert.label}; phone offers {offered}"
    if not is_speakable(phone.profile) and alert is not Alert.UNRECOGNIZED_NAME:
        return failed(
            "tls.suite",
            f"the server refuses the phone's hello ({alert.label}): it offers only "
            "what no current TLS library speaks any more (SSL 3, 3DES, RC4, DES)",
            evidence=evidence,
            cure="nothing at the server: update the phone's firmware (8.7.5.35 brings "
            "AES), or replace it",
        )
    if alert is Alert.INTERNAL_ERROR and max(phone.hello.versions) < Version.TLS1_2:
        return failed(
            "tls.version",
            f"the server fails on the phone's {offered}: OpenSSL says internal_error "
            "where its security level forbids the old version's hashes",
            evidence=evidence,
            cure="allow TLS 1.0 and security level 0 (@SECLEVEL=0) for these phones, "
            "on a name or port of their own",
        )
    if alert is Alert.PROTOCOL_VERSION:
        return failed(
            "tls.version",
            f"the server speaks none of the phone's versions ({offered})",
            evidence=evidence,
            cure=cure(alert),
        )
    if alert in (Alert.HANDSHAKE_FAILURE, Alert.INSUFFICIENT_SECURITY):
        return failed(
            "tls.suite",
            "the server finds nothing in the phone's hello that it takes: no common "
            "cipher suite, curve or version",
            evidence=evidence,
            cure=cure(alert),
        )
    return failed(
        "tls.alert",
        f"the server refuses the phone's hello: {explain(alert)}",
        evidence=evidence,
        cure=cure(alert) or "look in the server's log",
    )


def look_at_negotiation(answer: Answer, phone: Phone) -> list[Finding]:
    """Version, suite and key exchange of a server's flight."""
    hello = phone.hello.client_hello
    findings: list[Finding] = []
    if answer.version is not None:
        findings += _version(answer.version, phone.hello.versions)
    number = answer.suite_number
    suite = answer.suite
    name = suite.name if suite else f"0x{number or 0:04x}"
    if number is not None and number not in hello.suites:
        findings.append(
            failed(
                "tls.suite-offered",
                f"the server picks {name}, which the phone did not offer",
                evidence=f"0x{number:04x}",
                cure="look at what answers there: no sound TLS server does that",
            )
        )
    elif suite is not None:
        findings.append(held("tls.suite", f"phone and server agree on {name}"))
        if suite.cipher in WEAK_CIPHERS or suite.export:
            findings.append(
                failed(
                    "tls.weak-suite",
                    f"the server picks {name}, which is no longer secure",
                    severity="warning",
                    evidence=f"{suite.cipher}, {suite.bits} bits",
                    cure="let the server prefer its own order of suites, with AES "
                    "first",
                )
            )
        elif suite.authentication == "anon":
            findings.append(
                failed(
                    "tls.weak-suite",
                    f"the server picks {name}: nobody proves who they are",
                    severity="warning",
                    evidence=name,
                    cure="take anonymous suites out of the server's list",
                )
            )
    return findings + _key_exchange(answer, phone)


def _version(version: Version, offered: tuple[int, ...]) -> list[Finding]:
    if version not in offered:
        return [
            failed(
                "tls.version",
                f"the server answers with {version.label}, which the phone did not "
                "offer",
                evidence=", ".join(label_of(v) for v in sorted(offered)),
                cure="let the server speak a version that the phone has",
            )
        ]
    findings = [held("tls.version", f"phone and server agree on {version.label}")]
    if version < Version.TLS1_2:
        findings.append(
            failed(
                "tls.old-version",
                f"{version.label} is chosen, which is retired",
                severity="warning",
                evidence=f"the phone's newest is {label_of(max(offered))}",
                cure=f"let the server speak {label_of(max(offered))}"
                if max(offered) > version
                else "nothing at the server: the phone has no newer; update its "
                "firmware, or replace it",
            )
        )
    return findings


def _key_exchange(answer: Answer, phone: Phone) -> list[Finding]:
    exchange = answer.key_exchange
    findings: list[Finding] = []
    if exchange is None:
        return findings
    groups = phone.hello.client_hello.groups
    if (
        exchange.group_number is not None
        and groups
        and (exchange.group_number not in groups)
    ):
        findings.append(
            failed(
                "tls.curve",
                f"the server picks the curve {exchange.group}, which the phone did not "
                "offer",
                evidence=exchange.kind,
                cure="let the server use secp256r1 (ssl_ecdh_curve in nginx)",
            )
        )
    if exchange.bits is not None and exchange.kind == "DHE":
        small = look_at_group(exchange.bits, phone.profile)
        findings += [small] if small else []
    return findings

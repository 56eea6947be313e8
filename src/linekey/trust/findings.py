"""Findings and verdicts: what a judgement says, as values.

A ``Finding`` is one rule that held or failed, with its evidence and its cure; findings
are collected, never raised. A ``Verdict`` is all of them, in the order in which the
phone would meet them, and what follows: accepted or not, and the alert the phone would
send. The rules themselves are in ``linekey.trust.rules``.

The alert follows OpenSSL's table from X.509 verification results to alerts
(``ssl_x509err2alert``), which the phones' firmware is built on (confidence M; the
mapping itself is held against OpenSSL in ``tests/live/test_judge_alerts.py``).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

from linekey.certs.certificate import Certificate
from linekey.certs.verify_errors import alert_number
from linekey.reasons import Severity
from linekey.tls.alerts import Alert
from linekey.trust.rules import PLACE, RULES, Confidence

_SEVERITY_ORDER: Final = {"refused": 0, "warning": 1, "note": 2}


def alert_for(x509_error: int) -> Alert:
    """The alert OpenSSL sends for an X.509 verification result (a number, not 0)."""
    return Alert(alert_number(x509_error))


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that held or failed.

    ``rule`` is an id of ``RULES``, or of preflight's table; ``message`` a sentence
    without a full stop; ``evidence`` what was seen (may be empty); ``cure`` what to do
    (empty where the rule held or nothing can be done); ``x509_error`` OpenSSL's number
    where the rule is one of its checks, else None.
    """

    rule: str
    ok: bool
    severity: Severity
    message: str
    evidence: str = ""
    cure: str = ""
    source: str = ""
    confidence: Confidence = "H"
    x509_error: int | None = None

    @property
    def refuses(self) -> bool:
        """Whether this finding alone ends the connection."""
        return not self.ok and self.severity == "refused"

    def as_dict(self) -> dict[str, Any]:
        """For JSON: every field by its name."""
        return asdict(self)


def held(rule: str, message: str, evidence: str = "") -> Finding:
    """A rule that held. KeyError for an id that is in no table: a bug of ours."""
    row = RULES[rule]
    return Finding(
        rule, True, "note", message, evidence, "", row.source, row.confidence
    )


def failed(
    rule: str,
    message: str,
    *,
    evidence: str = "",
    cure: str = "",
    severity: Severity = "refused",
    x509_error: int | None = None,
    confidence: Confidence | None = None,
) -> Finding:
    """A rule that failed; ``confidence`` defaults to the rule's own."""
    row = RULES[rule]
    return Finding(
        rule,
        False,
        severity,
        message,
        evidence,
        cure,
        row.source,
        confidence or row.confidence,
        x509_error,
    )


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """As the phone would meet them; within one rule, what decides comes first."""
    return tuple(
        sorted(
            findings,
            key=lambda f: (PLACE[f.rule], f.ok, _SEVERITY_ORDER[f.severity]),
        )
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """Would the phone accept this server.

    ``findings`` are in the phone's order; ``path`` is leaf first, up to the anchor
    (as far as one could be built); ``alert`` is what the phone would send, None when
    it accepts.
    """

    accepted: bool
    findings: tuple[Finding, ...]
    path: tuple[Certificate, ...] = ()
    alert: Alert | None = None

    @classmethod
    def of(
        cls, findings: Iterable[Finding], path: tuple[Certificate, ...] = ()
    ) -> Self:
        """Sum findings up: the first that refuses gives the alert."""
        ordered = in_order(findings)
        first = next((f for f in ordered if f.refuses), None)
        alert = None
        if first is not None:
            alert = (
                Alert.HANDSHAKE_FAILURE
                if first.x509_error is None
                else alert_for(first.x509_error)
            )
        return cls(first is None, ordered, path, alert)

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """Every finding that refuses, in the phone's order."""
        return tuple(f for f in self.findings if f.refuses)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Every failed rule that does not refuse today but is worth acting on."""
        return tuple(f for f in self.findings if not f.ok and f.severity == "warning")

    @property
    def reason(self) -> str:
        """The first refusal's message, or "accepted"."""
        return self.refusals[0].message if self.refusals else "accepted"

    @property
    def x509_error(self) -> int:
        """OpenSSL's number for the first refusal; 0 for none, 1 where it has none."""
        if not self.refusals:
            return 0
        number = self.refusals[0].x509_error
        return 1 if number is None else number

    def as_dict(self) -> dict[str, Any]:
        """For JSON: certificates by subject and SHA-256."""
        return {
            "accepted": self.accepted,
            "alert": None if self.alert is None else self.alert.name.lower(),
            "reason": self.reason,
            "x509_error": self.x509_error,
            "path": [
                {"subject": str(c.subject), "sha256": c.sha256} for c in self.path
            ],
            "findings": [f.as_dict() for f in self.findings],
        }

"""What one connection leaves behind: a log line, a tab entry, a notification.

Rules: every connection is logged with purpose, peer, version, suite and verdict, and
every failed rule in words (issue of the virtual phone, part 10); a refused server
certificate goes to the Unknown tab (SNOM-TLS, Adding Unknown Certificates, H) and onto
the screen, with what to do; the cure of any other failure is the report's own, where
whoever knew the reason gave one.
"""

from dataclasses import replace
from datetime import datetime

from linekey.phone.own_refusal import cure_of_refusal
from linekey.phone.state import LastTls, Level, Notification, PhoneState
from linekey.tls.alerts import explain
from linekey.trust.client_refusal import CertificateWish
from linekey.trust.connection import ConnectionReport
from linekey.trust.findings import Finding
from linekey.trust.rules import RULES


def note_connection(
    state: PhoneState, report: ConnectionReport, now: datetime
) -> PhoneState:
    """Write one connection down."""
    level, text = _summary(report)
    state = state.with_log(now, report.purpose, text, *_details(report), level=level)
    if report.completed and report.version is not None and report.suite is not None:
        wish, before = report.wish, state.last_tls
        if report.resumed and before is not None and before.peer == report.peer:
            wish = before.wish  # a resumed session has no request of its own
        last = LastTls(
            report.purpose, report.peer, report.version.label, report.suite.name, wish
        )
        state = replace(state, last_tls=last)
    if report.refused_by_phone and report.chain:
        state = _note_refused(state, report, now)
    elif report.error:
        state = state.with_notification(
            Notification(
                now,
                "Connection failed",
                f"{report.purpose.label}: {report.peer}: {report.error}",
                _cure(report, _own_cure(state, report, now)),
                report.purpose,
                report.peer,
            )
        )
    elif report.completed:
        state = replace(
            state,
            notifications=tuple(
                n
                for n in state.notifications
                if (n.purpose, n.peer) != (report.purpose, report.peer)
            ),
        )
    return state


def _note_refused(
    state: PhoneState, report: ConnectionReport, now: datetime
) -> PhoneState:
    verdict, leaf = report.verdict, report.chain[0]
    assert verdict is not None  # refused_by_phone
    trust = state.trust.with_refused(
        leaf, at=now, purpose=report.purpose, peer=report.peer, reason=verdict.reason
    )
    return replace(state, trust=trust).with_notification(
        Notification(
            now,
            "Connection refused",
            f"{report.purpose.label}: the certificate of {report.peer} "
            f"({leaf.label}) was refused: {verdict.reason}",
            _cure(report),
            report.purpose,
            report.peer,
            leaf.sha256,
        )
    )


def _summary(report: ConnectionReport) -> tuple[Level, str]:
    what = report.peer
    if not report.encrypted:
        what += ", without TLS"
    if report.version is not None:
        what += f", {report.version.label}"
    if report.suite is not None:
        what += f" {report.suite.name}"
    if report.resumed:
        what += ", resumed"
    if report.refused_by_phone:
        assert report.verdict is not None  # refused_by_phone
        sent = f"; alert sent: {_name(report.alert_sent)}" if report.alert_sent else ""
        return "error", f"{what}: server refused: {report.verdict.reason}{sent}"
    if report.error:
        alert = ""
        if report.alert_received is not None:
            alert = f"; alert received: {_name(report.alert_received)}"
        elif report.alert_sent is not None:
            alert = f"; alert sent: {_name(report.alert_sent)}"
        return "error", f"{what}: {report.error}{alert}"
    if not report.encrypted:
        return "info", f"{what}: connected"
    if report.verdict is not None and report.verdict.warnings:
        return "warning", f"{what}: handshake completed, with warnings"
    return "info", f"{what}: handshake completed, server accepted"


def _name(alert: object) -> str:
    return getattr(alert, "name", str(alert)).lower()


def _details(report: ConnectionReport) -> list[str]:
    details: list[str] = []
    if report.chain:
        leaf = report.chain[0]
        details.append(f"server certificate: {leaf.label}, SHA-256 {leaf.sha256}")
    if report.verdict is not None:
        details += [_worded(f) for f in report.verdict.findings if not f.ok]
    if report.alert_received is not None:
        meaning = explain(report.alert_received)
        if report.renegotiation_asked:
            meaning = "the phone did not renegotiate"
        details.append(f"alert received: {_name(report.alert_received)}: {meaning}")
    if report.client_certificate is not None:
        own = report.client_certificate
        details.append(
            f"the server asked for a certificate; the phone sent {own.label}, "
            f"{own.key.text}, {own.signature_algorithm}{_named(report.wish)}"
        )
    elif report.client_certificate_asked:
        details.append("the server asked for a certificate; the phone sent none")
    details += report.notes
    return details


def _named(wish: CertificateWish | None) -> str:
    """The CAs that the server lists: ``; the server accepts the CAs CN=x``."""
    if wish is None:
        return ""
    if not wish.authorities:
        return "; the server lists no CA"
    more = len(wish.authorities) - 3
    names = ", ".join(str(name) for name in wish.authorities[:3])
    return f"; the server accepts the CAs {names}" + (
        f" and {more} more" if more > 0 else ""
    )


def _worded(finding: Finding) -> str:
    text = f"{finding.rule} ({finding.severity}): {finding.message}"
    if finding.evidence:
        text += f" [{finding.evidence}]"
    return text


def _own_cure(state: PhoneState, report: ConnectionReport, now: datetime) -> str:
    if report.alert_received is None or report.client_certificate is None:
        return ""
    return cure_of_refusal(state, report.alert_received, now, report.wish)


def _cure(report: ConnectionReport, own: str = "") -> str:
    if report.refused_by_phone and report.verdict is not None:
        first = report.verdict.refusals[0]
        cures = [_sentence(first.cure)] if first.cure else []
        if not any(RULES[f.rule].binding for f in report.verdict.refusals):
            cures.append(
                "Or, if you know this certificate: Certificates page, Unknown "
                "Certificates, Add Exception."
            )
        return " ".join(cures)
    if report.hint:
        return _sentence(report.hint)
    if own:
        return _sentence(own)
    if report.alert_received is not None:
        return (
            "The server ended the connection: look at its log; it may not accept this "
            "phone's certificate."
        )
    return "Check the address, and that the server runs and can be reached."


def _sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:] + ("" if clause.endswith("?") else ".")

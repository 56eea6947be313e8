"""Dates: what is not valid yet or no longer, whose clock says so, what runs out next.

``now`` is the phone's clock. A phone without a time server starts in 1970 (or at its
firmware's own date), and then a good chain is "not yet valid": that is said as what it
is. Nothing here reads a clock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from linekey.certs.certificate import Certificate
from linekey.certs.expiry import expires_soon, left_words
from linekey.certs.lines import Line, reads_dates
from linekey.said import say
from linekey.trust.findings import Finding, failed, held

CLOCK_FLOOR_YEAR: Final = 2010
"""A phone that says it is earlier has not been told the time: firmware 8 is later."""


def day(moment: datetime) -> str:
    """A date as it is printed everywhere: ``2026-11-23``."""
    return moment.date().isoformat()


def _second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def look_at_dates(
    path: Sequence[Certificate], now: datetime, *, line: Line
) -> list[Finding]:
    """Validity of every certificate of the path at ``now`` (aware)."""
    findings = [_form(c, line) for c in path if not c.strict_times]
    path = [c for c in path if c.readable_times]
    early = [c for c in path if now < c.not_before]
    late = [c for c in path if now >= c.not_after]  # over by then: lines.is_over
    if now.year < CLOCK_FLOOR_YEAR and path:
        findings.append(
            failed(
                "clock.wrong",
                say("the phone's clock shows %(day)s: it was not set", day=day(now)),
                severity="warning",
                evidence=f"phone's clock {_second(now)}; "
                f"leaf valid from {_second(path[0].not_before)}",
                cure=say(
                    "give the phone a time server it can reach before its first TLS "
                    "connection: DHCP option 42, or the setting ntp_server"
                ),
            )
        )
    findings.extend(
        failed(
            "chain.not-yet-valid",
            say(
                "%(certificate)s is not valid before %(time)s",
                certificate=certificate.label,
                time=_second(certificate.not_before),
            ),
            evidence=f"phone's clock {_second(now)}",
            cure=say("set the phone's clock")
            if now.year < CLOCK_FLOOR_YEAR
            else say("wait until then, or use the previous certificate"),
            x509_error=9,
        )
        for certificate in early
    )
    for certificate in late:
        depth = list(path).index(certificate)
        findings.append(
            failed(
                "chain.expired",
                say(
                    "%(certificate)s expired on %(time)s",
                    certificate=certificate.label,
                    time=_second(certificate.not_after),
                ),
                evidence=f"phone's clock {_second(now)}",
                cure=say("renew it and reload the server")
                if depth == 0
                else say(
                    "serve a chain through the CA's newer certificate, or provision a "
                    "CA that is valid to the phones"
                ),
                x509_error=10,
            )
        )
    if path and not early and not late:
        ends = min(c.not_after for c in path)
        findings.append(
            held("chain.expired", f"the whole path is valid until {day(ends)}")
        )
    return findings + _ahead(path, now)


def _form(certificate: Certificate, line: Line) -> Finding:
    """Dates without seconds, with a fraction, an offset, or that are none."""
    refuses = not reads_dates(line, certificate)
    if not certificate.readable_times:
        said = say(
            "%(certificate)s has a date that cannot be read",
            certificate=certificate.label,
        )
    else:
        said = say(
            "%(certificate)s has a date without seconds, with a fraction or an "
            "offset, or of a day that does not exist; OpenSSL up to 1.0.2o reads it, "
            "1.0.2s and newer do not",
            certificate=certificate.label,
        )
    return failed(
        "chain.date-form",
        said,
        severity="refused" if refuses else "warning",
        evidence=f"this phone is assumed to use OpenSSL {line}",
        cure=say("have it issued again, with dates in the form of RFC 5280 §4.1.2.5"),
        confidence="L" if certificate.readable_times else None,
        x509_error=13 if refuses else None,
    )


def _ahead(path: Sequence[Certificate], now: datetime) -> list[Finding]:
    findings: list[Finding] = []
    for depth, certificate in enumerate(path):
        left = certificate.not_after - now
        if left <= timedelta(0):
            continue
        if depth == 0 and expires_soon(certificate, now):
            findings.append(
                failed(
                    "chain.expires-soon",
                    say(
                        "the leaf expires in %(left)s, on %(day)s",
                        left=left_words(certificate, now),
                        day=day(certificate.not_after),
                    ),
                    severity="warning",
                    evidence=certificate.label,
                    cure=say("renew it now, and reload the server"),
                )
            )
        if depth > 0 and (
            expires_soon(certificate, now, authority=True)
            or certificate.not_after < path[0].not_after
        ):
            before_leaf = certificate.not_after < path[0].not_after
            findings.append(
                failed(
                    "chain.anchor-expires-soon",
                    say(
                        "%(certificate)s expires on %(day)s, before the leaf below it"
                        if before_leaf
                        else "%(certificate)s expires on %(day)s",
                        certificate=certificate.label,
                        day=day(certificate.not_after),
                    ),
                    severity="warning",
                    evidence=f"depth {depth}; leaf valid until "
                    f"{day(path[0].not_after)}",
                    cure=say(
                        "plan the move to another CA, and provision it to the phones "
                        "before that day"
                    ),
                )
            )
    return findings

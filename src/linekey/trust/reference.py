"""The reference page of the findings, written from the rules (``make docs``)."""

from collections.abc import Iterator

from linekey.trust.findings import X509_ALERTS
from linekey.trust.rules import RULES

_GROUPS = {
    "phone": "Is there such a phone, and which roots does it have",
    "reach": "Can the server be reached",
    "tls": "Do phone and server agree on a protocol",
    "chain": "The certificates",
    "key": "Keys",
    "hash": "Signature hashes",
    "auth": "Is anything refused at all",
    "exception": "Exceptions",
    "clock": "The phone's clock",
    "name": "The server's name",
    "client": "Would the server accept the phone",
}


def findings_page() -> str:
    """Return ``docs/reference/findings.md``."""
    return "\n".join(_lines()).rstrip() + "\n"


def _lines() -> Iterator[str]:
    yield "# Findings"
    yield ""
    yield "<!-- Made by `make docs` from src/linekey/trust/rules.py. -->"
    yield ""
    yield "Every verdict on a server, the virtual phone's and the check's, is a list"
    yield "of findings: one rule that held or failed, what was seen, and what cures it."
    yield "An id keeps its meaning from release to release; scripts may rely on it. The"
    yield "number says in which place the phone meets the rule. How it is judged:"
    yield "[the one judge](../explanation/judge.md)."
    yield ""
    yield "- Last column: *never*: no setting and no exception lifts a refusal by this"
    yield "  rule; *by settings*: server authentication off, or an exception, does."
    yield "- Confidence: **H** vendor page, source code or certificate bytes; **M** one"
    yield "  good secondary source, or a nearby row; **L** inference."
    yield "- A finding may be less sure than its rule; then it says so itself."
    yield ""
    places = {rule_id: place for place, rule_id in enumerate(RULES, 1)}
    for group, title in _GROUPS.items():
        yield f"## {title}"
        yield ""
        yield "| # | id | holds when | firmware | source | sure | lifted |"
        yield "|---|---|---|---|---|---|---|"
        for rule in RULES.values():
            if rule.id.partition(".")[0] != group:
                continue
            lifted = "never" if rule.binding else "by settings"
            yield (
                f"| {places[rule.id]} | `{rule.id}` | {rule.title} | {rule.firmware} "
                f"| {rule.source} | {rule.confidence} | {lifted} |"
            )
        yield ""
    yield "## Which alert the phone sends"
    yield ""
    yield "The alert of a refusal follows the first finding that refuses, by OpenSSL's"
    yield "table (`ssl_x509err2alert`). Numbers that are not listed become"
    yield "`certificate_unknown`; a refusal without a number is a `handshake_failure`."
    yield ""
    yield "| X.509 result | alert |"
    yield "|---|---|"
    for number, alert in X509_ALERTS.items():
        yield f"| {number} | `{alert.label}` |"

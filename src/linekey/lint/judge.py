"""The lint itself: files in, what weakens phones out. Reads no clock and no file.

    Source → what it says (``meaning``) → rules by file → rules over several files

Rule: a value that a template puts in later breaks no rule and keeps none: it is named
as a placeholder, and nothing is concluded from it, nor from a setting's absence where a
template may yet add it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from linekey.catalog.secrecy import mask_url
from linekey.certs.certificate import Certificate
from linekey.lint import certificates, passwords
from linekey.lint.finding import LintFinding, found
from linekey.lint.meaning import Said, said_in
from linekey.lint.rows import ROWS, SAFE, Row
from linekey.lint.source import Source, plain_name
from linekey.lint.template import is_open
from linekey.makers.grammar import Line

MAX_PLACEHOLDERS: Final = 200
"""Of one file that are listed; all are counted."""
SIP_TLS_PORT: Final = "5061"
"""RFC 3261 §19.1.2."""
_PLAIN: Final = re.compile(r"\s*(http|ftp|tftp)://", re.IGNORECASE)


@dataclass(frozen=True)
class Report:
    """What was found in one file."""

    source: Source
    findings: tuple[LintFinding, ...]

    @property
    def warnings(self) -> int:
        """Findings that count."""
        return sum(one.weight == "warning" for one in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        source = self.source
        places = source.placeholders
        return {
            "file": source.name,
            "maker": source.maker.id,
            "grammar": source.grammar.id,
            "settings": len(source.lines),
            "template": source.masked.is_template,
            "placeholders": {
                "count": len(places),
                "listed": [
                    {"text": one.text, "line": one.line, "by": one.by}
                    for one in places[:MAX_PLACEHOLDERS]
                ],
            },
            "notes": list(source.notes),
            "findings": [one.as_dict() for one in self.findings],
            "error": None,
        }


def lint(
    sources: Sequence[Source],
    now: datetime,
    chain: Sequence[Certificate] = (),
) -> list[Report]:
    """Judge files, alone and together; one report each, in their order.

    ``now`` is aware; ``chain`` is a server's, leaf first: then the names in the files
    are held against it.
    """
    spoken = [passwords.Spoken(source, said_in(source)) for source in sources]
    each: list[list[LintFinding]] = [list(_alone(one, now, chain)) for one in spoken]
    for place, finding in passwords.shared(spoken):
        each[place].append(finding)
    return [
        Report(one.source, tuple(sorted(set(several), key=_order)))
        for one, several in zip(spoken, each, strict=True)
    ]


def _order(finding: LintFinding) -> tuple[object, ...]:
    return finding.weight != "warning", finding.line, finding.rule, finding.setting


def _alone(
    spoken: passwords.Spoken, now: datetime, chain: Sequence[Certificate]
) -> Iterator[LintFinding]:
    source, said = spoken
    yield from _guards(source)
    yield from _rows(source, said)
    yield from _provisioning(source, said)
    yield from _directory(source, said)
    yield from _accounts(source, said)
    yield from _url_passwords(source)
    yield from passwords.trivial(spoken)
    yield from passwords.common(spoken)
    yield from certificates.inside(source, now)
    if chain:
        yield from certificates.absent_names(source, said, chain)


def _guards(source: Source) -> Iterator[LintFinding]:
    """Verification that is switched off: by the rows that the server renders by."""
    for line in source.lines:
        if is_open(line.value):
            continue
        looked_up = Line(plain_name(line.name), line.value, line.idx)
        guard = source.maker.guard_broken_by(looked_up)
        if guard is not None:
            safe = min(guard.safe, key=len)
            yield found(
                source, f"verify.{guard.checks}", line, safe=safe, by=guard.source,
                confidence=guard.confidence,
            )  # fmt: skip


def _rows(source: Source, said: Sequence[Said]) -> Iterator[LintFinding]:
    """What only the lint asks of a maker's settings."""
    own = [row for row in ROWS if row.maker == _family(source)]
    there: set[Row] = set()
    has_ca = _gives_ca(source)
    for line in source.lines:
        name = plain_name(line.name)
        for row in own:
            if not row.matcher.fullmatch(name):
                continue
            there.add(row)
            if not row.rule or (row.rule == "ca.unused" and not has_ca):
                continue
            if _is_weak(row, line):
                yield found(
                    source, row.rule, line, safe=row.safe, by=row.source,
                    confidence=row.confidence,
                )  # fmt: skip
    yield from _suites(source)
    if not _is_whole(source, said):
        return
    for row in own:
        if row.absent and row not in there:
            yield found(
                source, row.absent, None, setting=row.name, safe=row.safe,
                by=row.source, confidence=row.confidence,
            )  # fmt: skip


def _family(source: Source) -> str:
    return "snom" if source.maker.snom_like else source.maker.id


def _is_weak(row: Row, line: Line) -> bool:
    if row.weak:
        return line.value.strip().lower() in row.weak
    if line.name == "fkey" or line.name.startswith("dkey_"):
        return _PLAIN.match(line.value.partition(" ")[2]) is not None
    return _PLAIN.match(line.value) is not None


def _gives_ca(source: Source) -> bool:
    wanted = re.compile(
        r"(?:static\.)?trusted_certificates\.url|P843[3-8]"
        r"|trustedCACertificates\.trustedCACertificate\.[1-6]",
        re.IGNORECASE,
    )
    return any(
        line.value.strip() and wanted.fullmatch(plain_name(line.name))
        for line in source.lines
    )


def _is_whole(source: Source, said: Sequence[Said]) -> bool:
    """Whether something can be concluded from what is not there: a file that makes a
    phone of its own, with a line or the address where it asks, and no template."""
    if source.masked.is_template or source.loosely:
        return False
    return any(
        one.term in ("any.account.user", "any.provisioning.url") and one.value
        for one in said
    )


_WEAK_SUITES: Final = re.compile(
    r"(?:RC4|NULL|aNULL|eNULL|EXP\w*|LOW|MD5|ADH|AECDH|DES|3DES|DES-CBC3-SHA|ALL)"
    r"(?:[-+]\w+)*",
    re.IGNORECASE,
)
_SUITES: Final = re.compile(
    r"(?:device\.)?sec\.TLS\.(?:profile\.)?cipher(?:Suite|List)\w*\d?", re.IGNORECASE
)


def _suites(source: Source) -> Iterator[LintFinding]:
    """Poly's lists of suites, in OpenSSL's words (PBX-FUSION, PBX-FSPBX, H)."""
    if source.maker.id != "poly":
        return
    for line in source.lines:
        if not _SUITES.fullmatch(plain_name(line.name)) or is_open(line.value):
            continue
        words = re.split(r"[:, ]+", line.value.strip())
        allowed = [w for w in words if w and w[0] not in "!-@"]
        off = {w.lstrip("!-").lower() for w in words if w[:1] in ("!", "-")}
        weak = [
            w for w in allowed
            if _WEAK_SUITES.fullmatch(w) and w.lower() not in off
            and not (w.upper() == "ALL" and {"anull", "enull"} & off)
        ]  # fmt: skip
        if weak:
            yield found(
                source, "tls.suites", line, detail=", ".join(weak[:5]),
                by="PBX-FUSION; PBX-FSPBX", confidence="M",
            )  # fmt: skip


def _provisioning(source: Source, said: Sequence[Said]) -> Iterator[LintFinding]:
    for one in said:
        if one.term == "any.provisioning.url" and _PLAIN.match(one.value):
            yield found(source, "provisioning.plain", one.line)
        if one.term == "any.provisioning.scheme" and one.value in (
            "http", "ftp", "tftp",
        ):  # fmt: skip
            yield found(source, "provisioning.plain", one.line, detail=one.value)


def _directory(source: Source, said: Sequence[Said]) -> Iterator[LintFinding]:
    setting, safe = SAFE["directory", _family(source)]
    servers = [s for s in said if s.term == "any.directory.server" and s.value]
    transports = [s for s in said if s.term == "any.directory.transport" and s.value]
    if not servers:
        return
    for one in transports:
        if one.value == "ldap":
            yield found(source, "directory.plain", one.line, setting=setting, safe=safe)
    written_so = any("ldaps://" in one.value.lower() for one in servers)
    if not transports and not written_so and _is_whole(source, said):
        yield found(
            source, "directory.default_plain", None, setting=setting, safe=safe,
            by="PBX-FUSION; PBX-TANCREDI",
        )  # fmt: skip


_ON: Final = frozenset({"optional", "required"})


def _accounts(source: Source, said: Sequence[Said]) -> Iterator[LintFinding]:
    """SIP and its media, account by account."""
    family = _family(source)
    transports = _decided(source, said, "any.account.transport")
    srtp = _decided(source, said, "any.account.srtp")
    ciphered = {s.idx for s in srtp if s.value in _ON}
    any_tls = any(s.value == "tls" for s in transports)
    of_tls_port = {
        s.idx for s in said
        if (s.term == "any.account.port" and s.value.strip() == SIP_TLS_PORT)
        or (
            s.term in ("any.account.registrar", "any.account.outbound")
            and s.value.strip().endswith(f":{SIP_TLS_PORT}")
        )
    }  # fmt: skip
    for one in transports:
        if one.value not in ("udp", "tcp"):
            continue
        reasons = []
        if one.idx in ciphered or None in ciphered:
            reasons.append("SRTP is on")
        if one.idx in of_tls_port:
            reasons.append(f"the port is {SIP_TLS_PORT}")
        if any_tls:
            reasons.append("TLS stands elsewhere in this file")
        setting, safe = SAFE["sip", family]
        rule = "sip.plain" if reasons else "sip.clear"
        yield found(
            source, rule, one.line, setting=_numbered(setting, one.idx), safe=safe,
            detail=" and ".join(reasons),
        )  # fmt: skip
    encrypted = {s.idx for s in transports if s.value == "tls"}
    for one in srtp:
        of_tls = one.idx in encrypted or (one.idx is None and encrypted)
        if one.value == "off" and of_tls and one.idx not in ciphered:
            setting, safe = SAFE["srtp", family]
            yield found(
                source, "srtp.off", one.line, setting=_numbered(setting, one.idx),
                safe=safe,
            )  # fmt: skip


def _decided(source: Source, said: Sequence[Said], term: str) -> list[Said]:
    """What is said of a term; in a template, not what it chooses between."""
    found = [one for one in said if one.term == term and one.value and not one.open]
    if not source.masked.is_template:
        return found
    values: dict[int | None, set[str]] = {}
    for one in said:
        if one.term == term and one.value:
            values.setdefault(one.idx, set()).add(one.value)
    return [one for one in found if len(values[one.idx]) == 1]


def _numbered(setting: str, idx: int | None) -> str:
    return setting.replace(".N.", f".{idx}.") if idx is not None else setting


def _url_passwords(source: Source) -> Iterator[LintFinding]:
    for line in source.lines:
        if "://" not in line.value or "@" not in line.value or is_open(line.value):
            continue
        user_info = re.search(r"://([^/\s@]{1,200}):([^/\s@]{1,200})@", line.value)
        if user_info is not None and mask_url(line.value) != line.value:
            yield found(source, "url.password", line)


@dataclass
class Counts:
    """What the whole run came to."""

    files: int = 0
    warnings: int = 0
    notes: int = 0
    unreadable: int = 0
    by_rule: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, reports: Iterable[Report], unreadable: int = 0) -> "Counts":
        """Sum reports up."""
        counts = cls(unreadable=unreadable, files=unreadable)
        for report in reports:
            counts.files += 1
            for one in report.findings:
                counts.by_rule[one.rule] = counts.by_rule.get(one.rule, 0) + 1
                if one.weight == "warning":
                    counts.warnings += 1
                else:
                    counts.notes += 1
        return counts

    @property
    def exit_code(self) -> int:
        """2: a file was not readable; 1: something counts; 0: nothing does."""
        return 2 if self.unreadable else int(self.warnings > 0)

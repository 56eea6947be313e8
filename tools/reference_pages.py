"""The pages under docs/reference that are written from tables of the code.

One function a page, called by ``tools.make_docs``; none of them is part of the program.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from linekey.catalog.authorities import ALL_CAS
from linekey.catalog.describe import branch_words, certificate_words, hash_words
from linekey.catalog.evidence import CONFIDENCE_MEANING, SOURCES_MEANING
from linekey.catalog.hello import HELLO_RULES
from linekey.catalog.matrix import ROWS
from linekey.catalog.models import MODELS
from linekey.catalog.settings_rules import SINCE_RULES, STANDING_RULES
from linekey.catalog.vendors import IDENTITY_RULES
from linekey.certs.verify_errors import ERRORS
from linekey.console.api.problems import PROBLEMS
from linekey.console.facts import AuthorityLine
from linekey.console.watch import Outlook
from linekey.provisioning.decision import Outcome, Reason
from linekey.reasons import Row
from linekey.server.counters import Counters
from linekey.server.metrics import Facts, registry
from linekey.server.preflight.finding import RULES as PREFLIGHT
from linekey.settings import fields
from linekey.tls.alerts import Alert
from linekey.tls.suites import SUITES
from linekey.tls.versions import label_of
from linekey.trust.findings import alert_for
from linekey.trust.rules import RULES
from linekey.wire.door.refusal import REFUSALS
from tools.fidelity_rules import RULES as PHONE_RULES

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


_TITLES = {
    Outcome.GRANTED: "Granted",
    Outcome.BLANKED: "Blanked",
    Outcome.REFUSED: "Refused",
    Outcome.ABSENT: "Not there, and nothing is wrong",
}


MANY = 16
"""Values of a label that are too many to list."""


def findings_page() -> str:
    """Return ``docs/reference/findings.md``."""
    return "\n".join(_findings()).rstrip() + "\n"


def _findings() -> Iterator[str]:
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
    yield "## Before the server starts"
    yield ""
    yield "What `linekey serve` looks at before it answers anybody, and `linekey"
    yield "export` before it writes: *refused* keeps it from that, *warning* is said."
    yield ""
    yield "| id | holds when | else |"
    yield "|---|---|---|"
    for rule_id, row in PREFLIGHT.items():
        yield f"| `{rule_id}` | {row.sentence} | {row.severity} |"
    yield ""
    yield "## Which alert the phone sends"
    yield ""
    yield "The alert of a refusal follows the first finding that refuses, by OpenSSL's"
    yield "table (`ssl_x509err2alert`). Numbers that are not listed become"
    yield "`certificate_unknown`; a refusal without a number is a `handshake_failure`."
    yield ""
    yield "| X.509 result | alert |"
    yield "|---|---|"
    for number in ERRORS:
        if (alert := alert_for(number)) is not Alert.CERTIFICATE_UNKNOWN:
            yield f"| {number} | `{alert.label}` |"


def reasons_page() -> str:
    """The text of ``docs/reference/reasons.md``."""
    lines = [
        "# Reasons",
        "",
        "<!-- Made by `make docs` from linekey.provisioning.decision.Reason. -->",
        "",
        "Every decision has one of these reasons. `linekey log` and its JSON give the"
        " name; the",
        "names never change their meaning. How a decision is made:"
        " [authorization](../explanation/authorization.md).",
    ]
    for outcome, title in _TITLES.items():
        lines += ["", f"## {title}", "", "| reason | HTTP | what happened | cure |"]
        lines.append("|---|---|---|---|")
        lines += [
            f"| `{reason}` | {reason.status} | {_bars(reason.sentence)} "
            f"| {_bars(reason.cure) or '–'} |"
            for reason in Reason
            if reason.outcome is outcome
        ]
    lines += [
        "",
        "## Turned away before a decision",
        "",
        "Connections that end, and requests that are refused, before anybody asks",
        "whose they are; they stand in the same log. A certificate that is refused in",
        "the handshake has its reason above. Where no alert is given, it depends on",
        "the case, or none is sent.",
        "",
        "| reason | HTTP | alert | what happened | cure |",
        "|---|---|---|---|---|",
    ]
    for code, row in REFUSALS.items():
        alert = f"`{row.alert.label}`" if row.alert else "–"
        lines.append(f"| `{code}` | {_status(row)} | {alert} | {_told(row)} |")
    lines += [
        "",
        "## What the API answers instead",
        "",
        "The `code` of its problem details (RFC 9457). `detail` and `cure` there may",
        "say more than here, from the case at hand.",
        "",
        "| code | HTTP | what happened | cure |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| `{code}` | {_status(row)} | {_told(row)} |"
        for code, row in PROBLEMS.items()
    ]
    return "\n".join(lines) + "\n"


def _status(row: Row) -> str:
    return " or ".join(map(str, row.statuses)) or "–"


def _told(row: Row) -> str:
    return f"{_bars(row.sentence)} | {_bars(row.cure)}"


def metrics_page() -> str:
    """Return ``docs/reference/metrics.md``, from what the registry itself gives."""
    now = datetime.now(UTC)
    lines = [
        "# Metrics",
        "",
        "<!-- Made by `make docs` from src/linekey/server/metrics.py. -->",
        "",
        "What `/metrics` on the status page's address gives to Prometheus: the numbers",
        "of all workers together, counted since the server began. `reason`:",
        "[reasons](reasons.md).",
        "",
        "| name | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    kinds = dict.fromkeys(("accepts", "recognised"), (now, 0))
    outlook = Outlook(now, 0, 0, kinds)
    shown = AuthorityLine("", "", "", "", now, 0, "")
    for family in registry(Counters(), Facts(now, now, [shown], outlook)).collect():
        labels: dict[str, set[str]] = {}
        for sample in family.samples:
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(f"`{value or '(empty)'}`")
        told = "; ".join(
            f"`{k}`" + (f": {', '.join(sorted(v))}" if 1 < len(v) < MANY else "")
            for k, v in labels.items()
            if family.type != "info"
        )
        name = family.samples[0].name if family.samples else family.name
        if family.type == "histogram":
            name = family.name
        lines.append(f"| `{name}` | {family.type} | {told} | {family.documentation} |")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return ``docs/reference/settings.md``."""
    lines = [
        "# Settings",
        "",
        "<!-- Made by `make docs` from src/linekey/settings.py. -->",
        "",
        "linekey reads `linekey.toml` in its state folder, then the environment, then",
        "options; later ones win. An unknown key is an error. In the environment",
        "`limits.body_bytes` is `LINEKEY_LIMITS__BODY_BYTES`; lists are separated by",
        "commas. `LINEKEY_STATE` names the state folder itself.",
        "",
    ]
    section = None
    for name, kind, default, text in fields():
        head = name.rpartition(".")[0]
        if head != section:
            section = head
            title = f"`[{head}]`" if head else "At the top"
            lines += ["", f"## {title}", ""]
            lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
        leaf = name.rpartition(".")[2]
        kind = kind.replace("|", "\\|")
        lines.append(f"| `{leaf}` | {kind} | `{default}` | {text} |")
    return "\n".join(_one_blank(lines)) + "\n"


def _one_blank(lines: list[str]) -> Iterator[str]:
    previous = None
    for line in lines:
        if line or previous:
            yield line
        previous = line


def fidelity_page() -> str:
    """The text of docs/reference/fidelity.md."""
    guessed = sum(rule.confidence == "L" for rule in PHONE_RULES)
    lines = [
        "# What the virtual phone does, and on whose word",
        "",
        "<!-- Made by `make docs` from tools/fidelity_rules.py. -->",
        "",
        f"{len(PHONE_RULES)} rules, {guessed} of them guessed. What the sources are: "
        "[sources](sources.md). Confidence: "
        + "; ".join(f"**{k}** {v}" for k, v in CONFIDENCE_MEANING.items())
        + ".",
        "How a server's certificate is judged is on its own page: "
        "[findings](findings.md).",
    ]
    part = ""
    for rule in PHONE_RULES:
        if rule.part != part:
            part = rule.part
            lines += [
                "",
                f"## {part}",
                "",
                "| rule | firmware | source | confidence | shown by |",
                "|---|---|---|---|---|",
            ]
        tests = "<br>".join(f"`{test}`" for test in rule.shown_by)
        sure = "L, guessed" if rule.confidence == "L" else rule.confidence
        lines.append(
            f"| {_marks(rule.rule)} | {_marks(rule.firmware)} | {_marks(rule.source)} "
            f"| {sure} | {tests} |"
        )
    return "\n".join(lines) + "\n"


def _marks(text: str) -> str:
    return text.replace("|", "\\|").replace("{", "`{").replace("}", "}`")


def models_page() -> str:
    """Return ``docs/reference/models.md``."""
    return "\n".join([*_phones(), *_matrix(), *_since(), *_vendors()]).rstrip() + "\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    columns = list(head)
    yield _row(columns)
    yield "|" + "---|" * len(columns)
    yield from map(_row, rows)
    yield ""


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(_bars(cell) for cell in cells) + " |"


def _phones() -> Iterator[str]:
    yield "# Models"
    yield ""
    yield "<!-- Made by `make docs` from src/linekey/catalog. -->"
    yield ""
    yield "What linekey knows of each phone. `linekey models MODEL --firmware V` says"
    yield "it for one, with the source of every rule. How sure a row is:"
    yield ""
    for grade, meaning in CONFIDENCE_MEANING.items():
        yield f"- **{grade}**: {meaning}"
    yield ""
    yield "Where it comes from:"
    yield ""
    for word, meaning in SOURCES_MEANING.items():
        yield f"- **{word}**: {meaning}"
    yield ""
    yield "## Phones"
    yield ""
    head = (
        "model", "also", "User-Agent", "hashes", "built-in certificate", "firmware",
        "sure", "source",
    )  # fmt: skip
    yield from _table(
        head,
        (
            (
                f"`{m.name}`",
                ", ".join(m.aliases),
                m.user_agent_name,
                hash_words(m),
                certificate_words(m),
                f"{branch_words(m)} ({m.range_confidence})",
                m.confidence,
                m.source,
            )
            for m in MODELS.values()
        ),
    )
    yield "### What the sources leave open"
    yield ""
    for model in MODELS.values():
        own = model.readings[1:] if model.origin == "later" else model.readings
        yield from (f"- {model.name}: {text}" for text in own)
    yield f"- later models: {next(reversed(MODELS.values())).readings[0]}"
    yield ""


def _matrix() -> Iterator[str]:
    yield "## Cipher matrix"
    yield ""
    head = (
        "row", "phones", "firmware", "versions", "key exchange", "authentication",
        "ciphers", "bits", "modes", "MAC", "sure",
    )  # fmt: skip
    yield from _table(
        head,
        (
            (
                f"`{row.id}`",
                ", ".join(row.models),
                ", ".join(map(str, row.firmwares)),
                ", ".join(label_of(version) for version in row.versions),
                ", ".join(row.key_exchange),
                ", ".join(row.authentication),
                ", ".join(row.ciphers),
                ", ".join(map(str, row.key_lengths)),
                ", ".join(row.modes),
                ", ".join(row.macs),
                row.confidence,
            )
            for row in ROWS
        ),
    )
    for row in ROWS:
        yield f"### Row `{row.id}`"
        yield ""
        yield f"Source: {row.source}. ClientHello derived after OpenSSL {row.era} (L)."
        yield ""
        notes = (*row.notes, *(f"{reading} (M)" for reading in row.readings))
        yield from (f"- {note}" for note in notes)
        if notes:
            yield ""
        yield "Suites, best first: " + ", ".join(
            f"`{SUITES[number].name}`" for number in row.suites
        )
        yield ""
    yield "### Between the rows"
    yield ""
    yield "1. A row that names the model and the firmware: the row's own confidence."
    yield "2. Else the newest row naming the model, of the same branch and not newer:"
    yield "   M; L when a newer row of the branch, still not newer than the firmware,"
    yield "   leaves the model out."
    yield "3. Else the oldest row of the branch that names the model: L."
    yield "4. Else, for a branch the model is thought to have had, that branch's newest"
    yield "   row that is not newer, whatever models it names: L."
    yield "5. Else the model's newest row of an older branch, or its oldest row: L."
    yield "6. A model that no row names: as 4; else the newest row of all: L."
    yield ""
    yield from (
        f"- {rule.statement} ({rule.source}; {rule.confidence})" for rule in HELLO_RULES
    )
    yield ""


def _since() -> Iterator[str]:
    yield "## Rules that begin with a firmware"
    yield ""
    yield "The last version speaks for its branch and everything later, an earlier one"
    yield "for its own branch alone."
    yield ""
    yield from _table(
        ("rule", "since", "from then on", "before", "source", "sure", "note"),
        (
            (
                f"`{rule.name}`",
                str(rule.since),
                rule.now,
                rule.before,
                rule.source,
                rule.confidence,
                rule.note,
            )
            for rule in SINCE_RULES
        ),
    )
    yield "## Rules for every firmware"
    yield ""
    yield from _table(
        ("rule", "what holds", "source", "sure"),
        ((f"`{r.name}`", r.statement, r.source, r.confidence) for r in STANDING_RULES),
    )


def _vendors() -> Iterator[str]:
    yield "## Known authorities"
    yield ""
    yield from _table(
        ("name", "role", "generation", "ends", "SHA-1", "source", "sure"),
        (
            (
                ca.name,
                ca.role,
                ca.generation.label,
                ca.not_after.date().isoformat() if ca.not_after else "unknown",
                f"`{ca.sha1}`" if ca.sha1 else "unknown",
                ca.source,
                ca.confidence,
            )
            for ca in ALL_CAS
        ),
    )
    yield "## Where built-in certificates carry the MAC"
    yield ""
    yield from _table(
        ("rule", "vendor", "MAC in", "no MAC there", "key", "source", "sure", "note"),
        (
            (
                f"`{rule.id}`",
                rule.vendor_name,
                rule.mac_in.value,
                rule.without_mac,
                rule.key,
                rule.source,
                rule.confidence,
                rule.note,
            )
            for rule in IDENTITY_RULES
        ),
    )


def _bars(text: str) -> str:
    return text.replace("|", "\\|")

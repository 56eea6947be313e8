"""The reference page of the models, written from the catalogue (``make docs``)."""

from collections.abc import Iterable, Iterator

from linekey.catalog.authorities import ALL_CAS
from linekey.catalog.describe import branch_words, certificate_words, hash_words
from linekey.catalog.evidence import CONFIDENCE_MEANING, SOURCES_MEANING
from linekey.catalog.hello import HELLO_RULES
from linekey.catalog.matrix import ROWS
from linekey.catalog.models import MODELS
from linekey.catalog.profile import VERSION_LABELS
from linekey.catalog.settings_rules import SINCE_RULES, STANDING_RULES
from linekey.catalog.vendors import IDENTITY_RULES
from linekey.tls.suites import SUITES


def models_page() -> str:
    """Return ``docs/reference/models.md``."""
    return "\n".join([*_models(), *_matrix(), *_since(), *_vendors()]).rstrip() + "\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    columns = list(head)
    yield _line(columns)
    yield "|" + "---|" * len(columns)
    yield from map(_line, rows)
    yield ""


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _models() -> Iterator[str]:
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
        if model.origin != "later":
            yield from (f"- {model.name}: {text}" for text in model.readings)
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
                ", ".join(VERSION_LABELS[version] for version in row.versions),
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
        yield from (f"- {note}" for note in row.notes)
        if row.notes:
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
    yield "6. A model that no row names: the newest row of all: L."
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

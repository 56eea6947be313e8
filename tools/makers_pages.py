"""Pages on other makers' phones, from ``src/linekey/makers``."""

from collections.abc import Iterable, Iterator

from linekey.catalog.captured import CAPTURED, SEARCHED
from linekey.makers.all import MAKERS, NOT_YET
from linekey.makers.maker import FileKind, Maker
from linekey.makers.mapping import Field, How, unsaid
from linekey.makers.terms import ACCOUNT_TERMS, TERMS, Per, Term
from linekey.tls.suites import SUITES
from linekey.tls.versions import label_of
from linekey.words import counted

MADE = "<!-- Made by `make docs` from src/linekey/makers. -->"
_GRADES = (
    "Confidence: **H** the maker's page, or two independent sources; **M** one good"
    " source; **L** inference. Sources: [sources](sources.md)."
)
_KINDS = {
    FileKind.OWN: "the phone's own file",
    FileKind.MASTER: "names further files",
    FileKind.COMMON: "for several phones, without secrets",
    FileKind.LOCAL: "what the phone itself wrote",
    FileKind.PACKED: "a packed form",
}


def page_paths() -> dict[str, str]:
    """Each page's path, and the function and word that make it."""
    paths = {"docs/reference/makers.md": "tools.makers_pages:makers_page"}
    for maker in MAKERS.values():
        if maker.id != "snom":
            path = f"docs/reference/maker-{maker.id}.md"
            paths[path] = f"tools.makers_pages:maker_page:{maker.id}"
    return paths


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(_cell(text) for text in row) + " |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def makers_page() -> str:
    """Return ``docs/reference/makers.md``."""
    return "\n".join(_makers()).rstrip() + "\n"


def _makers() -> Iterator[str]:
    yield "# Other makers' phones"
    yield ""
    yield MADE
    yield ""
    yield "A record says what a phone needs in words that are no maker's, and linekey"
    yield "writes them in those of the phone's maker:"
    yield ""
    yield "    linekey device add 00:15:65:AA:BB:CC --model T46U \\"
    yield "        --account user=4711,password,registrar=pbx.example.com,transport=tls"
    yield "    linekey device show 001565AABBCC --xml"
    yield ""
    yield from _table(
        ("maker", "page", "models", "grammars"),
        (
            (
                maker.title,
                "[models](models.md)"
                if maker.id == "snom"
                else f"[{maker.id}](maker-{maker.id}.md)",
                f"`linekey models --maker {maker.id}`",
                ", ".join(grammar.title for grammar in maker.grammars),
            )
            for maker in MAKERS.values()
        ),
    )
    yield ""
    yield f"Not yet: {', '.join(NOT_YET)}. Their certificates are read; their files are"
    yield "refused with 501 and the reason `no_renderer`."
    yield ""
    yield "## Neutral settings"
    yield ""
    yield "They stand in any layer. `N` of an account and `K` of a key count from 1."
    yield ""
    yield from _table(
        ("setting", "meaning", "values"),
        ((_code(_shown(term)), term.meaning, _values(term)) for term in TERMS.values()),
    )
    yield ""
    words = ", ".join(f"`{term.short}`" for term in ACCOUNT_TERMS)
    yield f"`--account` takes {words} and `number`."
    yield ""
    yield "## A maker's own settings"
    yield ""
    yield "They pass through beside the neutral ones, and win over them. In a model's"
    yield "or a phone's own layer they are written as the maker writes them"
    yield "(`account.1.label=Hall`); in the fleet's and a group's layer, where a bare"
    yield "name is Snom's, with the maker and a colon before them"
    yield "(`yealink:account.1.label=Hall`)."
    yield ""
    yield "## Trust"
    yield ""
    yield "What linekey writes always has the phone verify the server's chain and its"
    yield "name, and carries the certificates of the phone's layers in the maker's way."
    yield "A setting of yours that switches this off is left out, and named in the log"
    yield "and by `linekey device show MAC --xml`; it is written only if the phone's"
    yield "own layer has its name in `any.trust.except`."


def _shown(term: Term) -> str:
    index = {Per.ACCOUNT: "[N]", Per.KEY: "[K]", Per.PHONE: ""}[term.per]
    return term.name + index


def _values(term: Term) -> str:
    if term.values:
        return ", ".join(term.values)
    return "a secret" if term.secret else str(term.form)


def maker_page(maker_id: str) -> str:
    """Return a maker's page."""
    return "\n".join(_maker(MAKERS[maker_id])).rstrip() + "\n"


def _maker(maker: Maker) -> Iterator[str]:
    yield f"# {maker.title}"
    yield ""
    yield MADE
    yield ""
    yield _GRADES
    yield ""
    yield "## What works"
    yield ""
    yield from _works(maker)
    yield ""
    yield "## Files, in the order of the requests"
    yield ""
    yield from _table(
        ("name", "what it is", "served", "note", "source", "sure"),
        (
            (
                _code(f.pattern), _KINDS[f.kind], "yes" if f.served else "no: 404",
                f.note, f.source, f.confidence,
            )
            for f in maker.files
        ),
    )  # fmt: skip
    yield ""
    if maker.uploads:
        yield "What the phone sends is refused with 405 and the reason"
        yield "`upload_refused`; a phone works without it."
        yield ""
        yield from _table(
            ("name", "method", "note", "source", "sure"),
            (
                (_code(u.pattern), u.method, u.note, u.source, u.confidence)
                for u in maker.uploads
            ),
        )
        yield ""
    if maker.user_agents:
        yield (
            "User-Agents: " + "; ".join(_code(text) for text in maker.user_agents) + "."
        )
        yield ""
    yield from _settings(maker)
    yield from _trust(maker)
    yield "## Models"
    yield ""
    yield from _models(maker)
    yield ""
    yield "## What else is known"
    yield ""
    yield from _table(
        ("fact", "source", "sure"),
        ((fact.statement, fact.source, fact.confidence) for fact in maker.facts),
    )
    yield ""
    ouis = ", ".join(f"`{oui}` ({grade})" for oui, grade in maker.ouis)
    yield f"First digits of MACs (a hint, never evidence): {ouis}."
    yield ""
    yield "## What no source tells"
    yield ""
    for text in maker.unknown:
        yield f"- {text}"
    yield ""
    if not maker.snom_like:
        yield from _hellos(maker)
    yield f"Sources: {', '.join(maker.sources)}."


def _hellos(maker: Maker) -> Iterator[str]:
    yield "## Published hellos"
    yield ""
    rows = [row for row in CAPTURED.values() if row.maker == maker.id]
    if rows:
        yield "`linekey check HOST --model MODEL --hello ID` sends one:"
        yield ""
        yield from _table(
            ("id", "phone", "doing what", "offers", "source", "sure"),
            (
                (
                    _code(row.id), row.model or "not told", row.use,
                    f"{label_of(row.version)}: "
                    + ", ".join(SUITES[n].name for n in row.suites),
                    row.source, row.confidence,
                )
                for row in rows
            ),
        )  # fmt: skip
    else:
        yield "None was found."
    yield ""
    yield "Looked for on 2026-11-30 in:"
    yield ""
    for place, found in SEARCHED:
        yield f"- {place}: {found}"
    yield ""


def _works(maker: Maker) -> Iterator[str]:
    yield "- A phone that proves itself with its own certificate gets its file, and"
    yield "  nobody else's."
    grammars = " or ".join(grammar.title for grammar in maker.grammars)
    yield f"- Its file is written as {maker.grammar.title}; read is {grammars}."
    if maker.snom_like:
        yield "- All of Snom's settings, and the neutral ones, in Snom's files."
    else:
        said = {row.term for row in maker.map.fields}
        known = counted(len(said), "neutral setting", "neutral settings")
        yield f"- {known} by rows below, and keys."
    waits = "an interval alone: its display cannot be told the code"
    if maker.snom_like:
        waits = "as a Snom's"
    yield f"- A waiting file for a phone that nobody registered: {waits}."
    yield "- Tried with linekey's own virtual phone and with curl, with no real phone."


def _settings(maker: Maker) -> Iterator[str]:
    yield "## Neutral settings in its words"
    yield ""
    rows: dict[str, Field] = {}
    for row in maker.map.fields:  # one for each account or key: the first will do
        rows.setdefault(row.term, row)
    yield from _table(
        ("setting", "its name", "values", "note", "source", "sure"),
        (
            (
                _code(term), _names(row), _said(row), _notes(row), row.source,
                row.confidence,
            )
            for term, row in rows.items()
        ),
    )  # fmt: skip
    yield ""
    left = [name for name in unsaid(maker.map.fields) if not _by_own(maker, name)]
    if left:
        yield f"No setting is known for {', '.join(map(_code, left))}: they are left"
        yield "out and named."
        yield ""


def _by_own(maker: Maker, name: str) -> bool:
    """Whether a term is said by code instead of a row."""
    by_code = {
        "poly": ("any.account.srtp", "any.time.zone", "any.key."),
        "yealink": ("any.time.zone",),
        "snom": ("any.account.", "any.key."),
        "gigaset": ("any.account.", "any.key."),
    }
    return name.startswith(by_code.get(maker.id, ("-",)))


def _names(row: Field) -> str:
    shown = ", ".join(_code(name.replace("{n}", "N")) for name in row.names)
    return f"{shown} (account or key 1)" if row.at == 1 else shown


def _said(row: Field) -> str:
    if row.values and row.how is not How.SCHEME_PATH:
        return ", ".join(f"{ours} `{theirs}`" for ours, theirs in row.values[:8])
    return "" if row.how is How.AS_IT_IS and row.unit == 1 else _how(row)


def _how(row: Field) -> str:
    if row.unit == 60:
        return "minutes"
    return str(row.how)


def _notes(row: Field) -> str:
    beside = ", ".join(f"`{n} = {v}`".replace("{n}", "N") for n, v in row.with_it)
    return "; ".join(filter(None, (row.note, f"with {beside}" if beside else "")))


def _trust(maker: Maker) -> Iterator[str]:
    yield "## Settings that would weaken its verification"
    yield ""
    if maker.trust_source:
        yield "What linekey writes for trust is by"
        yield f"{maker.trust_source} ({maker.trust_confidence}). Left out, unless the"
        yield "phone's own layer names it in `any.trust.except`:"
    else:
        yield "Its firmware verifies by itself, as Snom's. `linekey lint` looks at:"
    yield ""
    yield from _table(
        ("setting (regular expression)", "keeps it on", "else", "source", "sure"),
        (
            (
                _code(guard.pattern), ", ".join(map(_code, sorted(guard.safe))),
                guard.why, guard.source, guard.confidence,
            )
            for guard in maker.guards
        ),
    )  # fmt: skip
    yield ""


def _models(maker: Maker) -> Iterator[str]:
    yield from _table(
        ("model", "User-Agent", "accounts", "keys", "source", "sure"),
        (
            (
                model.name, _code(model.user_agent_name),
                "" if model.accounts is None else str(model.accounts),
                "" if model.line_keys is None else str(model.line_keys),
                model.source, model.confidence,
            )
            for model in maker.models
        ),
    )  # fmt: skip
    yield ""
    yield "An empty cell: no source that was read tells it. TLS versions, suites and"
    yield "built-in CAs are unknown for all of them; a captured ClientHello tells what"
    yield "a phone offers: `linekey check --model MODEL --hello FILE`."

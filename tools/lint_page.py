"""docs/reference/lint.md: every rule of ``linekey lint``, from its tables."""

from collections.abc import Iterator

from linekey.catalog.evidence import CONFIDENCE_MEANING
from linekey.lint.rows import ROWS
from linekey.lint.rules import RULES
from linekey.makers.all import MAKERS

_HEAD = """# What the lint says

<!-- Made by `make docs` from src/linekey/lint/ and src/linekey/makers/. -->

`linekey lint FILE…` reads makers' configuration files, and templates of them, and
says what weakens the phones that get them. It recognises Yealink's `key = value`,
Poly's XML attributes, Grandstream's `gs_provision` with numbers or names, and the XML
of Snom and Gigaset, by what a file holds.

- A **warning** counts: the exit status is 1. A **note** is what a maker's default
  leaves weak, or what may be meant; it does not count. A file that cannot be read
  makes it 2.
- What a template puts in later (`{{$x}}`, `{{{{ x }}}}`, `${{x}}`, `<?php … ?>`), and
  what the phone puts in itself (`[PHONE_MAC_ADDRESS]`, `{{mac}}`), is named and not
  judged. From what a template does not set, nothing is concluded.
- Passwords are compared and never shown.
- With `--chain FILE` the names that a file tells the phone to call by TLS are held
  against a server's certificate.
- Confidence: {meanings}.
- Sources are those of [sources.md](sources.md), and RFCs.
"""


def lint_page() -> str:
    """Return ``docs/reference/lint.md``."""
    return "\n".join(_page()).rstrip() + "\n"


def _page() -> Iterator[str]:
    meanings = "; ".join(f"**{k}** {v}" for k, v in CONFIDENCE_MEANING.items())
    yield _HEAD.format(meanings=meanings)
    yield "## Rules"
    yield ""
    yield "| id | | what is found | why | cure | source | |"
    yield "|---|---|---|---|---|---|---|"
    for name, rule in RULES.items():
        cure = rule.cure.replace("{setting}", "the setting").replace(
            "{safe}", "its safe value"
        )
        cells = (
            f"`{name}`", rule.weight, rule.title, rule.why, cure, rule.source,
            rule.confidence,
        )  # fmt: skip
        yield _cells(cells)
    yield ""
    yield "## Makers' settings"
    yield ""
    yield "Besides these, what a setting says in the neutral vocabulary is looked"
    yield "at, by the same tables as the server writes with."
    yield ""
    yield "| maker | setting | rule | breaks it | safe | source | |"
    yield "|---|---|---|---|---|---|---|"
    for maker in MAKERS.values():
        for guard in maker.guards:
            weak = "any other value" + (", or none" if guard.reset else "")
            yield _cells(
                (
                    maker.title, f"`{guard.pattern}`", f"`verify.{guard.checks}`",
                    weak, ", ".join(sorted(guard.safe)), guard.source, guard.confidence,
                )
            )  # fmt: skip
    for row in ROWS:
        rules = [f"`{row.rule}`"] if row.rule else []
        if row.absent:
            rules.append(f"`{row.absent}` where it is not there")
        weak = ", ".join(sorted(row.weak)) or ("a URL without TLS" if row.rule else "–")
        yield _cells(
            (
                MAKERS[row.maker].title, f"`{row.pattern}`", ", ".join(rules), weak,
                row.safe, row.source, row.confidence,
            )
        )  # fmt: skip


def _cells(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

"""A source that is cited can be looked up, and one that is listed is cited."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools.fidelity_rules import RULES as PHONE_RULES

from linekey.catalog.authorities import ALL_CAS
from linekey.catalog.hello import HELLO_RULES
from linekey.catalog.known_settings import known_settings
from linekey.catalog.matrix import ROWS
from linekey.catalog.models import MODELS
from linekey.catalog.settings_rules import SINCE_RULES, STANDING_RULES
from linekey.catalog.vendors import IDENTITY_RULES
from linekey.trust.rules import RULES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/sources.md"
LISTED = re.findall(r"^\| `([A-Z]+-[A-Z]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)
CITATION = re.compile(
    rf"\b(?:{'|'.join({i.split('-')[0] for i in LISTED})})-[A-Z]{{2,}}\b"
)
NOWHERE = re.compile(
    r"\b[Ss]eed(?:'s\b|, [A-Z*\"]|\.md)|\b(?:the|The) seed\b| \(seed\)|\b[Ff]acts[/:, ]+\w+\.md|"
    r"\b[Ff]acts (?:§|snom|vendors)|vendors\.md|snom\.md|\b[Vv]endor page\b [a-z\"]"
)
"""Words for collections of notes that no reader has."""
PLAIN = (
    "RFC ",
    "OpenSSL",
    "inference",
    "linekey's own",
    "catalogue",
    "the operator's word",
)


def texts() -> Iterator[tuple[str, str]]:
    for folder in ("src", "tests", "tools", "docs", "bench"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".j2", ".tsv", ".html"} and path != Path(
                __file__
            ):
                yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def test_every_identifier_that_is_cited_is_listed_and_the_reverse() -> None:
    cited: Counter[str] = Counter()
    for name, text in texts():
        found = CITATION.findall(text)
        assert set(found) <= set(LISTED), name
        if name != "docs/reference/sources.md":
            cited.update(found)
    assert set(LISTED) == set(cited)
    assert len(LISTED) == len(set(LISTED))


def test_nobody_cites_what_a_reader_cannot_open() -> None:
    assert not {
        name: m.group() for name, text in texts() if (m := NOWHERE.search(text))
    }


SOURCES = {
    source
    for table in (
        ALL_CAS, HELLO_RULES, ROWS, MODELS.values(), SINCE_RULES, STANDING_RULES,
        IDENTITY_RULES, RULES.values(), PHONE_RULES, known_settings().values(),
    )
    for source in (row.source for row in table)
}  # fmt: skip


@pytest.mark.parametrize("source", sorted(SOURCES))
def test_a_tables_source_begins_with_what_can_be_looked_up(source: str) -> None:
    assert source.startswith((*LISTED, *PLAIN)), source

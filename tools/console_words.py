"""Which words the console says, and its German catalogue brought up to date.

    python tools/console_words.py            add what is new, drop what is gone
    python tools/console_words.py --check    write nothing; exit 1 if German lacks

Words are in the templates (``_``, ``ngettext``), in the console's code (``mark``,
``t``, ``n``), in all that the program says with ``linekey.said`` (``say``, ``mark``),
and in tables of the program whose sentences the console shows.
"""

import argparse
import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src/linekey"
WEB = SOURCE / "console/web"
TEMPLATES = (
    *sorted(WEB.glob("templates/*.html")),
    *sorted((SOURCE / "console/templates").glob("*.html")),
)
SAID = SOURCE / "said.py"
IMPORTED = "from linekey.said import"
KEYWORDS: dict[str, Any] = {
    "_": None, "gettext": None, "ngettext": (1, 2), "mark": None, "t": None,
    "n": (1, 2),
}  # fmt: skip


def words() -> dict[Any, list[str]]:
    """Every word, or pair of one and many, with the places where it stands."""
    found: dict[Any, list[str]] = {}
    for path, message in _written():
        found.setdefault(message, []).append(path)
    for path, message in (*_tables(), *_said()):
        if message:
            found.setdefault(message, []).append(path)
    return found


def catalogue(code: str = "de") -> Catalog:
    """Read a language's catalogue."""
    data = (WEB / "locale" / f"{code}.po").read_bytes()
    return read_po(io.BytesIO(data), locale=code)


def untranslated() -> list[Any]:
    """Words without a whole German translation."""
    there = catalogue()
    missing = []
    for word in words():
        found = there.get(word if isinstance(word, str) else word[0])
        string: Any = "" if found is None else found.string
        strings = [string] if isinstance(string, str) else list(string)
        if found is None or found.fuzzy or not strings or not all(strings):
            missing.append(word)
    return missing


def _written() -> Iterator[tuple[str, Any]]:
    for path in sorted([*WEB.glob("*.py"), *TEMPLATES]):
        method = "python" if path.suffix == ".py" else "jinja2.ext:babel_extract"
        with path.open("rb") as file:
            options = {"extensions": "jinja2.ext.i18n", "silent": "false"}
            for _, message, _, _ in extract(
                method, file, KEYWORDS, options=options if method != "python" else {}
            ):
                yield path.name, message


def _tables() -> Iterator[tuple[str, str]]:
    from linekey.certs.verify_errors import ERRORS
    from linekey.console.api.problems import PROBLEMS
    from linekey.console.web.language import ACTION_NAMES, ROLE_NAMES, STATES
    from linekey.provisioning.decision import Reason
    from linekey.tls.alerts import TEXTS
    from linekey.tls.reasons import SENTENCES
    from linekey.wire.door.refusal import REFUSALS

    for table in (ACTION_NAMES, ROLE_NAMES, STATES):
        yield from (("language.py", text) for text in table.values())
    for reason in Reason:
        yield from (("decision.py", text) for text in (reason.sentence, reason.cure))
    for error in ERRORS.values():
        yield "verify_errors.py", error.text
    for pair in TEXTS.values():
        yield from (("alerts.py", text) for text in pair)
    yield from (("reasons.py", text) for text in SENTENCES.values())
    for name, rows in (("refusal.py", REFUSALS), ("problems.py", PROBLEMS)):
        for row in rows.values():
            yield from ((name, text) for text in (row.sentence, row.cure))


def _said() -> Iterator[tuple[str, str]]:
    """All that the program says with ``linekey.said``, wherever."""
    for path, call in calls("say", "mark"):
        if path != SAID and IMPORTED not in path.read_text(encoding="utf-8"):
            continue  # a function of its own by that name
        yield from ((path.name, text) for text in literals(call.args[0]))


def calls(*names: str, under: Path = SOURCE) -> Iterator[tuple[Path, ast.Call]]:
    """Calls of functions of these names in a folder or a file, with the files."""
    called = re.compile(rf"\b({'|'.join(names)})\(")
    for path in sorted(under.rglob("*.py")) if under.is_dir() else [under]:
        text = path.read_text(encoding="utf-8")
        if not called.search(text):
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Call(func=ast.Name(id=name)) if name in names:
                    yield path, node


def literals(node: ast.expr) -> Iterator[str]:
    """The texts that an expression may be: one, or one of two."""
    if isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def _write() -> None:
    path = WEB / "locale" / "de.po"
    old = catalogue() if path.is_file() else Catalog(locale="de")
    new = Catalog(
        locale="de", project="linekey", charset="utf-8", fuzzy=False,
        header_comment="# German words of linekey's console.",
    )  # fmt: skip
    for word, places in sorted(words().items(), key=lambda item: str(item[0]).lower()):
        there = old.get(word if isinstance(word, str) else word[0])
        string = there.string if there else ""
        new.add(word, string, locations=[(p, 0) for p in sorted(set(places))])
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        write_po(file, new, width=88, include_lineno=False, omit_header=False)
    text = path.read_text(encoding="utf-8")
    kept = [
        line
        for line in text.splitlines(keepends=True)
        if not line.startswith(('"POT-Creation', '"PO-Revision', '"Generated-By'))
    ]
    path.write_text("".join(kept), encoding="utf-8")


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        _write()
    missing = untranslated()
    for word in missing:
        print(f"no German for: {word}")
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main())

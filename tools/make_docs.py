"""Write the reference pages that come from code.

    python tools/make_docs.py            write every page that has changed
    python tools/make_docs.py --check    write nothing; exit 1 if one is out of date

``PAGES`` is the registry: a page's path, and the function without arguments that
returns its whole text. A new page is one more line here; the test of the documents
holds every page to its function.
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

sys.path.insert(0, str(ROOT))  # for the pages that functions in tools/ make

PAGES: dict[str, str] = {
    "docs/howto/apache.md": "tools.howto_pages:apache",
    "docs/howto/freeradius.md": "tools.howto_pages:freeradius",
    "docs/howto/haproxy.md": "tools.howto_pages:haproxy",
    "docs/howto/kamailio.md": "tools.howto_pages:kamailio",
    "docs/howto/nginx.md": "tools.howto_pages:nginx",
    "docs/howto/slapd.md": "tools.howto_pages:slapd",
    "docs/reference/cli.md": "tools.cli_page:cli_page",
    "docs/reference/fidelity.md": "tools.reference_pages:fidelity_page",
    "docs/reference/findings.md": "tools.reference_pages:findings_page",
    "docs/reference/interop.md": "tools.interop_page:interop_page",
    "docs/reference/lint.md": "tools.lint_page:lint_page",
    "docs/reference/load.md": "tools.load_page:load_page",
    "docs/reference/metrics.md": "tools.reference_pages:metrics_page",
    "docs/reference/models.md": "tools.reference_pages:models_page",
    "docs/reference/openapi.json": "tools.openapi_page:openapi_page",
    "docs/reference/reasons.md": "tools.reference_pages:reasons_page",
    "docs/reference/settings.md": "tools.reference_pages:settings_page",
    "docs/reference/states.md": "tools.states_page:states_page",
}
"""Path of the page from the top of the repository → ``module:function``, and the word
that the function is given, if any."""


def _manual() -> dict[str, str]:
    from tools.man_pages import page_paths

    first, *rest = page_paths()
    verbs = {p: p.removeprefix("docs/man/linekey-").removesuffix(".1") for p in rest}
    return {first: "tools.man_pages:main_page"} | {
        path: f"tools.man_pages:verb_page:{verb}" for path, verb in verbs.items()
    }


PAGES |= _manual()


def _makers() -> dict[str, str]:
    from tools.makers_pages import page_paths

    return page_paths()


PAGES |= _makers()


def render(page: str) -> str:
    """Return what the page should hold."""
    module, function, *words = PAGES[page].split(":")
    text = getattr(import_module(module), function)(*words)
    assert isinstance(text, str)
    assert text.endswith("\n"), f"{PAGES[page]} gives a text without a last line end"
    return text


def is_up_to_date(page: str) -> bool:
    """Say whether the page in the repository is what its function gives."""
    path = ROOT / page
    return path.is_file() and path.read_text(encoding="utf-8") == render(page)


def main() -> None:
    """Write, or with --check only compare, every page."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    stale = [page for page in PAGES if not is_up_to_date(page)]
    for page in stale:
        if check:
            print(f"out of date: {page}", file=sys.stderr)
        else:
            path = ROOT / page
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(render(page), encoding="utf-8")
            print(f"wrote {page}")
    if check and stale:
        print("hint: run make docs", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()

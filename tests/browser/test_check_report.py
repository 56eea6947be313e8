"""The check's HTML report in a browser: read it, walk it by keyboard, mail it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import NOW, ca, leaf

from linekey.catalog.profile import all_profiles
from linekey.check.assess import Question
from linekey.check.classes import classes_of
from linekey.check.page import render_page
from linekey.check.phones import Setup, gather
from linekey.check.run import check_chain

pytestmark = pytest.mark.peer("chromium")

ARGUMENTS = [
    "--no-sandbox", "--disable-quic", "--disable-background-networking",
    "--no-first-run",
]  # fmt: skip
NAME = "prov.example.com"


@pytest.fixture(scope="module")
def report_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A chain with a wrong name, for every phone of the catalogue, in one file."""
    root = ca("browser <i>root</i>")
    setup = Setup(authorities=(root.certificate,))
    classes = classes_of(gather(all_profiles(), NAME, setup, now=NOW).phones)
    report = check_chain(
        (leaf(root, "other.example.com"),), classes, Question(NAME, NOW),
        label="<b>chain</b>.pem", checked_at=datetime.now(UTC), calendar=True,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render_page(report), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=ARGUMENTS
        )
        yield running
        running.close()


@pytest.fixture
def page(browser: Any, report_url: str) -> Iterator[Any]:
    """The report, and a watch over whatever it asks for or complains of."""
    opened = browser.new_page()
    trouble: list[str] = []
    opened.on("console", lambda m: trouble.append(m.text))
    opened.on("pageerror", lambda e: trouble.append(str(e)))
    opened.on(
        "request", lambda r: r.url.split("#")[0] != report_url and trouble.append(r.url)
    )
    opened.goto(report_url)
    yield opened
    assert trouble == []
    opened.close()


def test_the_report_opens_and_its_matrix_can_be_read(page: Any) -> None:
    assert "<b>chain</b>.pem" in page.inner_text("h1")
    assert page.locator("h1 b").count() == 0
    table = page.locator("table").first
    models = table.locator("tbody tr").count()
    assert models == len({p.model.name for p in all_profiles()})
    heads = table.locator("thead th").all_inner_texts()
    row = table.locator("tbody tr", has=page.get_by_role("rowheader", name="D785"))
    cell = row.locator("td").nth(heads.index("10.1.33.33") - 1)
    assert "✗" in cell.inner_text()
    assert "not among the certificate's names" in cell.locator("a").get_attribute(
        "title"
    )
    assert "for the date 2026-06-01 12:00 UTC" in page.inner_text("main")


def test_no_verdict_is_told_by_colour_alone(page: Any) -> None:
    links = page.locator("td.cell a")
    assert links.count() == len(all_profiles())
    marks = {text.strip()[0] for text in links.all_text_contents()}
    assert marks == {"✓", "✗"}
    words = page.locator(".key").inner_text()
    assert all(mark in words for mark in marks)
    table = page.locator("table").first
    # and whoever hears the page instead of seeing it hears the verdict
    assert table.get_by_role("link", name="phone refuses the server").count() >= 10
    assert table.get_by_role("link", name="accepts, with warnings").count() >= 10
    assert links.first.locator(".read").bounding_box()["width"] <= 1


def test_a_cell_opens_its_findings_by_keyboard(page: Any) -> None:
    closed = page.locator("details.class:not([open])")
    assert closed.count() >= 1
    wanted = closed.first.locator("div[id]").get_attribute("id")
    assert not page.locator(f"#{wanted}").is_visible()
    for _ in range(len(all_profiles()) + 3):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == f"#{wanted}":
            break
    else:
        pytest.fail("the cell is not reached by Tab")
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring != "none"
    page.keyboard.press("Enter")
    findings = page.locator(f"#{wanted} ol.findings")
    findings.wait_for(state="visible", timeout=5_000)
    assert findings.locator("li").count() >= 2


def test_a_class_is_opened_and_closed_by_keyboard(page: Any) -> None:
    summary = page.locator("details.class:not([open]) > summary").first
    handle = summary.element_handle()
    handle.focus()
    page.keyboard.press("Space")
    assert handle.evaluate("e => e.parentElement.open")
    page.keyboard.press("Enter")
    assert not handle.evaluate("e => e.parentElement.open")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_small_screen_needs_no_sideways_scrolling(
    browser: Any, report_url: str, scheme: str
) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(report_url)
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    text, back = page.evaluate(
        "(() => { const s = getComputedStyle(document.body);"
        " return [s.color, s.backgroundColor] })()"
    )
    assert text != back
    context.close()


def test_the_file_holds_no_address_of_another_place(report_url: str) -> None:
    text = Path(report_url.removeprefix("file://")).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "src=" not in text
    assert "url(http" not in text

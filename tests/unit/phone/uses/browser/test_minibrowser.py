import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import LinekeyError
from linekey.phone.uses.browser.minibrowser import (
    Dial,
    Leave,
    Minibrowser,
    Open,
    PageError,
    Stay,
    follow,
    parse_page,
)
from linekey.xmldoc import XmlError

URL = "https://apps.example.com/menu/start.xml"


def page(xml: str, url: str = URL):
    return parse_page(xml.encode(), url)


def test_text_keeps_its_lines_and_its_soft_keys() -> None:
    shown = page(
        """<SnomIPPhoneText><Title>News</Title>
        <Text>one <b>two</b><br/>three</Text>
        <SoftKeyItem><Name>F1</Name><Label>More</Label><URL>more.xml</URL></SoftKeyItem>
        <SoftKeyItem><Name>F4</Name><Label>Exit</Label><URL>snom://mb_exit</URL></SoftKeyItem>
        </SnomIPPhoneText>"""
    )
    assert (shown.kind, shown.title, shown.lines) == (
        "text",
        "News",
        ("one two", "three"),
    )
    browser = Minibrowser(shown)
    assert browser.press("f1") == Open("https://apps.example.com/menu/more.xml")
    assert browser.press("F4") == Leave()
    assert isinstance(browser.press("F2"), Stay)


def test_tag_names_are_case_insensitive_and_menus_take_both_spellings() -> None:
    shown = page(
        """<snomipphonemenu><TITLE>M</TITLE>
        <menuitem><NAME>A</NAME><url>/a</url></menuitem>
        <MenuItem name="B"><URL>https://other.example/b?x=1&amp;y=2</URL></MenuItem>
        </snomipphonemenu>"""
    )
    browser = Minibrowser(shown)
    assert [e.label for e in shown.entries] == ["A", "B"]
    assert browser.choose(0) == Open("https://apps.example.com/a")
    assert browser.press("2") == Open("https://other.example/b?x=1&y=2")
    assert isinstance(browser.choose(2), Stay)


def test_input_is_sent_as_a_query_and_passwords_are_known_as_such() -> None:
    shown = page(
        """<SnomIPPhoneInput><URL>search?lang=de</URL>
        <InputItem><DisplayName>Who</DisplayName><QueryStringParam>q</QueryStringParam>
        <DefaultValue>x</DefaultValue><InputFlags>a</InputFlags></InputItem>
        <InputItem><DisplayName>PIN</DisplayName><QueryStringParam>m=1&amp;pin</QueryStringParam>
        <InputFlags>PN</InputFlags></InputItem></SnomIPPhoneInput>"""
    )
    assert [f.is_password for f in shown.fields] == [False, True]
    assert Minibrowser(shown).submit(("Jörg & co", "12")) == Open(
        "https://apps.example.com/menu/search?lang=de&q=J%C3%B6rg%20%26%20co&m=1&pin=12",
        typed=("12",),
    )
    assert isinstance(Minibrowser(shown).submit(("one",)), Stay)


@pytest.mark.parametrize(
    ("target", "expected"),
    [("s", "s?q=v"), ("s?", "s?q=v"), ("s?a=1", "s?a=1&q=v")],
)
def test_the_query_is_joined_right(target: str, expected: str) -> None:
    shown = page(
        f"<SnomIPPhoneInput><URL>{target}</URL><InputItem><QueryStringParam>q"
        "</QueryStringParam></InputItem></SnomIPPhoneInput>"
    )
    assert Minibrowser(shown).submit(("v",)) == Open(
        f"https://apps.example.com/menu/{expected}"
    )


def test_directory_entries_dial() -> None:
    shown = page(
        "<SnomIPPhoneDirectory><DirectoryEntry><Name>Ann</Name><Telephone>+49 30"
        "</Telephone></DirectoryEntry></SnomIPPhoneDirectory>"
    )
    assert Minibrowser(shown).choose(0) == Dial("+49 30")


def test_a_url_that_is_none_is_named() -> None:
    with pytest.raises(PageError, match="https://\\["):
        page("<SnomIPPhoneInput><URL>https://[::</URL></SnomIPPhoneInput>")


def test_images_come_inline_or_by_url() -> None:
    data = base64.b64encode(b"BM\x00").decode()
    assert (
        page(f"<SnomIPPhoneImage><Data>{data}</Data></SnomIPPhoneImage>").image
        == b"BM\x00"
    )
    by_url = page("<SnomIPPhoneImageFile><URL>a.jpg</URL></SnomIPPhoneImageFile>")
    assert (by_url.kind, by_url.image_url) == (
        "image",
        "https://apps.example.com/menu/a.jpg",
    )
    with pytest.raises(PageError):
        page("<SnomIPPhoneImage><Data>%%%</Data></SnomIPPhoneImage>")
    with pytest.raises(PageError):
        page(
            "<SnomIPPhoneImageFile><URL>file:///etc/passwd</URL></SnomIPPhoneImageFile>"
        )


BATCH = """<SnomIPPhoneBatch><SnomIPPhoneText id="one"><Text>1</Text></SnomIPPhoneText>
<SnomIPPhoneText id="two"><Text>2</Text></SnomIPPhoneText></SnomIPPhoneBatch>"""


@pytest.mark.parametrize(
    ("fragment", "line"),
    [("", "1"), ('#sub=*[@id="two"]', "2"), ("#sub=*[@id=two]", "2")],
)
def test_a_batch_shows_its_first_page_or_the_one_the_fragment_names(
    fragment, line
) -> None:
    assert page(BATCH, URL + fragment).lines == (line,)


def test_a_batch_without_the_wanted_page_says_so() -> None:
    with pytest.raises(PageError, match="three"):
        page(BATCH, URL + '#sub=*[@id="three"]')
    with pytest.raises(PageError):
        page("<SnomIPPhoneBatch/>")


def test_fetch_waits_at_least_half_a_second() -> None:
    shown = page('<SnomIPPhoneText><fetch mil="1">next</fetch></SnomIPPhoneText>')
    assert (shown.fetch_after_ms, Minibrowser(shown).timer()) == (
        500,
        Open("https://apps.example.com/menu/next"),
    )
    slow = page('<SnomIPPhoneText><Fetch mil="3000">next</Fetch></SnomIPPhoneText>')
    assert slow.fetch_after_ms == 3000
    odd = page('<SnomIPPhoneText><Fetch mil="²">next</Fetch></SnomIPPhoneText>')
    assert odd.fetch_after_ms == 500


def test_back_skips_untracked_pages_and_closes_at_the_end() -> None:
    first, secret, last = (
        page(f'<SnomIPPhoneText track="{t}"><Text>{n}</Text></SnomIPPhoneText>')
        for n, t in (("1", "yes"), ("2", "no"), ("3", "yes"))
    )
    browser = Minibrowser().show(first).show(secret).show(last)
    assert browser.back().page == first
    assert browser.back().back().page is None


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "javascript:1", "ftp://x/", "gopher://x"]
)
def test_a_page_opens_nothing_but_http_and_telephone_numbers(url: str) -> None:
    assert isinstance(follow(url), Stay)


@pytest.mark.parametrize(
    "xml",
    ["<html/>", "<SnomIPPhoneInput/>", "<SnomIPPhoneBatch><a/></SnomIPPhoneBatch>"],
)
def test_other_documents_are_no_pages(xml: str) -> None:
    with pytest.raises(PageError):
        page(xml)


def test_hostile_xml_is_refused() -> None:
    with pytest.raises(XmlError):
        page('<!DOCTYPE a [<!ENTITY b "c">]><SnomIPPhoneText>&b;</SnomIPPhoneText>')
    with pytest.raises(XmlError):
        page("<SnomIPPhoneText>" + "<a>" * 9 + "</a>" * 9 + "</SnomIPPhoneText>")


NAMES = st.sampled_from(
    "SnomIPPhoneText SnomIPPhoneMenu SnomIPPhoneInput SnomIPPhoneBatch Text URL Data"
    " SnomIPPhoneImage SnomIPPhoneImageFile MenuItem InputItem Fetch br".split()
)
TREES = st.recursive(
    st.text("ab:/?[]#%1 é", max_size=8),
    lambda inner: st.builds(
        lambda n, parts: f"<{n}>{''.join(parts)}</{n}>",
        NAMES,
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@given(TREES, st.text("ab#=*[]@id\"':/", max_size=20))
def test_any_document_is_a_page_or_raises_the_one_error(xml: str, tail: str) -> None:
    try:
        shown = parse_page(xml.encode(), URL + tail)
    except LinekeyError:
        return
    browser = Minibrowser().show(shown)
    for step in (
        browser.press("1"),
        browser.timer(),
        browser.submit(()),
        browser.choose(0),
    ):
        assert isinstance(step, (Open, Dial, Leave, Stay))


@pytest.mark.parametrize("scheme", ["snom", "phone", "Phone", "SNOM"])
def test_phone_and_snom_commands_are_one(scheme: str) -> None:
    assert follow(f"{scheme}://mb_exit") == Leave()
    assert follow(f"{scheme}://mb_exit#numberdial=4711&reregister=1") == Leave(
        ("numberdial=4711", "reregister=1")
    )
    told = follow(f"{scheme}://mb_nop#toggleset=x")
    assert isinstance(told, Stay)
    assert "toggleset=x" in told.reason
    other = follow(f"{scheme}://mb_other")
    assert isinstance(other, Stay)
    assert "://mb_exit" in other.reason
    assert isinstance(follow(f"{scheme}://mb_exitus"), Stay)


@pytest.mark.parametrize("root", ["SnomIPPhoneSilent", "IPPhoneSilent"])
def test_a_silent_page_leaves_the_screen_and_fetches_the_next(root: str) -> None:
    shown = parse_page(b"<SnomIPPhoneText><Text>here</Text></SnomIPPhoneText>", URL)
    silent = parse_page(
        f"<{root}><fetch mil='2000'>next.xml</fetch></{root}>".encode(), URL
    )
    browser = Minibrowser().show(shown).show(silent)
    assert browser.page == shown
    assert browser.due == silent
    step = browser.timer()
    assert isinstance(step, Open)
    assert step.url.endswith("/next.xml")
    after = browser.show(parse_page(b"<IPPhoneText><Text>x</Text></IPPhoneText>", URL))
    assert after.silent is None

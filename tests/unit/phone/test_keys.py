"""Dedicated keys and the keys under the screen, from a document to what they open."""

from datetime import UTC, datetime

import pytest
from tests.certificates import MAC

from linekey.errors import InputError
from linekey.phone.document import parse_document
from linekey.phone.events import Answer
from linekey.phone.keys import find_named_key
from linekey.phone.machine import Machine
from linekey.phone.pages.screen import describe_screen
from linekey.phone.requests import parse_request, to_request
from linekey.phone.state import new_phone
from linekey.phone.uses.actions.events import NamedKeyPressed, SoftKeyPressed
from linekey.phone.uses.actions.handle import key_event
from linekey.phone.uses.browser.events import OpenPage, PageFetched

NOW = datetime(2026, 11, 1, tzinfo=UTC)
URL = "https://pbx.example/dir"
ACTION = f'<action><url target="{URL}" when="on press"/></action>'


def machine(**values: str) -> Machine:
    state = new_phone(MAC, "D785", "10.1.141.13")
    settings = state.settings
    for written, value in values.items():
        name, _, idx = written.partition("__")
        settings = settings.provision(
            name, value, idx=int(idx) if idx else None
        ).settings
    from dataclasses import replace

    return Machine(replace(state, settings=settings))


def opened(commands: list) -> list[str]:
    return [c.url for c in commands if isinstance(c, OpenPage)]


@pytest.mark.parametrize(
    "inner",
    [
        f"<dkey_directory>url {URL}</dkey_directory>",
        f'<dkey_directory perm="R">{ACTION}</dkey_directory>',
        f"<dkey_directory><general type='x'/>{ACTION}</dkey_directory>",
        f'<dkey_directory><action><url target="https://x/" when="on release"/><url target="{URL}"/></action></dkey_directory>',
    ],
)
def test_a_dedicated_key_of_a_document_opens_its_url(inner: str) -> None:
    document = parse_document(
        f"<settings><phone-settings>{inner}</phone-settings></settings>".encode()
    )
    (line,) = document.settings
    assert document.notes == ()
    pressed = machine(dkey_directory=line.value).handle(key_event("DIRECTORY"), NOW)
    assert opened(pressed) == [URL]


def test_a_key_described_by_elements_without_a_url_for_a_press_says_so() -> None:
    document = parse_document(
        b"<settings><phone-settings><dkey_x><general/></dkey_x></phone-settings>"
        b"<functionKeys><fkey idx='0'><general/></fkey></functionKeys></settings>"
    )
    assert document.settings == ()
    assert [k.type for k in document.function_keys] == ["none"]
    assert len(document.notes) == 2


def test_a_function_key_may_be_nested_too_and_its_section_has_two_names() -> None:
    text = f'<function-keys><fkey idx="3" label="L">{ACTION}</fkey></function-keys>'
    (key,) = parse_document(text.encode()).function_keys
    assert (key.idx, key.type, key.value, key.label) == (3, "url", URL, "L")


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"context_key__0": f"url {URL}"}, "F1"),
        ({"context_key__3": f"url {URL}"}, "f4"),
        ({"gui_fkey2": f"url {URL}"}, "F2"),
        ({"context_key__1": f"url {URL}", "gui_fkey2": "url https://old/"}, "F2"),
    ],
)
def test_the_keys_under_the_screen_open_theirs_while_no_page_is_shown(
    values: dict[str, str], key: str
) -> None:
    phone = machine(**values)
    commands = phone.handle(SoftKeyPressed(key), NOW)
    assert opened(commands) == [URL]
    page = b"<SnomIPPhoneText><Title>T</Title><Text>x</Text></SnomIPPhoneText>"
    (request,) = (c for c in commands if isinstance(c, OpenPage))
    phone.handle(PageFetched(request, 200, URL, page), NOW)
    assert opened(phone.handle(SoftKeyPressed(key), NOW)) == []


def test_a_key_that_opens_nothing_is_told_and_one_not_set_says_which_setting() -> None:
    phone = machine(dkey_help="keyevent F_REDIAL")
    (told,) = (
        c for c in phone.handle(NamedKeyPressed("help"), NOW) if isinstance(c, Answer)
    )
    assert told.ok
    assert "dkey_help" in told.text
    (none,) = (
        c for c in phone.handle(NamedKeyPressed("snom"), NOW) if isinstance(c, Answer)
    )
    assert not none.ok
    assert "dkey_snom" in none.hint
    (odd,) = (
        c for c in phone.handle(NamedKeyPressed("../x"), NOW) if isinstance(c, Answer)
    )
    assert not odd.ok


@pytest.mark.parametrize("text", ["DIRECTORY", "dkey_directory", "directory"])
def test_the_command_line_knows_a_dedicated_key_by_its_names(text: str) -> None:
    event = key_event(text)
    assert event == NamedKeyPressed("directory")
    assert parse_request(to_request(event)) == event


def test_what_no_key_can_be_called_is_a_typing_error() -> None:
    for text in ("1234", "a b", "", "-x", "/etc"):
        with pytest.raises(InputError, match="no such key"):
            key_event(text)


def test_the_screen_lists_the_dedicated_keys_without_their_values() -> None:
    phone = machine(dkey_directory="url https://u:secret@x/", dkey_menu="")
    screen = describe_screen(phone.state)
    assert screen["named_keys"] == ["directory"]
    assert find_named_key("menu", phone.state.setting) is None

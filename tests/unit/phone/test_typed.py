"""Characters that nobody can type are refused where text enters."""

import pytest
from tests.certificates import MAC, NOW, device

from linekey.errors import InputError
from linekey.phone.events import Answer, SettingEntered
from linekey.phone.machine import Machine
from linekey.phone.requests import parse_request
from linekey.phone.settings import PhoneSettings
from linekey.phone.state import new_phone
from linekey.phone.typed import check_idx, check_typed, untypable
from linekey.phone.urls import parse_url
from linekey.phone.uses.actions.urls import Happening, expand
from linekey.phone.uses.browser.minibrowser import Minibrowser, Stay, parse_page
from linekey.phone.uses.network.handle import network_login

UNTYPABLE = [
    ("a\x00b", "U+0000"),
    ("\x7f", "U+007F"),
    ("a\x85", "U+0085"),
    ("\udcff", "U+DCFF"),
]
each = pytest.mark.parametrize(("text", "name"), UNTYPABLE)


@each
def test_the_first_of_them_is_named(text: str, name: str) -> None:
    assert untypable(text) == untypable(text + "\x01", lines=True) == name
    with pytest.raises(InputError, match="'value' holds the character U"):
        check_typed("'value'", text)


def test_every_script_can_be_typed_and_lines_where_lines_are() -> None:
    text = "Ünal, 山田, \u05e9\u05dc\u05d5\u05dd, \U0001f4de, non-breaking\u00a0blank"
    assert untypable(text) == ""
    assert untypable("a\r\n\tb") == "U+000D"
    assert untypable("a\r\n\tb", lines=True) == ""


@each
@pytest.mark.parametrize(
    "request_",
    [
        {"do": "submit", "values": ["fine", "TEXT"]},
        {"do": "lookup", "text": "TEXT"},
        {"do": "soft-key", "key": "TEXT"},
        {"do": "event", "event": "incoming", "variables": {"remote": "TEXT"}},
        {"do": "dot1x", "host": "TEXT", "port": 1812, "secret": "s"},
        {"do": "set", "name": "language", "value": "TEXT"},
        {"do": "provision", "reason": "TEXT"},
    ],
    ids=lambda r: r["do"],
)
def test_no_request_brings_them_in(request_: dict, text: str, name: str) -> None:
    def filled(value: object) -> object:
        if isinstance(value, list):
            return [filled(v) for v in value]
        if isinstance(value, dict):
            return {k: filled(v) for k, v in value.items()}
        return text if value == "TEXT" else value

    with pytest.raises(InputError, match=name.replace("+", r"\+")):
        parse_request(filled(request_))


@each
def test_no_setting_holds_them_whoever_sets_it(text: str, name: str) -> None:
    for change in (
        PhoneSettings().set_by_user("ldap_server", text),
        PhoneSettings().provision("ldap_server", text),
    ):
        assert not change.applied
        assert name in change.reason
    machine = Machine(new_phone(MAC, "D785", "10.1.33.33", builtin=device()))
    answer = machine.handle(SettingEntered("ldap_server", text), NOW)[-1]
    assert isinstance(answer, Answer)
    assert not answer.ok
    assert name in answer.text
    pasted = PhoneSettings().set_by_user("webserver_cert", "-----BEGIN X-----\r\nAA\n")
    assert pasted.applied


@each
def test_no_url_and_no_radius_address_holds_them(text: str, name: str) -> None:
    for url in (f"https://h{text}/", f"https://h/{text}x"):
        with pytest.raises(InputError, match="control characters"):
            parse_url(url)
    with pytest.raises(InputError, match="RADIUS"):
        network_login(text, 1812, "secret")


@each
def test_an_input_page_sends_none_of_them_and_an_action_url_sends_a_mark(
    text: str, name: str
) -> None:
    page = parse_page(
        b"<SnomIPPhoneInput><URL>https://h/x</URL><InputItem><QueryStringParam>v"
        b"</QueryStringParam></InputItem></SnomIPPhoneInput>",
        "https://h/",
    )
    step = Minibrowser(page).submit((text,))
    assert isinstance(step, Stay)
    assert name in step.reason
    happening = Happening({"display_remote": "\udcffAda"}, {})
    url = expand("https://h/?name=$display_remote", happening, lambda _: None)
    assert url == "https://h/?name=%3FAda"


def test_a_key_with_any_number_of_digits_is_only_a_key_without_meaning() -> None:
    page = parse_page(
        b"<SnomIPPhoneMenu><Title>x</Title></SnomIPPhoneMenu>", "https://h/"
    )
    assert isinstance(Minibrowser(page).press("9" * 5000), Stay)


@pytest.mark.parametrize(
    ("name", "idx", "fits"),
    [
        ("user_name", 1, True), ("user_name", 12, True), ("user_name", 0, False),
        ("user_name", 13, False), ("fkey", 0, True), ("fkey_label", 40, True),
        ("fkey", 128, False), ("User_Host", 99, False),
    ],
)  # fmt: skip
def test_an_idx_is_an_accounts_or_a_keys(name: str, idx: int, fits: bool) -> None:
    if fits:
        assert check_idx(name, idx) == idx
        return
    with pytest.raises(InputError, match="has no idx") as caught:
        check_idx(name, idx)
    assert "accounts count from 1" in caught.value.hint

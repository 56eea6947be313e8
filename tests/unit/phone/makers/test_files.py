"""Which files a maker's phone asks for, and what it makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import NOW

from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware, profile
from linekey.errors import InputError
from linekey.mac import Mac
from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line
from linekey.makers.poly.grammar import master
from linekey.phone.events import PoweredOn, Save
from linekey.phone.machine import Machine
from linekey.phone.makers.files import ORDERS, files_of, other_maker, read_file
from linekey.phone.settings import PhoneSettings
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.urls import settings_urls
from linekey.phone.uses.provisioning.events import (
    DocumentFetched,
    Fetch,
    FetchFailed,
    LogAnswered,
    SendLog,
)

BASE = "https://prov.example.com/phones/"
MAC = Mac("805EC0AABBCC")
BARE = "805ec0aabbcc"


def names(model: str, server: str = BASE, firmware: str = "", **settings: str):
    row = profile(model, firmware or newest_firmware(find_model(model)))
    maker = other_maker(row)
    assert maker is not None
    set_ = PhoneSettings()
    for name, value in settings.items():
        set_ = set_.provision(name, value).settings
    urls = [url for url, _ in files_of(maker, row, MAC, server, set_)]
    assert all(url.startswith("https://prov.example.com/") for url in urls)
    return [url.removeprefix(BASE) for url in urls]


def test_yealink_asks_for_boot_files_first() -> None:
    assert names("T46U") == [
        f"{BARE}.boot", "y000000000000.boot", "y000000000108.cfg", f"{BARE}.cfg",
    ]  # fmt: skip


def test_yealink_before_v81_knows_no_boot_file() -> None:
    assert names("T46G", firmware="28.80.0.95") == ["y000000000028.cfg", f"{BARE}.cfg"]


def test_poly_asks_for_its_master_and_then_the_one_for_all() -> None:
    assert names("VVX450")[:2] == [f"{BARE}.cfg", "000000000000.cfg"]


def test_grandstream_asks_for_the_packed_file_first() -> None:
    assert names("GRP2614") == [
        f"cfg{BARE}", f"cfg{BARE}.xml", "cfggrp2614.xml", "cfg.xml",
    ]  # fmt: skip


def test_a_server_that_names_a_file_is_asked_for_that_alone() -> None:
    assert names("VVX450", f"{BASE}office.cfg") == ["office.cfg"]


@pytest.mark.parametrize("server", ["ftp://x.example/", "https://", "https://a b/"])
def test_what_is_no_address_is_refused(server: str) -> None:
    with pytest.raises(InputError):
        names("T46U", server)


@pytest.mark.parametrize("maker", ORDERS)
def test_every_name_is_one_that_the_makers_page_has(maker: str) -> None:
    known = {file.pattern for file in MAKERS[maker].files} | {"y000000000000.boot"}
    assert {ask.pattern for ask in ORDERS[maker]} <= known


def test_gigaset_is_snom_like() -> None:
    row = profile("P850", "10.1.33.33")
    assert other_maker(row) is None
    assert settings_urls(BASE, row.model.user_agent_name, MAC)[1].endswith(
        f"GigasetP850-{MAC}.htm"
    )


class Server:
    """Files by name; what is asked for is kept."""

    def __init__(self, **files: bytes) -> None:
        self.files, self.asked = files, []

    def feed(self, phone: PhoneState) -> PhoneState:
        machine = Machine(phone)
        commands = machine.handle(PoweredOn(), NOW)
        for _ in range(60):
            fetch = next((c for c in commands if isinstance(c, Fetch)), None)
            if fetch is None:
                return machine.state
            name = fetch.url.removeprefix(BASE)
            self.asked.append(name)
            body = self.files.get(name)
            status = 404 if body is None else 200
            event = DocumentFetched(fetch, status, body or b"", fetch.url)
            commands = machine.handle(event, NOW)
        raise AssertionError("the round does not end")


def phone(model: str) -> PhoneState:
    firmware = newest_firmware(find_model(model))
    return new_phone(MAC, model, firmware, setting_server=BASE)


def written(maker: str, *pairs: tuple[str, str]) -> bytes:
    return MAKERS[maker].grammar.write([Line(*pair) for pair in pairs])


def test_yealink_without_a_boot_file_takes_the_models_and_its_own() -> None:
    server = Server(**{
        "y000000000108.cfg": written("yealink", ("lang.gui", "German"),
                                     ("account.1.label", "all")),
        f"{BARE}.cfg": written("yealink", ("account.1.user_name", "4711"),
                               ("account.1.label", "own")),
    })  # fmt: skip
    state = server.feed(phone("T46U"))
    assert state.status is Status.PROVISIONED
    assert server.asked == [f"{BARE}.boot"] * 3 + ["y000000000000.boot"] * 3 + [
        "y000000000108.cfg", f"{BARE}.cfg",
    ]  # fmt: skip
    assert state.settings.get("user_name", 1) == "4711"
    assert state.settings.get("user_idle_text", 1) == "own"
    assert state.settings.get("language") == "de"


def test_yealinks_boot_file_replaces_the_rest_by_its_includes_in_order() -> None:
    server = Server(**{
        f"{BARE}.boot": b'#!version:1.0.0.1\ninclude:config "a.cfg"\n'
                        b"include:config <https://prov.example.com/phones/b.cfg>\n",
        "a.cfg": written("yealink", ("account.1.user_name", "1")),
        "b.cfg": written("yealink", ("account.1.user_name", "2")),
        f"{BARE}.cfg": written("yealink", ("account.1.user_name", "3")),
    })  # fmt: skip
    state = server.feed(phone("T46U"))
    assert server.asked == [f"{BARE}.boot", "a.cfg", "b.cfg"]
    assert state.settings.get("user_name", 1) == "2"
    assert state.status is Status.PROVISIONED


def test_poly_takes_what_its_master_names_and_the_first_wins() -> None:
    server = Server(**{
        f"{BARE}.cfg": master(["[PHONE_MAC_ADDRESS]-user.cfg", "site.cfg"]),
        f"{BARE}-user.cfg": written("poly", ("reg.1.address", "own")),
        "site.cfg": written("poly", ("reg.1.address", "site"),
                            ("reg.1.label", "Site")),
    })  # fmt: skip
    state = server.feed(phone("VVX450"))
    assert server.asked[0] == f"{BARE}.cfg"
    assert "000000000000.cfg" not in server.asked
    assert {f"{BARE}-user.cfg", "site.cfg"} <= set(server.asked)
    assert state.settings.get("user_name", 1) == "own"
    assert state.settings.get("user_idle_text", 1) == "Site"
    assert state.status is Status.PROVISIONED


def test_polys_common_master_serves_a_phone_without_its_own() -> None:
    server = Server(**{
        "000000000000.cfg": master(["[PHONE_MAC_ADDRESS]-user.cfg"]),
        f"{BARE}-user.cfg": written("poly", ("reg.1.address", "own")),
    })  # fmt: skip
    state = server.feed(phone("VVX450"))
    assert server.asked[:2] == [f"{BARE}.cfg", "000000000000.cfg"]
    assert state.settings.get("user_name", 1) == "own"


def test_grandstream_stops_at_the_first_that_comes() -> None:
    server = Server(**{
        f"cfg{BARE}.xml": written("grandstream", ("P35", "4711")),
        "cfg.xml": written("grandstream", ("P35", "all")),
    })  # fmt: skip
    state = server.feed(phone("GRP2614"))
    assert server.asked == [f"cfg{BARE}", f"cfg{BARE}.xml"]
    assert state.settings.get("user_name", 1) == "4711"
    assert state.status is Status.PROVISIONED


def test_grandstream_takes_all_files_with_p8467() -> None:
    assert names("GRP2614", P8467="1") == names("GRP2614")
    first = Server(**{
        f"cfg{BARE}.xml": written("grandstream", ("P8467", "1"), ("P35", "4711")),
    }).feed(phone("GRP2614"))  # fmt: skip
    again = Server(**{f"cfg{BARE}.xml": written("grandstream", ("P8467", "1"))})
    again.feed(first)
    assert again.asked[-1] == "cfg.xml"


def test_nothing_there_is_a_failure_and_nothing_is_applied() -> None:
    state = Server().feed(phone("GRP2614"))
    assert state.status is Status.FAILED
    assert "404" in state.status_reason


def test_a_file_of_another_grammar_is_refused_with_the_reason() -> None:
    server = Server(**{f"{BARE}.cfg": b"<settings/>"})
    state = server.feed(phone("T46U"))
    assert state.status is Status.FAILED
    assert any("#!version:1.0.0.1" in entry.text for entry in state.log)


def test_a_packed_file_is_not_read_and_the_next_is_asked_for() -> None:
    server = Server(**{
        f"cfg{BARE}": b"\x00\x01",
        f"cfg{BARE}.xml": written("grandstream", ("P35", "4711")),
    })  # fmt: skip
    state = server.feed(phone("GRP2614"))
    assert state.settings.get("user_name", 1) == "4711"


def test_no_set_of_includes_keeps_a_phone_busy_for_ever() -> None:
    loop = b"#!version:1.0.0.1\ninclude:config a.boot\ninclude:config b.boot\n"
    server = Server(**{f"{BARE}.boot": loop, "a.boot": loop, "b.boot": loop})
    server.feed(phone("T46U"))
    assert len(server.asked) < 10


def test_a_lost_connection_ends_in_a_state_and_a_next_try() -> None:
    machine = Machine(phone("T46U"))
    commands = machine.handle(PoweredOn(), NOW)
    for _ in range(20):
        fetch = next((c for c in commands if isinstance(c, Fetch)), None)
        if fetch is None:
            break
        commands = machine.handle(FetchFailed(fetch, "no connection"), NOW)
    assert machine.state.status is Status.FAILED


def test_a_templates_placeholder_is_told() -> None:
    body = b"#!version:1.0.0.1\naccount.1.password = {{ password }}\n"
    document = read_file(MAKERS["yealink"], "/x.cfg", body, MAC)
    assert any("placeholders" in note for note in document.notes)


def test_poly_sends_its_logs_and_goes_on_whatever_the_server_says() -> None:
    machine = Machine(phone("VVX450"))
    commands = machine.handle(PoweredOn(), NOW)
    sent = [c for c in commands if isinstance(c, SendLog)]
    assert [c.url for c in sent] == [f"{BASE}{BARE}-boot.log"]
    assert "powered on" in sent[0].text
    assert isinstance(commands[0], Save)
    machine.handle(LogAnswered(sent[0], 201), NOW)
    assert machine.state.log[-1].text == f"the server took {BARE}-boot.log"
    machine.handle(LogAnswered(sent[0], 405), NOW)
    assert machine.state.log[-1].text == f"the server took no {BARE}-boot.log: 405"
    machine.handle(LogAnswered(sent[0], 0, "no connection"), NOW)
    assert machine.state.log[-1].text.endswith(": no connection")


@pytest.mark.parametrize("model", ["T46U", "GRP2614", "D785"])
def test_no_other_makers_phone_sends_a_log(model: str) -> None:
    commands = Machine(phone(model)).handle(PoweredOn(), NOW)
    assert not any(isinstance(c, SendLog) for c in commands)


def test_the_log_says_that_the_hello_is_a_stand_in() -> None:
    machine = Machine(phone("T46U"))
    machine.handle(PoweredOn(), NOW)
    first = machine.state.log[0]
    assert any("no source tells what it speaks" in text for text in first.details)


def test_the_roots_of_another_makers_phone_are_a_stand_in() -> None:
    state = phone("T46U").with_usual_roots()
    assert state.roots is not None
    assert not state.roots.certain
    assert "no source names the CAs" in state.roots.sentence
    assert state.older_trust is None
    assert len(state.trust.authorities) > 100


def _mangled(draw: st.DrawFn) -> tuple[str, bytes]:
    """A maker, and bytes: anything, or a file of its own that was cut and altered."""
    maker = draw(st.sampled_from(sorted(ORDERS)))
    if draw(st.booleans()):
        return maker, draw(st.binary(max_size=200))
    grammar = MAKERS[maker].grammar
    whole = {
        "yealink": b"#!version:1.0.0.1\ninclude:config a.cfg\naccount.1.label = x\n",
        "poly": master(["a.cfg", "[PHONE_MAC_ADDRESS]-b.cfg"]),
        "grandstream": grammar.write([Line("P35", "x"), Line("P8463", "1")]),
    }[maker]
    at = draw(st.integers(0, len(whole)))
    put = draw(st.binary(max_size=8))
    return maker, whole[:at] + put + whole[at + draw(st.integers(0, 4)) :]


@given(st.composite(_mangled)())
def test_any_bytes_are_read_or_refused_with_a_cure(case: tuple[str, bytes]) -> None:
    maker, data = case
    refused: InputError | None = None
    try:
        document = read_file(MAKERS[maker], "https://x.example/x.xml", data, MAC)
    except InputError as error:
        refused = error
    if refused is not None:
        assert refused.message
        assert refused.hint
    else:
        assert all(line.name for line in document.settings)


@given(st.composite(_mangled)())
def test_whatever_a_server_sends_the_round_ends(case: tuple[str, bytes]) -> None:
    maker, data = case
    model = {"yealink": "T46U", "poly": "VVX450", "grandstream": "GRP2614"}[maker]
    files = dict.fromkeys(names(model), data)
    state = Server(**files).feed(phone(model))
    assert state.status in (Status.PROVISIONED, Status.FAILED)

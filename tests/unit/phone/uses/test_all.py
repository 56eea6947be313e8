"""The uses of TLS, each through the machine: keys, pages, lines, directory, 802.1X. No socket, no clock."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.certificates import MAC, NOW, authority, device, server

from linekey.errors import InputError
from linekey.phone.display import Display
from linekey.phone.document import FunctionKey
from linekey.phone.events import (
    Answer,
    Command,
    Event,
    ExceptionAdded,
    FactoryResetDone,
    MessageRead,
    Reply,
    Save,
    SendLater,
)
from linekey.phone.machine import Machine
from linekey.phone.pages.screen import describe_screen
from linekey.phone.report import describe_phone, describe_uses
from linekey.phone.requests import parse_request, to_request
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.actions.events import ActionHappened, KeyPressed, SoftKeyPressed
from linekey.phone.uses.browser.browsing import Browsing, image_type, in_front
from linekey.phone.uses.browser.events import (
    BackPressed,
    BrowserLeft,
    EntryChosen,
    FetchTimeCame,
    FormSubmitted,
    OpenPage,
    PageFailed,
    PageFetched,
)
from linekey.phone.uses.directory.events import (
    LookupEnded,
    LookupWanted,
    SearchDirectory,
)
from linekey.phone.uses.directory.handle import Directory
from linekey.phone.uses.directory.look_up import Entry, LookupResult
from linekey.phone.uses.network.events import (
    LogIntoNetwork,
    NetworkCertificateUploaded,
    NetworkLoginEnded,
    NetworkLoginWanted,
)
from linekey.phone.uses.network.handle import Network
from linekey.phone.uses.network.ieee8021x import EapMethod
from linekey.phone.uses.sip.events import LineMoved, LinesRead
from linekey.phone.uses.sip.lines import Lines, LineStatus
from linekey.phone.uses.sip.states import LineState
from linekey.tls.versions import Version
from linekey.trust.connection import Purpose

MENU = b"""<SnomIPPhoneMenu><Title>Menu</Title>
<MenuItem><Name>One</Name><URL>one.xml</URL></MenuItem>
<MenuItem><Name>Call</Name><URL>tel:402</URL></MenuItem>
<MenuItem><Name>File</Name><URL>file:///etc/passwd</URL></MenuItem>
<SoftKeyItem><Name>F1</Name><Label>Exit</Label><URL>snom://mb_exit</URL></SoftKeyItem>
</SnomIPPhoneMenu>"""
TEXT = b"<SnomIPPhoneText><Title>One</Title><Text>Hello</Text></SnomIPPhoneText>"
RENEWS = b"<SnomIPPhoneText><Text>1</Text><fetch mil='2000'>again.xml</fetch></SnomIPPhoneText>"
PICTURE = b"<SnomIPPhoneImageFile><URL>/a.png</URL></SnomIPPhoneImageFile>"
PNG = b"\x89PNG\r\n\x1a\n rest"


def phone(keys: tuple[FunctionKey, ...] = (), **settings: str) -> PhoneState:
    state = new_phone(MAC, "D785", "10.1.33.33", builtin=device())
    kept = state.settings
    for name, value in settings.items():
        bare = name.rstrip("0123456789")
        idx = (
            int(name[len(bare) :])
            if bare != name and bare.startswith("user_")
            else None
        )
        kept = kept.provision(bare if idx else name, value, idx=idx).settings
    return replace(state, settings=kept, function_keys=keys)


class Played:
    """A machine, and what it wanted done."""

    def __init__(self, state: PhoneState) -> None:
        self.machine = Machine(state)
        self.now = NOW

    @property
    def state(self) -> PhoneState:
        return self.machine.state

    def __call__(self, event: Any) -> list[Command]:
        return self.machine.handle(event, self.now)

    def answer(self, event: Any) -> Answer:
        (found,) = [c for c in self(event) if isinstance(c, Answer)]
        return found

    def opens(self, event: Event) -> OpenPage:
        (found,) = [c for c in self(event) if isinstance(c, OpenPage)]
        return found

    def fetched(
        self, request: OpenPage, body: bytes, status: int = 200
    ) -> list[Command]:
        return self(PageFetched(request, status, request.url, body))


def on_menu() -> Played:
    played = Played(phone((FunctionKey(3, "url", "https://pbx.test/menu.xml"),)))
    played.fetched(played.opens(KeyPressed(3)), MENU)
    return played


# --- keys


def test_a_url_key_opens_its_url_with_variables_and_without_secrets() -> None:
    played = Played(
        phone(
            (FunctionKey(0, "url", "https://pbx.test/x?m=$mac&k=$active_key&p=$user_pass1&u=$user_name1"),),
            user_pass1="hunter2", user_name1="401",
        )
    )  # fmt: skip
    opened = played.opens(KeyPressed(0))
    assert opened.url == f"https://pbx.test/x?m={MAC}&k=0&p=&u=401"
    assert opened.purpose is Purpose.FUNCTION_KEY
    assert played.state.part(Display).opening == opened.url
    assert "hunter2" not in repr(opened)


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("speed", "402", "would call 402"),
        ("line", "2", "would take line 2"),
        ("line", "", "a real phone would take a free line"),
        ("blf", "402", "pick up or call 402"),
        ("keyevent", "F_REDIAL", "its own function F_REDIAL"),
        ("none", "", "does nothing"),
        ("unheard-of", "x", "would do what 'unheard-of' means"),
    ],
)
def test_other_keys_say_what_a_real_phone_does(
    kind: str, value: str, says: str
) -> None:
    played = Played(phone((FunctionKey(1, kind, value, label="Key"),)))
    answer = played.answer(KeyPressed(1))
    assert answer.ok
    assert says in answer.text
    assert played.state.part(Display).message is not None
    assert played.state.part(Display).message.text == answer.text


def test_a_key_that_is_not_set_names_those_that_are() -> None:
    answer = Played(phone((FunctionKey(3, "none", ""),))).answer(KeyPressed(9))
    assert (answer.ok, answer.hint) == (False, "set are: 3")


def test_a_key_with_a_url_that_is_none_opens_nothing() -> None:
    played = Played(phone((FunctionKey(0, "url", "file:///etc/passwd"),)))
    answer = played.answer(KeyPressed(0))
    assert not answer.ok
    assert "not an http or https URL" in answer.text


def test_a_url_with_a_password_is_masked_in_log_and_screen() -> None:
    played = Played(
        phone((FunctionKey(0, "url", "https://ada:geheim@pbx.test/x?token=abcdef"),))
    )
    request = played.opens(KeyPressed(0))
    played(PageFailed(request, "cannot connect"))
    everything = str(played.state.log) + str(describe_uses(played.state))
    assert "geheim" not in everything
    assert "abcdef" not in everything


# --- pages


def test_a_menu_is_shown_chosen_from_and_left() -> None:
    played = on_menu()
    page = played.state.part(Browsing).browser.page
    assert page is not None
    assert [e.label for e in page.entries] == ["One", "Call", "File"]
    request = played.opens(EntryChosen(0))
    assert (request.url, request.purpose) == (
        "https://pbx.test/one.xml",
        Purpose.MINIBROWSER,
    )
    played.fetched(request, TEXT)
    assert played.answer(BackPressed()).text == "on the screen: Menu"
    assert "would call 402" in played.answer(EntryChosen(1)).text
    assert "'file' URLs" in played.answer(EntryChosen(2)).text
    assert played.answer(SoftKeyPressed("F1")).ok
    assert played.state.part(Browsing).browser.page is None
    assert not played.answer(BackPressed()).ok


def test_cancel_goes_back_and_another_key_means_nothing() -> None:
    played = on_menu()
    assert "no meaning" in played.answer(SoftKeyPressed("F4")).text
    assert played.answer(SoftKeyPressed("cancel")).text == "the minibrowser was closed"


def test_the_answer_to_a_page_asked_for_before_is_dropped() -> None:
    played = on_menu()
    first = played.opens(EntryChosen(0))
    second = played.opens(KeyPressed(3))
    (late,) = played.fetched(first, TEXT)
    assert isinstance(late, Answer)
    assert not late.ok
    played.fetched(second, MENU)
    left = played.opens(EntryChosen(0))
    played(BrowserLeft())
    played.fetched(left, TEXT)
    assert played.state.part(Browsing).browser.page is None


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (404, b"", "the server answered 404"),
        (200, b"<SnomIPPhoneNothing/>", "no minibrowser page begins with"),
        (200, b"<!DOCTYPE a><SnomIPPhoneText/>", "document type"),
        (200, b"<SnomIPPhoneMenu>", "1"),
    ],
)
def test_what_is_no_page_is_told_and_the_page_before_stays(
    status: int, body: bytes, says: str
) -> None:
    played = on_menu()
    commands = played.fetched(played.opens(EntryChosen(0)), body, status)
    answer = commands[-1]
    assert isinstance(answer, Answer)
    assert not answer.ok
    assert says.lower() in answer.text.lower()
    page = played.state.part(Browsing).browser.page
    assert page is not None
    assert page.title == "Menu"


def test_an_answer_that_is_no_page_is_fine_for_a_key() -> None:
    played = Played(phone((FunctionKey(0, "url", "https://door.test/open"),)))
    for body in (b"", b"<html>open</html>", b"OK"):
        commands = played.fetched(played.opens(KeyPressed(0)), body)
        assert isinstance(commands[-1], Answer)
        assert commands[-1].ok


def test_a_page_that_renews_itself_does_and_tries_again_after_a_failure() -> None:
    played = Played(phone((FunctionKey(0, "url", "https://pbx.test/a.xml"),)))
    commands = played.fetched(played.opens(KeyPressed(0)), RENEWS)
    (timer,) = [c for c in commands if isinstance(c, SendLater)]
    assert timer.after_s == 2.0
    assert played(FetchTimeCame(timer.event.serial - 1)) == []
    request = played.opens(FetchTimeCame(timer.event.serial))
    assert request.url == "https://pbx.test/again.xml"
    commands = played(PageFailed(request, "cannot connect"))
    (again,) = [c for c in commands if isinstance(c, SendLater)]
    assert again.after_s == 30.0
    assert played.opens(again.event).by_timer
    played(BackPressed())
    assert played(again.event) == []


def test_an_image_is_fetched_shown_and_only_if_it_is_one() -> None:
    played = Played(phone((FunctionKey(0, "url", "https://pbx.test/a.xml"),)))
    commands = played.fetched(played.opens(KeyPressed(0)), PICTURE)
    (request,) = [c for c in commands if isinstance(c, OpenPage)]
    assert request.image
    commands = played.fetched(request, b"<svg onload='x'/>")
    assert "no image that the phone can show" in str(commands)
    assert played.state.part(Browsing).image == b""
    played.fetched(request, PNG)
    assert played.state.part(Browsing).image == PNG
    played(BackPressed())
    assert played.state.part(Browsing).image == b""
    assert not played.fetched(request, PNG)[0].ok  # type: ignore[union-attr]


def test_a_form_is_sent_and_its_password_is_shown_nowhere() -> None:
    body = b"""<SnomIPPhoneInput><URL>https://pbx.test/in</URL><InputItem>
    <DisplayName>PIN</DisplayName><QueryStringParam>pin</QueryStringParam>
    <DefaultValue>1234</DefaultValue><InputFlags>p</InputFlags></InputItem></SnomIPPhoneInput>"""
    played = Played(phone((FunctionKey(0, "url", "https://pbx.test/a.xml"),)))
    played.fetched(played.opens(KeyPressed(0)), body)
    shown = describe_uses(played.state)["minibrowser"]
    assert shown["fields"] == [
        {"label": "PIN", "value": "", "flags": "p", "password": True}
    ]
    event = FormSubmitted(("9876",))
    assert "9876" not in repr(event)
    request = played.opens(event)
    assert request.url == "https://pbx.test/in?pin=9876"
    assert "9876" not in repr(request) + played.state.part(Display).opening
    assert "asks for 1 values" in played.answer(FormSubmitted(("1", "2"))).text


ASKS = b"""<SnomIPPhoneInput><URL>https://pbx.test/in</URL><InputItem>
<DisplayName>Code</DisplayName><QueryStringParam>code</QueryStringParam>
<InputFlags>p</InputFlags></InputItem></SnomIPPhoneInput>"""
PIN = "4711"


def asked_for_a_pin() -> tuple[Played, OpenPage]:
    played = Played(phone((FunctionKey(0, "url", "https://pbx.test/a.xml"),)))
    played.fetched(played.opens(KeyPressed(0)), ASKS)
    return played, played.opens(FormSubmitted((PIN,)))


def everything_shown(played: Played, *more: object) -> str:
    state = played.state
    return (
        json.dumps(
            [describe_phone(state), [e.as_dict() for e in state.log]], default=str
        )
        + json.dumps(describe_screen(state), default=str)
        + repr((state.log, more))
    )


def test_a_typed_password_is_sent_whatever_its_parameter_and_shown_nowhere() -> None:
    played, request = asked_for_a_pin()
    assert request.url == f"https://pbx.test/in?code={PIN}"
    assert played.state.part(Display).opening == "https://pbx.test/in?code=…"
    moved = f"https://pbx.test/menu.xml?session={PIN}&lang=de"
    menu = MENU.replace(b"one.xml", f"one.xml?c={PIN}".encode()).replace(
        b"</SnomIPPhoneMenu>",
        f'<fetch mil="500">/again.xml?c={PIN}</fetch></SnomIPPhoneMenu>'.encode(),
    )
    said = played(PageFetched(request, 200, moved, menu))
    assert describe_uses(played.state)["minibrowser"]["url"] == (
        "https://pbx.test/menu.xml?session=…&lang=de"
    )
    linked = played.opens(EntryChosen(0))
    assert linked.url.endswith(f"?c={PIN}"), "the server's link is followed as it is"
    said += played(PageFailed(linked, f"no answer from {linked.url}"))
    renewed = played.opens(FetchTimeCame(played.state.part(Browsing).serial))
    said += played.fetched(renewed, PICTURE.replace(b"/a.png", f"/{PIN}.png".encode()))
    played(BackPressed())
    again = played.opens(EntryChosen(0))
    said += played.fetched(again, b"", 500)
    assert PIN not in everything_shown(played, said, again)


@pytest.mark.parametrize(
    "end",
    [
        lambda request: PageFailed(request, f"{request.url} is no answer"),
        lambda request: PageFetched(request, 404, request.url, b""),
        lambda request: PageFetched(request, 200, request.url, b"<SnomIPPhoneMenu>"),
        lambda request: PageFetched(request, 200, request.url, b""),
        lambda request: PageFetched(request, 200, f"{request.url}#sub=*[@id={PIN}]",
                                    b"<SnomIPPhoneBatch><a/></SnomIPPhoneBatch>"),
    ],
    ids=["failed", "404", "broken", "nothing", "no such part"],
)  # fmt: skip
@pytest.mark.parametrize("late", [False, True])
def test_no_failure_shows_a_typed_password(end: Any, late: bool) -> None:
    played, request = asked_for_a_pin()
    if late:
        played.opens(KeyPressed(0))
    answer = played.answer(end(request))
    assert answer.text
    assert PIN not in everything_shown(played, answer)


def test_a_form_that_calls_somebody_shows_no_password_either() -> None:
    played = Played(phone((FunctionKey(0, "url", "https://pbx.test/a.xml"),)))
    body = ASKS.replace(b"https://pbx.test/in", b"tel:402")
    played.fetched(played.opens(KeyPressed(0)), body)
    answer = played.answer(FormSubmitted((PIN,)))
    assert "402?code=…" in answer.text
    assert PIN not in everything_shown(played, answer)


@pytest.mark.parametrize("image", [False, True])
@pytest.mark.parametrize(
    "end",
    [
        lambda request: PageFailed(request, "no whole answer within 60 s"),
        lambda request: PageFetched(request, 503, request.url, b""),
    ],
    ids=["no answer", "503"],
)
def test_a_failure_that_comes_late_is_logged_and_leaves_the_screen_alone(
    end: Any, image: bool
) -> None:
    played = on_menu()
    if image:
        first, *_ = [
            c for c in played.fetched(played.opens(EntryChosen(0)), PICTURE)
            if isinstance(c, OpenPage)
        ]  # fmt: skip
        played(BackPressed())
    else:
        first = played.opens(EntryChosen(0))
        played.opens(KeyPressed(3))
    shown = played.state.parts
    commands = played(end(first))
    assert [type(c) for c in commands] == [Save, Reply]
    answer = commands[-1]
    assert isinstance(answer, Answer)
    assert answer.text.endswith("; another page was asked for meanwhile")
    entry = played.state.log[-1]
    assert entry.level == "error"
    assert entry.text.startswith(first.url)
    assert entry.details == ("another page was asked for meanwhile",)
    assert played.state.parts == shown


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (PNG, "image/png"), (b"\xff\xd8\xff\xe0", "image/jpeg"), (b"GIF89a", "image/gif"),
        (b"BM1234", "image/bmp"), (b"<svg/>", ""), (b"", ""),
    ],
)  # fmt: skip
def test_an_image_is_known_by_its_first_bytes(data: bytes, kind: str) -> None:
    assert image_type(data) == kind


# --- lines and action URLs


LINE = LineStatus(1, "sip:401@pbx.test", "Ada", "pbx.test:5061", True)


def test_lines_keep_their_state_while_their_account_stays() -> None:
    played = Played(phone())
    played(LinesRead((LINE,)))
    until = NOW + timedelta(hours=1)
    played(LineMoved(1, LineState.REGISTERED, "registered", until, "192.0.2.7"))
    played(LinesRead((LINE, replace(LINE, index=2))))
    assert [x.state for x in played.state.part(Lines).lines] == [
        LineState.REGISTERED,
        LineState.IDLE,
    ]
    played(LinesRead((replace(LINE, peer="other.test:5061"),)))
    assert played.state.part(Lines).lines[0].state is LineState.IDLE
    assert played(LineMoved(7, LineState.REGISTERED, "nobody's")) == []


def test_a_refresh_that_goes_well_is_one_line_in_the_log() -> None:
    played = Played(phone())
    played(LinesRead((LINE,)))
    played(LineMoved(1, LineState.REGISTERED, "registered"))
    before = played.state.log_count
    played(LineMoved(1, LineState.REGISTERING, "refreshing the registration"))
    played(LineMoved(1, LineState.REGISTERED, "registered"))
    assert played.state.log_count == before + 1


def test_a_line_that_fails_fires_its_action_url() -> None:
    played = Played(phone(action_reg_failed="https://pbx.test/failed?who=$local"))
    played(LinesRead((LINE,), ("line 2: user_outbound2 cannot be read",)))
    commands = played(
        LineMoved(1, LineState.WAITING, "refused: 403; next try in 20 s", failed=True)
    )
    (request,) = [c for c in commands if isinstance(c, OpenPage)]
    assert request.url == "https://pbx.test/failed?who=401%40pbx.test"
    assert request.purpose is Purpose.ACTION_URL
    assert [e.level for e in played.state.log][-2:] == ["error", "warning"]


def test_an_event_brings_its_variables_over_what_the_phone_knows() -> None:
    url = "https://h.test/$local&/x?r=$remote&u=$active_user&ip=$phone_ip&c=$sip_header(X-Id)"
    played = Played(phone(action_incoming_url=url))
    played(LinesRead((LINE,)))
    played(LineMoved(1, LineState.REGISTERED, "registered", None, "192.0.2.7"))
    opened = played.opens(
        ActionHappened("incoming", {"remote": "sip:402@pbx.test"}, {"x-id": "7 8"})
    )
    assert opened.url == (
        "https://h.test/401%40pbx.test/x?r=sip%3A402%40pbx.test&u=401&ip=192.0.2.7&c=7%208"
    )


def test_the_answer_to_an_action_url_is_shown_whatever_else_is_opened() -> None:
    played = on_menu()
    state = played.state
    kept = state.settings.provision("action_incoming_url", "https://pbx.test/call.xml")
    played.machine.state = replace(state, settings=kept.settings)
    request = played.opens(ActionHappened("incoming", asked=True))
    played.opens(EntryChosen(0))
    commands = played.fetched(request, TEXT)
    assert Reply(True, "on the screen: One") in commands


# --- directory


def test_a_look_up_is_searched_for_answered_and_shown() -> None:
    played = Played(phone(ldap_server="ldap.test", ldap_over_tls="on"))
    (search,) = played(LookupWanted(" ada "))
    assert isinstance(search, SearchDirectory)
    assert (search.text, search.settings.port, search.settings.tls) == (
        "ada",
        636,
        True,
    )
    found = LookupResult(
        (Entry("Ada", (("mobile", "+49 170"),), "cn=Ada"),), notes=("more",)
    )
    answer = played.answer(LookupEnded("ada", found))
    assert answer.text == "1 hit in the directory"
    assert answer.details["lookup"]["entries"][0]["numbers"][0]["number"] == "+49 170"
    assert played.state.part(Directory).found is not None
    problem = played.answer(
        LookupEnded("ada", LookupResult(problem="gone", cure="look"))
    )
    assert (problem.ok, problem.hint) == (False, "look")
    assert played.answer(BackPressed()).text == "the directory was closed"
    assert played.state.part(Directory).found is None


def test_what_was_asked_for_last_is_in_front() -> None:
    played = on_menu()
    hits = LookupResult((Entry("Ada", (), "cn=Ada"), Entry("Al", (), "cn=Al")))
    assert in_front(played.state) == "page"
    played(LookupEnded("a", hits))
    message = played.state.part(Display).message
    assert in_front(played.state) == "directory"
    assert (message and message.text) == "2 hits in the directory"
    played(BackPressed())
    assert in_front(played.state) == "page", "the menu is behind it still"
    assert played.state.part(Display).message is None
    played(LookupEnded("a", hits))
    played.fetched(played.opens(KeyPressed(3)), MENU)
    assert in_front(played.state) == "page"
    played(LookupEnded("a", hits))
    played(BrowserLeft())
    assert in_front(played.state) == "idle"


def test_a_look_up_without_an_answer_clears_what_an_older_one_said() -> None:
    played = Played(phone())
    played(LookupEnded("a", LookupResult((Entry("Ada", (), "cn=Ada"),))))
    played(LookupEnded("a", LookupResult(problem="gone", cure="look")))
    assert in_front(played.state) == "directory"
    assert played.state.part(Display).message is None, "the result says it"


def test_a_page_that_renews_itself_stays_behind_what_was_asked_for_since() -> None:
    played = Played(phone((FunctionKey(3, "url", "https://pbx.test/renews.xml"),)))
    played.fetched(played.opens(KeyPressed(3)), RENEWS)
    played(LookupEnded("a", LookupResult((Entry("Ada", (), "cn=Ada"),))))
    again = played.opens(FetchTimeCame(played.state.part(Browsing).serial))
    played.fetched(again, TEXT)
    message = played.state.part(Display).message
    assert in_front(played.state) == "directory"
    assert (message and message.text) == "1 hit in the directory"
    page = played.state.part(Browsing).browser.page
    assert page is not None
    assert page.title == "One", "behind it the page is new"


@pytest.mark.parametrize(
    ("settings", "text", "says"),
    [
        ({}, "ada", "ldap_server is not set"),
        ({"ldap_server": "x", "ldap_port": "none"}, "ada", "ldap_port cannot be"),
        (
            {"ldap_server": "x", "ldap_search_filter": "(cn=%"},
            "ada",
            "not an LDAP filter",
        ),
        ({"ldap_server": "a b"}, "ada", "ldap_server cannot be"),
        ({"ldap_server": "x", "ldap_port": "9" * 5000}, "ada", "ldap_port cannot be"),
        (
            {"ldap_server": "x", "ldap_username": "cn=a"},
            "ada",
            "ldap_password is empty",
        ),
        ({"ldap_server": "x"}, "   ", "type a name"),
        ({"ldap_server": "x"}, "a" * 200, "type a name"),
    ],
)
def test_a_look_up_that_cannot_be_says_why(
    settings: dict[str, str], text: str, says: str
) -> None:
    answer = Played(phone(**settings)).answer(LookupWanted(text))
    assert not answer.ok
    assert says in answer.text


# --- 802.1X


def test_a_network_login_takes_certificate_tab_and_exceptions() -> None:
    played = Played(phone(ieee8021x_eap_auth_method="EAP-TLS"))
    played(NetworkCertificateUploaded(authority().certificate.der, admin=True))
    event = NetworkLoginWanted("radius.test", 1812, "geheim")
    assert "geheim" not in repr(event)
    (command,) = played(event)
    assert isinstance(command, LogIntoNetwork)
    assert (command.method, command.peer, command.mac) == (
        EapMethod.TLS,
        "radius.test:1812",
        MAC,
    )
    assert command.chain == device().chain
    assert command.authorities == (authority().certificate,)
    assert Version.TLS1_3 not in command.versions
    assert "geheim" not in repr(command)
    assert "PRIVATE" not in repr(command)


def test_a_network_server_off_the_tab_goes_to_the_unknown_one() -> None:
    played = Played(phone(ieee8021x_eap_auth_method="EAP-TLS"))
    other = authority("TEST another root")
    played(NetworkCertificateUploaded(other.certificate.der, admin=True))
    (command,) = played(NetworkLoginWanted("radius.test", 1812, "geheim"))
    assert isinstance(command, LogIntoNetwork)
    chain = server("radius.test").chain
    answer = played.answer(
        NetworkLoginEnded(
            command, False, "refused: unable to get local issuer", chain=chain
        )
    )
    assert not answer.ok
    (unknown,) = played.state.trust.unknown
    assert (unknown.certificate, unknown.purpose) == (chain[0], "802.1x")
    played(ExceptionAdded(unknown.certificate.sha256))
    (again,) = played(NetworkLoginWanted("radius.test", 1812, "geheim"))
    assert isinstance(again, LogIntoNetwork)
    assert again.excepted == (chain[0],)
    good = played.answer(
        NetworkLoginEnded(again, True, "the network took the phone", chain=chain)
    )
    assert good.ok
    assert played.state.part(Network).last is not None
    assert played.state.part(Network).last.ok


def test_what_the_supplicant_refuses_for_another_reason_blames_no_certificate() -> None:
    played = Played(phone(ieee8021x_eap_auth_method="tls"))
    played(NetworkCertificateUploaded(authority().certificate.der, admin=True))
    (command,) = played(NetworkLoginWanted("radius.test", 1812, "geheim"))
    assert isinstance(command, LogIntoNetwork)
    chain = server("radius.test").chain
    answer = played.answer(
        NetworkLoginEnded(command, False, "EAP-Failure", "look there", chain)
    )
    assert (answer.text, answer.hint) == ("EAP-Failure", "look there")
    assert played.state.trust.unknown == ()


def test_a_login_for_which_something_lacks_here_is_logged_and_no_connection() -> None:
    played = Played(phone(ieee8021x_eap_auth_method="EAP-MD5"))
    (command,) = played(NetworkLoginWanted("radius.test", 1812, "geheim"))
    assert isinstance(command, LogIntoNetwork)
    lacking = NetworkLoginEnded(command, False, "no name", "set it", tried=False)
    answer = played.answer(lacking)
    assert (answer.ok, answer.text, answer.hint) == (False, "no name", "set it")
    assert played.state.notifications == ()
    assert (played.state.log[-1].level, played.state.log[-1].text) == (
        "error",
        "no name",
    )
    assert played.state.part(Network).last is not None
    assert not played.state.part(Network).last.ok


def test_a_login_that_failed_shows_its_own_cure() -> None:
    played = Played(phone(ieee8021x_eap_auth_method="EAP-TLS"))
    (command,) = played(NetworkLoginWanted("radius.test", 1812, "geheim"))
    assert isinstance(command, LogIntoNetwork)
    played(NetworkLoginEnded(command, False, "no server", "does it run?"))
    (notice,) = played.state.notifications
    assert notice.cure == "Does it run?"


@pytest.mark.parametrize(
    ("method", "says"), [("", "802.1X is off"), ("EAP-PEAP", "cannot be 'EAP-PEAP'")]
)
def test_a_method_that_the_phone_has_not_is_told(method: str, says: str) -> None:
    played = Played(phone(ieee8021x_eap_auth_method=method))
    assert says in played.answer(NetworkLoginWanted("h", 1, "s")).text


def test_the_8021x_tab_takes_a_certificate_from_the_administrator_only() -> None:
    played = Played(phone())
    assert (
        "admin"
        in played.answer(NetworkCertificateUploaded(authority().certificate.der)).text
    )
    assert not played.answer(NetworkCertificateUploaded(b"garbage", admin=True)).ok
    assert played.state.trust.ieee8021x == ()
    assert played.answer(
        NetworkCertificateUploaded(authority().certificate.der, admin=True)
    ).ok
    assert played.state.trust.ieee8021x == (authority().certificate,)


# --- all of it


def test_a_factory_reset_clears_the_screen_and_a_restart_does_too() -> None:
    played = on_menu()
    assert "menu.xml" in str(describe_uses(played.state))
    again = PhoneState.from_dict(played.state.as_dict())
    assert again.parts == {}
    played(FactoryResetDone())
    assert played.state.parts == {}


REQUESTS: list[Event] = [
    ActionHappened("incoming", {"remote": "402", "call-id": "7"}, asked=True),
    KeyPressed(3), EntryChosen(0), SoftKeyPressed("F1"), FormSubmitted(("a", "ü")),
    BackPressed(), BrowserLeft(), MessageRead(), LookupWanted("ada"),
    NetworkCertificateUploaded(b"\x30\x00", admin=True), NetworkLoginWanted("h", 1812, "s"),
]  # fmt: skip


@pytest.mark.parametrize("event", REQUESTS, ids=lambda e: type(e).__name__)
def test_a_request_is_read_as_it_was_written(event: Event) -> None:
    assert parse_request(to_request(event)) == event


@pytest.mark.parametrize(
    "document",
    [
        {"do": "press"}, {"do": "press", "idx": -1}, {"do": "press", "idx": True},
        {"do": "choose", "number": "1"}, {"do": "submit", "values": "x"},
        {"do": "submit", "values": [1]}, {"do": "lookup", "text": "x" * 5000},
        {"do": "event", "event": "incoming", "variables": {"evil": "1"}},
        {"do": "event", "event": "incoming", "variables": []},
        {"do": "dot1x", "host": "", "port": 1, "secret": "s"},
        {"do": "dot1x", "host": "h", "port": 70000, "secret": "s"},
        {"do": "dot1x", "host": "h", "port": 1, "secret": ""},
        {"do": "dot1x", "host": "h", "port": 1, "secret": "a\nb"},
        {"do": "upload-8021x", "data": "?"},
        {"do": "upload", "data": "AA==", "admin": "yes"},
        {"do": "upload-8021x", "data": "AA==", "admin": 1},
        {"do": "submit", "values": ["a"] * 101}, {"do": "submit", "values": {"a": "b"}},
        {"do": "event", "event": "incoming", "variables": {"remote": 1}},
        {"do": "set", "name": "user_name", "value": "x", "idx": "1"},
        {"do": "set", "name": "user_name", "value": "x", "idx": 99},
        {"do": "dismiss", "index": -1}, {"do": "firmware-settings"},
    ],
)  # fmt: skip
def test_a_request_that_is_wrong_is_the_one_documented_error(
    document: dict[str, Any],
) -> None:
    with pytest.raises(InputError):
        parse_request(document)


def test_an_event_that_only_the_phone_itself_knows_is_no_request() -> None:
    with pytest.raises(ValueError, match="no request"):
        to_request(FetchTimeCame(1))

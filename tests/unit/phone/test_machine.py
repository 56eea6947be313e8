"""The state machine: rounds, certificates, buttons. No socket, no clock."""

import base64
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.certificates import (
    MAC,
    NOW,
    OTHER,
    authority,
    device,
    intermediate,
    self_signed,
    server,
)

from linekey.catalog.firmware import Firmware
from linekey.catalog.root_lists import lists_for
from linekey.certs.pem import to_base64, to_pem
from linekey.phone.events import (
    Answer,
    ApplySettings,
    BuiltInReplaced,
    CertificateRemoved,
    CertificateUploaded,
    ConnectionReported,
    Errand,
    ExceptionAdded,
    FactoryResetDone,
    FirmwareChanged,
    NotificationDismissed,
    PatchInstalled,
    PoweredOn,
    Reply,
    Save,
    SendLater,
    ServerAuthenticationActivated,
    SettingEntered,
)
from linekey.phone.machine import Machine
from linekey.phone.patch import make_patch
from linekey.phone.requests import parse_request, to_request
from linekey.phone.state import PhoneState, Status, new_phone
from linekey.phone.uses.provisioning.events import (
    DocumentFetched,
    Fetch,
    FetchFailed,
    ProvisioningWanted,
)
from linekey.phone.uses.provisioning.round import (
    MAX_DEPTH,
    MAX_DOCUMENTS,
    Rounds,
    retry_after_s,
)
from linekey.trust.connection import ConnectionReport, Purpose
from linekey.trust.judge import judge

URL = "https://prov.test/p"
MODEL_URL, OWN_URL = f"{URL}/snomD785.htm", f"{URL}/snomD785-{MAC}.htm"


def phone(model: str = "D785", firmware: str = "10.1.33.33", **changes) -> Machine:
    state = new_phone(
        MAC, model, firmware, setting_server=URL, builtin=device(MAC, "sha256"),
        authorities=(authority().certificate,),
    )  # fmt: skip
    return Machine(replace(state, **changes))


def fetch_of(commands: list) -> Fetch:
    assert isinstance(commands[-1], Fetch), commands
    assert isinstance(commands[-2], Save), "what leaves the phone is saved before"
    return commands[-1]


def settings_xml(inner: str, more: str = "") -> bytes:
    return (
        f"<settings><phone-settings>{inner}</phone-settings>{more}</settings>".encode()
    )


def answer_all(machine: Machine, bodies: dict[str, bytes | int]) -> list[str]:
    """Boot, and answer every fetch; the URLs in the order they were asked for."""
    asked: list[str] = []
    commands = machine.handle(PoweredOn(), NOW)
    while commands and isinstance(commands[-1], Fetch):
        fetch = fetch_of(commands)
        asked.append(fetch.url)
        body = bodies.get(fetch.url, 404)
        event = (
            DocumentFetched(fetch, body, b"") if isinstance(body, int)
            else DocumentFetched(fetch, 200, body, fetch.url)
        )  # fmt: skip
        commands = machine.handle(event, NOW)
    assert machine.state.part(Rounds).going_on is None
    return asked


def said(state: PhoneState) -> str:
    return "\n".join("\n".join((e.text, *e.details)) for e in state.log)


# --- rounds


def test_a_factory_reset_in_the_middle_of_a_round_ends_it() -> None:
    machine = phone()
    fetch = fetch_of(machine.handle(PoweredOn(), NOW))
    commands = machine.handle(FactoryResetDone(), NOW)
    assert not any(isinstance(c, Errand) for c in commands)
    assert machine.state.part(Rounds).going_on is None
    assert machine.state.status is Status.OFF
    late = DocumentFetched(fetch, 200, settings_xml("<language>English</language>"))
    assert machine.handle(late, NOW) == []
    assert all(
        isinstance(c, Answer) or c in (Save(), ApplySettings())
        for c in machine.handle(FactoryResetDone(), NOW)
    )


def test_a_fault_of_our_own_is_undone_told_and_ends_the_round_it_was_in() -> None:
    machine = phone()
    fetch = fetch_of(machine.handle(PoweredOn(), NOW))
    whole = machine.state
    arrived = DocumentFetched(fetch, 200, settings_xml("<language>English</language>"))
    machine.handle(arrived, NOW)
    assert machine.state.settings.get("language") == "English"
    commands = machine.faulted(arrived, whole, "ValueError", NOW)
    assert [type(c) for c in commands] == [Save, SendLater, Reply]
    assert machine.state.part(Rounds) == Rounds(None, failures=1)
    assert machine.state.settings == whole.settings
    assert machine.state.status is Status.FAILED
    assert machine.state.log[-1].level == "error"
    assert machine.state.log[-1].text == (
        "document fetched was left undone: a fault of linekey's own (ValueError)"
    )
    began = machine.handle(ProvisioningWanted("again"), NOW)
    assert any(isinstance(c, Fetch) for c in began)
    whole = machine.state
    commands = machine.faulted(NotificationDismissed(), whole, "ValueError", NOW)
    assert [type(c) for c in commands] == [Save, Reply]
    assert machine.state.status is Status.PROVISIONING, "the round goes on"


def test_the_general_document_comes_before_the_phones_own_which_overwrites_it() -> None:
    machine = phone()
    asked = answer_all(machine, {
        MODEL_URL: settings_xml("<language>English</language><a>1</a><b>1</b>"),
        OWN_URL: settings_xml("<language>Deutsch</language><c>1</c>"),
    })  # fmt: skip
    assert asked == [MODEL_URL, OWN_URL]
    state = machine.state
    assert state.status is Status.PROVISIONED
    assert state.provisioned_at == NOW
    assert (state.settings.get("language"), state.settings.get("a")) == ("Deutsch", "1")
    assert [(f.status, f.applied) for f in state.fetched] == [(200, True), (200, True)]
    assert "2 settings are unknown here and kept: a, b" in said(state)
    assert "1 setting is unknown here and kept: c" in said(state)
    assert "applied: 3 settings, 0 function keys, 0 certificates" in said(state)


OUTCOMES = [
    # general, own, outcome, reason
    (200, 200, Status.PROVISIONED, ""),
    (404, 200, Status.PROVISIONED, ""),
    (200, 404, Status.PROVISIONED, "no such document"),
    (200, 403, Status.REFUSED, "refused the request"),
    (403, 403, Status.REFUSED, "refused the request"),
    (403, 200, Status.PROVISIONED, ""),
    (401, 401, Status.REFUSED, "user name and password"),
    (404, 404, Status.FAILED, "no such document"),
    (500, 503, Status.FAILED, "answered 503"),
    (200, 302, Status.PROVISIONED, "answered 302"),
]


@pytest.mark.parametrize(("general", "own", "status", "reason"), OUTCOMES)
def test_what_a_round_came_to_follows_from_its_answers(
    general: int, own: int, status: Status, reason: str
) -> None:
    machine = phone()
    fine = settings_xml("<a>1</a>")
    answer_all(
        machine,
        {
            MODEL_URL: fine if general == 200 else general,
            OWN_URL: fine if own == 200 else own,
        },
    )
    assert machine.state.status is status
    assert reason in machine.state.status_reason


@pytest.mark.parametrize(
    "body", [b"", b"<settings>", b"<html/>", b"\x00" * 100, b"<!DOCTYPE a><settings/>"]
)
def test_a_broken_document_costs_itself_and_its_reason_is_kept(body: bytes) -> None:
    machine = phone()
    answer_all(machine, {MODEL_URL: body, OWN_URL: settings_xml("<a>1</a>")})
    assert machine.state.status is Status.PROVISIONED
    broken = machine.state.fetched[0]
    assert (broken.status, broken.applied) == (200, False)
    assert broken.reason


def test_a_token_in_the_url_of_the_setting_server_is_compared_raw_and_shown_masked() -> (
    None
):
    token = "/t/abcdefghijklmnopqrstuvwx"
    server = f"https://user:secret@prov.test{token}/p"
    state = new_phone(MAC, "D785", "10.1.33.33", setting_server=server)
    machine = Machine(state)
    own = f"{server}/snomD785-{MAC}.htm"
    body = settings_xml("<language>Deutsch</language>")
    answer_all(machine, {own: body, f"{server}/snomD785.htm": 403})
    state = machine.state
    assert state.status is Status.PROVISIONED, state.status_reason
    shown = said(state) + repr(state.fetched) + state.status_reason
    assert token not in shown
    assert "secret" not in shown


def test_a_document_that_was_broken_is_told_of_in_a_round_that_went_well() -> None:
    machine = phone()
    answer_all(machine, {MODEL_URL: b"<a>x & y</a>", OWN_URL: settings_xml("")})
    state = machine.state
    assert state.status is Status.PROVISIONED
    assert MODEL_URL in state.status_reason
    assert "&amp;" in state.status_reason
    assert "&amp;" in said(state)


@pytest.mark.parametrize(
    ("server", "end", "firmware", "way"),
    [
        ("http://prov.test/p", "", "10.1.33.33", "by plain HTTP from http://prov.test"),
        ("https://prov.test/p", "http://x.test/y", "10.1.33.33", "by plain HTTP from http://x.test"),
        ("http://prov.test/p", "https://x.test/y", "10.1.33.33", "by plain HTTP from http://prov"),
        ("https://prov.test/p", "", "8.9.3.80", "did not authenticate"),
        ("https://prov.test/p", "", "10.1.33.33", ""),
    ],
)  # fmt: skip
def test_secrets_that_came_by_an_open_way_are_warned_of_by_setting_and_url(
    server: str, end: str, firmware: str, way: str
) -> None:
    state = new_phone(MAC, "D735", firmware, setting_server=server)
    machine = Machine(state)
    commands = machine.handle(PoweredOn(), NOW)
    commands = machine.handle(DocumentFetched(fetch_of(commands), 404, b""), NOW)
    body = settings_xml(
        "<user_pass idx='1'>hunter2</user_pass><webserver_cert>x</webserver_cert>"
        "<language>Deutsch</language>"
    )
    fetch = fetch_of(commands)
    machine.handle(DocumentFetched(fetch, 200, body, end or fetch.url), NOW)
    warned = [e.text for e in machine.state.log if "stands in between" in e.text]
    assert bool(warned) is bool(way)
    for text in warned:
        assert text.startswith("user_pass[1], webserver_cert came ")
        assert way in text
        assert "language" not in text
        assert "hunter2" not in text


def test_a_certificate_by_url_over_plain_http_is_warned_of() -> None:
    machine = phone()
    commands = machine.handle(PoweredOn(), NOW)
    commands = machine.handle(DocumentFetched(fetch_of(commands), 404, b""), NOW)
    more = '<certificates><certificate url="http://prov.test/ca.der"/></certificates>'
    fetch = fetch_of(commands)
    body = settings_xml("", more)
    commands = machine.handle(DocumentFetched(fetch, 200, body, fetch.url), NOW)
    fetch = fetch_of(commands)
    machine.handle(DocumentFetched(fetch, 200, b"x", fetch.url), NOW)
    assert "a certificate came by plain HTTP from http://prov.test/ca.der" in said(
        machine.state
    )


def test_a_refused_handshake_makes_the_phone_refused_and_it_tries_again_later() -> None:
    machine = phone()
    commands = machine.handle(PoweredOn(), NOW)
    for _ in range(2):
        commands = machine.handle(
            FetchFailed(fetch_of(commands), "alert", refused=True), NOW
        )
    assert machine.state.status is Status.REFUSED
    wake = next(c for c in commands if isinstance(c, SendLater))
    assert 20 < wake.after_s < 40
    commands = machine.handle(ProvisioningWanted("retry"), NOW)
    for _ in range(2):
        fetch = next(c for c in commands if isinstance(c, Fetch))
        commands = machine.handle(FetchFailed(fetch, "gone"), NOW)
    assert next(c for c in commands if isinstance(c, SendLater)).after_s > wake.after_s


def test_retries_grow_are_bounded_and_spread_over_the_fleet() -> None:
    assert retry_after_s(1, 0.0) == 22.5
    assert retry_after_s(1, 1.0) == 37.5
    assert [retry_after_s(n, 0.5) for n in (1, 2, 3)] == [30, 60, 120]
    assert retry_after_s(10_000, 1.0) == 4500


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("3600", 3600),
        ("1", 60),
        ("0", None),
        ("", None),
        ("-5", None),
        ("x", None),
        ("9" * 11, 366 * 86400),
    ],
)
def test_the_refresh_timer_is_kept_within_reason(
    text: str, after: float | None
) -> None:
    machine = phone()
    machine.handle(PoweredOn(), NOW)
    commands = machine.handle(PoweredOn(), NOW)
    fetch = next(c for c in commands if isinstance(c, Fetch))
    machine.handle(
        DocumentFetched(
            fetch,
            200,
            settings_xml(f"<settings_refresh_timer>{text}</settings_refresh_timer>"),
        ),
        NOW,
    )
    commands = machine.handle(
        DocumentFetched(replace(fetch, url=OWN_URL), 404, b""), NOW
    )
    wakes = [c.after_s for c in commands if isinstance(c, SendLater)]
    assert wakes == ([] if after is None else [after])


def test_documents_name_further_documents_which_come_in_order_and_once() -> None:
    machine = phone()
    files = "".join(
        f'<file url="{u}"/>'
        for u in ("b.xml", "/c/{mac}.xml", "b.xml", OWN_URL, "ftp://x/y")
    )
    asked = answer_all(machine, {
        MODEL_URL: f"<setting-files>{files}</setting-files>".encode(),
        f"{URL}/b.xml": settings_xml("<b>1</b>"),
    })  # fmt: skip
    assert asked == [
        MODEL_URL,
        OWN_URL,
        f"{URL}/b.xml",
        f"https://prov.test/c/{MAC}.xml",
    ]
    assert said(machine.state).count("fetched in this round already") == 2
    assert "ftp://x/y is not fetched" in said(machine.state)


def test_documents_that_name_each_other_for_ever_come_to_an_end() -> None:
    machine = phone()

    class Endless(dict):
        def get(self, url: str, default: object = None) -> bytes:
            return f'<setting-files><file url="{url}x"/></setting-files>'.encode()

    asked = answer_all(machine, Endless())
    assert len(asked) == 2 + 2 * MAX_DEPTH
    assert "deep" in said(machine.state)

    class Wide(dict):
        def get(self, url: str, default: object = None) -> bytes:
            many = "".join(f'<file url="{url}{n}"/>' for n in range(100))
            return f"<setting-files>{many}</setting-files>".encode()

    machine = phone()
    assert len(answer_all(machine, Wide())) == MAX_DOCUMENTS


def test_an_answer_of_an_older_round_changes_nothing() -> None:
    machine = phone()
    old = fetch_of(machine.handle(PoweredOn(), NOW))
    machine.handle(FactoryResetDone(), NOW)
    assert (
        machine.handle(DocumentFetched(old, 200, settings_xml("<a>1</a>")), NOW) == []
    )
    assert machine.handle(FetchFailed(old, "x"), NOW) == []
    assert len(machine.state.settings) == 0


def test_a_phone_without_a_setting_server_asks_nobody() -> None:
    machine = phone(bootstrap_server="")
    assert machine.handle(PoweredOn(), NOW) == [Save()]
    assert machine.state.status is Status.IDLE
    machine = phone(bootstrap_server="gopher://x")
    assert machine.handle(PoweredOn(), NOW) == [Save()]
    assert machine.state.status is Status.FAILED


def test_skip_on_tls_error_gives_the_rest_of_the_round_up() -> None:
    machine = phone()
    machine.handle(SettingEntered("skip_provisioning_urls_on_tls_error", "on"), NOW)
    commands = machine.handle(PoweredOn(), NOW)
    commands = machine.handle(
        FetchFailed(fetch_of(commands), "alert", refused=True), NOW
    )
    assert machine.state.part(Rounds).going_on is None
    assert "1 further URLs are skipped" in said(machine.state)


# --- certificates by provisioning

ROOT = authority("TEST private root")
LEAF = server("prov.test", root=ROOT)


def trusts(state: PhoneState, leaf=LEAF.leaf) -> bool:
    return judge(
        (leaf,), None, state.trust, state.profile, state.tls_settings, NOW
    ).accepted


def base64_xml(text: str) -> bytes:
    return f'<certificates><certificate type="base64">{text}</certificate></certificates>'.encode()


@pytest.mark.parametrize(
    "text",
    [
        to_base64(ROOT.certificate), to_pem(ROOT.certificate),
        to_base64(ROOT.certificate).replace("\n", ""),
        "\n\t " + to_base64(ROOT.certificate).replace("\n", "\r\n \t") + "\n",
    ],
    ids=["columns", "markers", "one-line", "white-space"],
)  # fmt: skip
def test_a_later_document_of_the_same_round_profits_from_a_base64_certificate(
    text: str,
) -> None:
    machine = phone()
    commands = machine.handle(PoweredOn(), NOW)
    assert not trusts(machine.state)
    commands = machine.handle(
        DocumentFetched(fetch_of(commands), 200, base64_xml(text)), NOW
    )
    assert fetch_of(commands).url == OWN_URL
    assert trusts(machine.state)


def test_a_certificate_by_url_comes_after_all_documents_and_helps_none_of_them() -> (
    None
):
    machine = phone()
    der = f"{URL}/root.der"
    commands = machine.handle(PoweredOn(), NOW)
    body = f'<settings><certificates><certificate url="{der}"/><certificate url="{der}"/></certificates></settings>'
    commands = machine.handle(
        DocumentFetched(fetch_of(commands), 200, body.encode()), NOW
    )
    assert fetch_of(commands).url == OWN_URL
    assert not trusts(machine.state)
    commands = machine.handle(DocumentFetched(fetch_of(commands), 404, b""), NOW)
    assert (fetch_of(commands).url, fetch_of(commands).kind) == (der, "certificate")
    commands = machine.handle(
        DocumentFetched(fetch_of(commands), 200, ROOT.certificate.der), NOW
    )
    assert machine.state.part(Rounds).going_on is None
    assert trusts(machine.state)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (to_pem(ROOT.certificate).encode(), "PEM, not DER"), (b"", "empty"), (b"garbage", ""),
        (LEAF.to_pem(), "private key"), (bytes(2_000_000), "at most"),
    ],
    ids=["pem", "empty", "garbage", "key", "large"],
)  # fmt: skip
def test_a_downloaded_file_that_is_no_der_certificate_is_refused_with_its_reason(
    body: bytes, says: str
) -> None:
    machine = phone()
    der = f"{URL}/x.der"
    answer_all(machine, {
        MODEL_URL: f'<certificates><certificate url="{der}"/></certificates>'.encode(),
        OWN_URL: settings_xml(""), der: body,
    })  # fmt: skip
    assert machine.state.trust.server_certificates == ()
    assert machine.state.status is Status.PROVISIONED
    last = next(e for e in reversed(machine.state.log) if e.purpose == "certificates")
    assert last.level == "error"
    assert says in last.text


BRANCHES = [
    # firmware, reads base64, must be signed
    ("8.4.35", False, True), ("8.7.3.25.9", False, True), ("8.7.5.35", False, True),
    ("8.7.5.51", False, True), ("8.7.5.52", True, False), ("8.7.5.75", True, False),
    ("8.8.3.30", False, True), ("8.9.3.40", False, True), ("8.9.3.41", True, False),
    ("8.9.3.60", True, False), ("10.1.20.0", True, False), ("10.1.33.33", True, False),
]  # fmt: skip


@pytest.mark.parametrize(("firmware", "reads", "signed"), BRANCHES)
def test_base64_and_the_signed_by_rule_begin_and_end_per_branch(
    firmware: str, reads: bool, signed: bool
) -> None:
    machine = phone("D715", firmware)
    name = machine.state.profile.model.user_agent_name
    model_url, der = f"{URL}/{name}.htm", f"{URL}/c.der"
    body = (
        '<certificates><certificate type="base64">' + to_base64(ROOT.certificate)
        + f'</certificate><certificate url="{der}"/></certificates>'
    )  # fmt: skip
    stranger = self_signed()
    answer_all(machine, {model_url: body.encode(), der: stranger.der})
    tab = [e.certificate for e in machine.state.trust.server_certificates]
    assert (ROOT.certificate in tab) == reads
    assert (stranger in tab) == (not signed)
    text = said(machine.state)
    assert ("reads certificates by URL only" in text) == (not reads)
    assert ("is signed by none" in text) == signed


def test_before_the_rule_ended_a_certificate_signed_by_an_authority_is_taken() -> None:
    machine = phone("D715", "8.7.5.35")
    name = machine.state.profile.model.user_agent_name
    signed = intermediate(authority(), "TEST issuing CA").certificate
    answer_all(machine, {
        f"{URL}/{name}.htm": b'<certificates><certificate url="http://h/c.der"/></certificates>',
        "http://h/c.der": signed.der,
    })  # fmt: skip
    assert [e.certificate for e in machine.state.trust.server_certificates] == [signed]


def test_a_private_key_in_a_document_is_shouted_about_and_never_kept() -> None:
    machine = phone()
    pem = LEAF.to_pem().decode()
    answer_all(machine, {MODEL_URL: base64_xml(pem), OWN_URL: settings_xml("")})
    loud = [e for e in machine.state.log if "PRIVATE KEY" in e.text]
    assert loud
    assert loud[0].level == "error"
    assert [e.certificate for e in machine.state.trust.server_certificates] == [
        LEAF.leaf
    ]
    assert pem.splitlines()[-3] not in json.dumps(
        machine.state.as_dict(), default=str
    ) + said(machine.state)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "!!!",
        "QUJD",
        base64.b64encode(bytes(500)).decode(),
        to_base64(ROOT.certificate)[:-40],
        to_pem(ROOT.certificate) + to_pem(LEAF.leaf),
    ],
)
def test_broken_base64_is_refused_and_the_rest_of_the_document_holds(text: str) -> None:
    machine = phone()
    body = f'<settings><certificates><certificate type="base64">{text}</certificate></certificates><phone-settings><a>1</a></phone-settings></settings>'
    answer_all(machine, {MODEL_URL: body.encode()})
    assert machine.state.trust.server_certificates == ()
    assert machine.state.settings.get("a") == "1"
    assert any(
        e.level == "error" and "base64 certificate in line" in e.text
        for e in machine.state.log
    )


# --- server authentication

AUTHENTICATION = [
    # firmware, at first, after "on", after "off" then
    ("8.2.29", False, False, False), ("8.2.30", False, True, True), ("8.4.35", False, True, True),
    ("8.7.3.25.9", False, True, True), ("8.9.3.60", False, True, True),
    ("10.1.20.0", True, True, True), ("10.1.33.33", True, True, True),
]  # fmt: skip


@pytest.mark.parametrize(("firmware", "first", "then", "last"), AUTHENTICATION)
@pytest.mark.parametrize("how", ["document", "button", "setting"])
def test_server_authentication_by_branch_is_sticky_until_a_factory_reset(
    firmware: str, first: bool, then: bool, last: bool, how: str
) -> None:
    machine = phone("D715", firmware)
    name = machine.state.profile.model.user_agent_name
    assert machine.state.authenticates_servers is first

    def switch(value: str) -> None:
        if how == "document":
            body = settings_xml(
                f"<tls_server_authentication>{value}</tls_server_authentication>"
            )
            answer_all(machine, {f"{URL}/{name}.htm": body})
        elif how == "setting" or value == "off":
            machine.handle(SettingEntered("tls_server_authentication", value), NOW)
        else:
            machine.handle(ServerAuthenticationActivated(), NOW)

    switch("on")
    assert machine.state.authenticates_servers is then
    switch("off")
    assert machine.state.authenticates_servers is last
    again = Machine(
        PhoneState.from_dict(json.loads(json.dumps(machine.state.as_dict())))
    )
    again.handle(PoweredOn(), NOW)
    assert again.state.authenticates_servers is last, "a reboot changes nothing"
    machine.handle(FactoryResetDone(), NOW)
    assert machine.state.authenticates_servers is first


DEFAULTS = [
    # firmware, check_fqdn, flags
    ("8.4.35", False, 2), ("8.7.5.35", False, 2), ("8.7.5.70", False, 2), ("8.7.5.71", False, 0),
    ("8.9.3.60", False, 0), ("10.1.20.0", True, 0), ("10.1.33.33", True, 0),
]  # fmt: skip


@pytest.mark.parametrize(("firmware", "check", "flags"), DEFAULTS)
def test_name_checking_has_its_firmwares_defaults(
    firmware: str, check: bool, flags: int
) -> None:
    tls = phone("D715", firmware).state.tls_settings
    assert (tls.check_fqdn, tls.host_flags) == (check, flags)


@pytest.mark.parametrize(
    ("value", "flags"),
    [("0", 0), ("31", 31), ("12", 12), ("32", 0), ("-1", 0), ("x", 0), ("", 0)],
)
def test_a_flag_sum_that_is_none_leaves_the_default(value: str, flags: int) -> None:
    machine = phone()
    answer_all(
        machine,
        {
            MODEL_URL: settings_xml(
                f"<host_name_validation_flags>{value}</host_name_validation_flags>"
            )
        },
    )
    assert machine.state.tls_settings.host_flags == flags
    assert ("is not a number from 0 to 31" in said(machine.state)) == (
        value not in ("0", "31", "12")
    )


@pytest.mark.parametrize("firmware", ["8.7.4.8", "8.8.3.25"])
def test_check_fqdn_does_nothing_where_the_firmware_has_it_not_and_says_so(
    firmware: str,
) -> None:
    machine = phone("D715", firmware)
    name = machine.state.profile.model.user_agent_name
    answer_all(
        machine,
        {
            f"{URL}/{name}.htm": settings_xml(
                "<check_fqdn_against_server_cert>on</check_fqdn_against_server_cert>"
            )
        },
    )
    assert not machine.state.tls_settings.check_fqdn
    assert "does nothing" in said(machine.state)


# --- refusals, the tab, the exception

STRANGER = self_signed("prov.test")


def refuse(
    machine: Machine,
    leaf=STRANGER,
    peer: str = "prov.test:443",
    purpose: Purpose = Purpose.SIP,
) -> None:
    state = machine.state
    verdict = judge(
        (leaf,), "prov.test", state.trust, state.profile, state.tls_settings, NOW
    )
    assert not verdict.accepted
    machine.handle(
        ConnectionReported(
            ConnectionReport(
                purpose,
                peer,
                False,
                chain=(leaf,),
                verdict=verdict,
                alert_sent=verdict.alert,
            )
        ),
        NOW,
    )


def test_a_refused_certificate_is_shelved_with_when_which_connection_and_why() -> None:
    machine = phone()
    refuse(machine)
    refuse(machine)
    (entry,) = machine.state.trust.unknown
    assert (entry.certificate, entry.seen, entry.purpose, entry.peer, entry.times) == (
        STRANGER,
        NOW,
        "sip",
        "prov.test:443",
        2,
    )
    assert entry.reason
    (shown,) = machine.state.notifications
    assert shown.title == "Connection refused"
    assert shown.sha256 == STRANGER.sha256
    assert "Add Exception" in shown.cure
    line = machine.state.log[-1]
    assert (line.level, line.purpose) == ("error", "sip")
    assert "alert sent" in line.text
    assert any(detail.startswith("chain.") for detail in line.details)


def test_an_exception_accepts_that_very_certificate_and_no_other() -> None:
    machine = phone()
    refuse(machine)
    twin = self_signed("prov.test", number=22)
    commands = machine.handle(ExceptionAdded(STRANGER.sha256[:12]), NOW)
    assert commands[-1].ok
    assert machine.state.trust.unknown == ()
    assert machine.state.notifications == ()
    assert trusts(machine.state, STRANGER)
    assert not trusts(machine.state, twin)


@pytest.mark.parametrize("digits", ["", "abc", "0" * 64, "zz" * 32])
def test_an_exception_for_what_was_never_refused_is_no_exception(digits: str) -> None:
    machine = phone()
    refuse(machine)
    before = machine.state.trust
    (answer,) = machine.handle(ExceptionAdded(digits), NOW)
    assert isinstance(answer, Answer)
    assert not answer.ok
    assert machine.state.trust == before


def test_a_notification_can_be_read_away() -> None:
    machine = phone()
    refuse(machine, peer="a:1")
    refuse(machine, peer="b:1")
    assert [n.peer for n in machine.state.notifications] == ["b:1", "a:1"]
    assert not machine.handle(NotificationDismissed(7), NOW)[-1].ok
    machine.handle(NotificationDismissed(0), NOW)
    assert [n.peer for n in machine.state.notifications] == ["a:1"]


# --- upload

SIGNED = intermediate(authority(), "TEST uploaded CA").certificate


@pytest.mark.parametrize(
    ("data", "admin", "ok", "says"),
    [
        (SIGNED.der, True, True, "was uploaded"),
        (SIGNED.der, False, False, "admin mode"),
        (STRANGER.der, True, False, "signed by none"),
        (to_pem(SIGNED).encode(), True, False, "PEM, not DER"),
        (LEAF.key_pem, True, False, "private key"),
        (b"garbage", True, False, ""),
        (b"", True, False, "empty"),
        (bytes(2 * 1024 * 1024), True, False, "at most"),
    ],
    ids=["signed", "user", "stranger", "pem", "key", "garbage", "empty", "zeros"],
)
def test_a_manual_upload_is_taken_or_refused_with_the_reason_in_the_log(
    data: bytes, admin: bool, ok: bool, says: str
) -> None:
    machine = phone()
    commands = machine.handle(CertificateUploaded(data, admin), NOW)
    answer = commands[-1]
    assert isinstance(answer, Answer)
    assert answer.ok is ok
    assert says in machine.state.log[-1].text
    assert (len(machine.state.trust.server_certificates) == 1) is ok
    if data == STRANGER.der and admin:
        assert "nothing signed it but itself" in answer.hint


def test_an_uploaded_certificate_can_be_removed_and_an_authority_cannot() -> None:
    machine = phone()
    machine.handle(CertificateUploaded(SIGNED.der, True), NOW)
    assert not machine.handle(CertificateRemoved(authority().certificate.sha256), NOW)[
        -1
    ].ok
    assert machine.handle(CertificateRemoved(SIGNED.sha256), NOW)[-1].ok
    assert machine.state.trust.server_certificates == ()


# --- settings that people enter


@pytest.mark.parametrize(
    ("firmware", "name", "idx", "value", "answer"),
    [
        ("10.1.33.33", "language", None, "Deutsch", "language was set"),
        ("10.1.33.33", "user_name", 2, "402", "user_name2 was set"),
        ("10.1.33.33", "host_name_validation_flags", None, "99",
         "host_name_validation_flags was set; host_name_validation_flags is not a "
         "number from 0 to 31; the default 0 holds"),
        ("8.9.3.60", "check_fqdn_against_server_cert", None, "on",
         "check_fqdn_against_server_cert was set; check_fqdn_against_server_cert does "
         "nothing while server authentication is off"),
        ("10.1.33.33", "webserver_cert", None, "nonsense",
         "webserver_cert was set; webserver_cert cannot be used: no certificate: "
         "8 bytes of other text"),
        ("10.1.33.33", "phone_cert_type", None, "sha512",
         "phone_cert_type was set; phone_cert_type has a value that is not known "
         "here; it is ignored"),
    ],
)  # fmt: skip
def test_who_enters_a_setting_is_told_what_came_of_it(
    firmware: str, name: str, idx: int | None, value: str, answer: str
) -> None:
    machine = phone("D785", firmware)
    told = machine.handle(SettingEntered(name, value, idx), NOW)[-1]
    assert told == Reply(True, answer)


@pytest.mark.parametrize("name", ["bad name!", "a:b", "größe", "_", "<x>"])
def test_a_name_that_no_setting_can_have_is_a_typing_error(name: str) -> None:
    machine = phone()
    told = machine.handle(SettingEntered(name, "x"), NOW)[-1]
    assert not told.ok
    assert "letters, digits, _ and - only" in told.text
    assert machine.state.settings.entry(name) is None


def test_other_text_uploaded_is_told_what_is_taken() -> None:
    told = phone().handle(CertificateUploaded(b"root:x:0:0", True), NOW)[-1]
    assert not told.ok
    assert told.hint == "give one certificate in DER format, and nothing else"


# --- patch, firmware, reset


def test_a_patch_makes_the_phone_show_its_sha2_certificate() -> None:
    machine = phone("D715", "8.9.3.60", builtin=device(MAC, "sha1"))
    assert machine.handle(PatchInstalled(make_patch(MAC, device(MAC, "sha256"))), NOW)[
        -1
    ].ok
    assert machine.state.identity.kind == "patched"
    machine.handle(SettingEntered("phone_cert_type", "sha1"), NOW)
    assert machine.state.identity.kind == "built-in"
    machine.handle(FactoryResetDone(), NOW)
    assert machine.state.identity.kind == "patched", (
        "a patch is firmware, not a setting"
    )


@pytest.mark.parametrize(
    "data", [make_patch(OTHER, device(OTHER, "sha256")), b"", b"{}"]
)
def test_a_patch_that_is_not_for_this_phone_is_refused_and_logged(data: bytes) -> None:
    machine = phone("D715", "8.9.3.60", builtin=device(MAC, "sha1"))
    assert not machine.handle(PatchInstalled(data), NOW)[-1].ok
    assert machine.state.patched is None
    assert "patch was refused" in machine.state.log[-1].text


def test_an_empty_client_certificate_is_warned_of() -> None:
    machine = phone()
    answer_all(
        machine,
        {MODEL_URL: settings_xml("<empty_tls_client_cert>on</empty_tls_client_cert>")},
    )
    assert machine.state.client_identity is None
    assert machine.state.identity.identity is not None, "its pages still have one"
    assert "no server can know it" in said(machine.state)


def test_a_factory_reset_keeps_what_the_factory_gave_and_nothing_else() -> None:
    machine = phone()
    answer_all(machine, {
        MODEL_URL: settings_xml("<setting_server>https://new.test</setting_server><a>1</a>",
            "<functionKeys><fkey idx='0'>line</fkey></functionKeys><tbook/>"
            f'<certificates><certificate type="base64">{to_base64(ROOT.certificate)}</certificate></certificates>'),
    })  # fmt: skip
    refuse(machine)
    assert machine.state.setting_server == "https://new.test"
    commands = machine.handle(FactoryResetDone(), NOW)
    assert ApplySettings() in commands
    state = machine.state
    assert (len(state.settings), state.function_keys, dict(state.sections)) == (
        0,
        (),
        {},
    )
    assert (
        state.trust.server_certificates,
        state.trust.unknown,
        state.notifications,
    ) == ((), (), ())
    assert state.trust.authorities == (authority().certificate,)
    assert state.setting_server == URL
    assert state.builtin == device(MAC, "sha256")


def test_new_firmware_brings_its_own_rules() -> None:
    machine = phone(
        "D715", "8.9.3.52", builtin=device(MAC, "sha1"), patched=device(MAC, "sha256")
    )
    assert machine.state.identity.kind == "built-in"
    assert not machine.state.authenticates_servers
    machine.handle(FirmwareChanged(Firmware.parse("10.1.33.33")), NOW)
    assert machine.state.identity.kind == "patched"
    assert machine.state.authenticates_servers


def test_an_odd_built_in_certificate_is_said_at_power_on() -> None:
    machine = phone("D715", "8.9.3.60", builtin=device(OTHER, "sha256"))
    machine.handle(PoweredOn(), NOW)
    text = said(machine.state)
    assert "is made with a sha1 certificate; this one is sha256" in text
    assert "is not this phone's MAC" in text
    machine.handle(BuiltInReplaced(device(MAC, "sha1")), NOW)
    assert machine.state.log[-1].level == "info"


# --- what is kept


def test_a_phone_survives_its_own_json() -> None:
    machine = phone()
    answer_all(machine, {
        MODEL_URL: settings_xml("<user_pass idx='1'>hunter2</user_pass><v perm='V'>x</v>",
            "<functionKeys><fkey idx='3' label='Door' perm='R'>url https://d/</fkey></functionKeys><tbook><x/></tbook>"
            f'<certificates><certificate type="base64">{to_base64(ROOT.certificate)}</certificate></certificates>'),
    })  # fmt: skip
    refuse(machine)
    state = machine.state
    again = PhoneState.from_dict(
        json.loads(json.dumps(state.as_dict())), authorities=state.trust.authorities,
        builtin=state.builtin, log=state.log,
    )  # fmt: skip
    assert again == replace(state, log_count=len(state.log), parts={})
    assert "hunter2" not in said(state) + repr(state)
    rebooted = Machine(again)
    rebooted.handle(PoweredOn(), NOW + timedelta(days=1))
    assert rebooted.state.settings.entry("v") is None, "volatile"
    assert rebooted.state.settings.get("user_pass1") == "hunter2"


EVENTS = [
    ExceptionAdded("ab"), CertificateRemoved("cd"), CertificateUploaded(b"\x00\xff", True),
    PatchInstalled(b"{}"), ServerAuthenticationActivated(), SettingEntered("a", "b", 3),
    SettingEntered("a", "b"), NotificationDismissed(2), ProvisioningWanted("why"), FactoryResetDone(),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda e: type(e).__name__)
def test_a_request_of_another_process_is_the_event_it_was_made_from(event) -> None:
    assert parse_request(json.loads(json.dumps(to_request(event)))) == event


def test_new_firmware_brings_its_own_list_and_keeps_the_makers_authorities() -> None:
    maker = authority("A maker").certificate
    old = Firmware.parse("10.1.20.0")
    machine = Machine(new_phone(MAC, "D785", old).with_roots(lists_for(old), (maker,)))
    new = Firmware.parse("10.1.226.16")
    machine.handle(FirmwareChanged(new), NOW)
    state = machine.state
    assert state.trust.authorities == (maker, *lists_for(new).newest)
    assert "2026-07-24" in state.log[-1].text or "2026-07-24" in state.log[-2].text

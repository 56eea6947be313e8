"""What the server writes for another maker's phone, the phone reads as it was meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.certificates import MAC, NOW

from linekey.catalog.models import find_model
from linekey.catalog.profile import newest_firmware
from linekey.makers.all import MAKERS
from linekey.makers.grammar import Line
from linekey.phone.apply import apply_document, take_own_words
from linekey.phone.makers.files import read_file
from linekey.phone.makers.neutral import in_own_words
from linekey.phone.settings import PhoneSettings
from linekey.phone.state import PhoneState, new_phone
from linekey.phone.uses.sip.account import read_account

MODELS = {"yealink": "T46U", "poly": "VVX450", "grandstream": "GRP2614"}
URLS = {
    "yealink": "/{}.cfg", "poly": "/{}-user.cfg", "grandstream": "/cfg{}.xml",
}  # fmt: skip


def phone(maker: str) -> PhoneState:
    model = find_model(MODELS[maker])
    return new_phone(MAC, model.name, newest_firmware(model))


def fed(maker_id: str, terms: list[Line]) -> PhoneState:
    """A phone that got a file with these terms, as the server writes them."""
    maker = MAKERS[maker_id]
    lines, _ = maker.lines_of(terms)
    url = URLS[maker_id].format(MAC.digits.lower())
    document = read_file(maker, url, maker.grammar.write(lines), MAC)
    state = apply_document(phone(maker_id), document, url, NOW).state
    return take_own_words(state, NOW)


def account_of(state: PhoneState):
    return read_account(1, state.settings.get)


ACCOUNT = [
    Line("any.account.user", "4711", 1),
    Line("any.account.auth_user", "auth", 1),
    Line("any.account.password", "s3cret", 1),
    Line("any.account.display_name", "Ada", 1),
    Line("any.account.registrar", "pbx.example.com", 1),
    Line("any.account.transport", "tls", 1),
]


@pytest.mark.parametrize("maker", MODELS)
def test_an_account_with_an_outbound_proxy_is_called_there_by_tls(maker: str) -> None:
    proxy = Line("any.account.outbound", "edge.example.com:5999", 1)
    account = account_of(fed(maker, [*ACCOUNT, proxy]))
    assert account is not None
    assert (account.user, account.auth_user, account.password) == (
        "4711",
        "auth",
        "s3cret",
    )
    assert account.registrar == "pbx.example.com"
    assert (account.host, account.port, account.tls) == ("edge.example.com", 5999, True)
    assert account.display_name == "Ada"


@pytest.mark.parametrize("maker", MODELS)
def test_without_a_proxy_the_registrar_is_called_and_5061_is_the_port_of_tls(
    maker: str,
) -> None:
    account = account_of(fed(maker, ACCOUNT))
    assert account is not None
    assert (account.host, account.port, account.tls) == ("pbx.example.com", 5061, True)


@pytest.mark.parametrize("maker", MODELS)
@pytest.mark.parametrize(
    ("srtp", "expected"),
    [("off", ("off", "")), ("required", ("on", "mandatory"))],
)
def test_srtp_is_read(maker: str, srtp: str, expected: tuple[str, str]) -> None:
    state = fed(maker, [*ACCOUNT, Line("any.account.srtp", srtp, 1)])
    found = state.settings.get("user_srtp", 1), state.settings.get("user_savp", 1)
    assert found == expected


@pytest.mark.parametrize("maker", MODELS)
def test_a_directory_over_ldaps_is_read(maker: str) -> None:
    terms = [
        Line("any.directory.server", "ldap.example.com"),
        Line("any.directory.base", "ou=people,dc=example"),
        Line("any.directory.user", "cn=phones"),
        Line("any.directory.password", "pass word"),
        Line("any.directory.transport", "ldaps"),
    ]
    get = fed(maker, terms).settings.get
    assert get("ldap_server") == "ldap.example.com"
    assert (get("ldap_port"), get("ldap_over_tls")) == ("636", "on")
    assert get("ldap_base") == "ou=people,dc=example"
    assert get("ldap_password") == "pass word"


def test_starttls_is_said_to_be_left_undone() -> None:
    state = fed("yealink", [
        Line("any.directory.server", "ldap.example.com"),
        Line("any.directory.transport", "starttls"),
    ])  # fmt: skip
    assert state.settings.get("ldap_over_tls") == "off"
    assert any("StartTLS" in d for entry in state.log for d in entry.details)


@pytest.mark.parametrize("maker", MODELS)
def test_where_to_ask_next_is_read(maker: str) -> None:
    terms = [
        Line("any.provisioning.url", "https://prov.example.com/phones/"),
        Line("any.provisioning.user", "u"),
        Line("any.provisioning.password", "p"),
        Line("any.provisioning.interval", "7200"),
    ]
    state = fed(maker, terms)
    assert state.setting_server == "https://prov.example.com/phones/"
    get = state.settings.get
    assert (get("http_client_user"), get("http_client_pass")) == ("u", "p")
    assert get("settings_refresh_timer") == "7200"


def test_keys_are_read_by_their_place() -> None:
    terms = [
        Line("any.key.type", "line", 1),
        Line("any.key.account", "1", 1),
        Line("any.key.type", "blf", 2),
        Line("any.key.value", "4712", 2),
        Line("any.key.label", "Grace", 2),
    ]
    for maker in MODELS:
        keys = fed(maker, terms).function_keys
        assert [(k.idx, k.type) for k in keys] == [(0, "line"), (1, "blf")], maker
        assert (keys[1].value, keys[1].label) == ("4712", "Grace"), maker


def test_an_account_whose_parts_stand_in_two_files_is_one() -> None:
    settings = PhoneSettings()
    for name, value in (("user", "1"), ("transport", "tls")):
        settings = settings.provision(f"any.account.{name}", value, idx=2).settings
    settings = settings.provision("any.account.registrar", "[2001:db8::1]:5099", idx=2)
    lines = {n.name: n.value for n in in_own_words(settings.settings).settings}
    assert lines["user_host"] == "[2001:db8::1]:5099;transport=tls"


def test_a_password_is_shown_nowhere() -> None:
    state = fed("yealink", ACCOUNT)
    assert "s3cret" not in repr(state)
    assert "s3cret" not in repr(state.settings)
    assert not any("s3cret" in str(entry) for entry in state.log)


_TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=40,
)


@given(user=_TEXT, password=_TEXT, name=_TEXT)
def test_whatever_the_server_can_write_the_phone_reads(
    user: str, password: str, name: str
) -> None:
    for maker_id, maker in MAKERS.items():
        if maker_id not in MODELS:
            continue
        terms = [
            Line("any.account.user", user, 1),
            Line("any.account.password", password, 1),
            Line("any.account.display_name", name, 1),
            Line("any.account.registrar", "pbx.example.com", 1),
        ]
        lines, _ = maker.lines_of(terms)
        if any(maker.grammar.problem_of(line) for line in lines):
            continue
        get = fed(maker_id, terms).settings.get
        assert get("user_name", 1) == user.strip()
        assert get("user_pass", 1) == password.strip()
        assert get("user_realname", 1) == name.strip()


def test_a_makers_own_settings_are_kept_and_only_strange_ones_are_told() -> None:
    maker = MAKERS["yealink"]
    lines = [
        Line("static.security.cn_validation", "1"),
        Line("account.1.codec.opus.enable", "1"),
    ]
    document = read_file(maker, "/x.cfg", maker.grammar.write(lines), MAC)
    state = apply_document(phone("yealink"), document, "/x.cfg", NOW).state
    assert state.settings.get("static.security.cn_validation") == "1"
    assert state.settings.get("account.1.codec.opus.enable") == "1"
    (told,) = next(entry.details for entry in state.log if "applied" in entry.text)
    assert told == "1 setting is unknown here and kept: account.1.codec.opus.enable"

"""Layers: checked when made, merged by slot, stored with their secrets apart."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.provisioning.document import (
    CertificateEntry,
    FunctionKey,
    Layer,
    Mark,
    Setting,
    is_secret,
    merge,
    parse_setting,
)
from linekey.provisioning.entries import MAX_VALUE


@pytest.mark.parametrize(
    "name",
    [
        "user_pass", "user_pass1", "http_pass", "http_client_pass", "ldap_password",
        "admin_mode_password", "ieee8021x_eap_md5_password", "webserver_cert",
        "webservice_cert", "keyboard_lock_pw", "wpa_psk", "USER_PASS", "some_pwd",
        "user_hash", "vpn_secret", "sipPassword", "tls_private_key", "srtp_key",
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_name(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "user_name", "user_host", "language", "setting_server", "dkey_directory",
        "host_name_validation_flags", "check_fqdn_against_server_cert", "phone_cert_type",
        "bypass_proxy", "compass", "phone_name", "user_realname", "keyboard_type",
    ],
)  # fmt: skip
def test_what_is_no_secret_stays(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize(
    "value",
    [
        "https://user:hunter2@prov.example/x",
        "-----BEGIN RSA PRIVATE KEY-----\nMII",
        "https://prov.example/t/q3Zt8uYb20CharsLong/",
        "https://prov.example/?token=abc",
    ],
)
def test_a_secret_is_known_by_its_value(value: str) -> None:
    setting = Setting("setting_server", value)
    key = FunctionKey(0, "url", value)
    assert setting.secret
    assert key.secret
    assert value not in repr(setting) + repr(key) + repr(Layer((setting,), (key,)))
    plain, secrets = Layer((setting,), (key,)).to_plain()
    assert value not in json.dumps(plain)
    assert set(secrets.values()) == {value}


def test_an_ordinary_url_is_no_secret() -> None:
    for url in ("https://prov.example/snom", "https://h/?mac=000413AABBCC", "a=b"):
        assert not Setting("setting_server", url).secret


@pytest.mark.parametrize("value", ["\x00", "a\x0bb", "\x1b[0m", "\ud800", "\ufffe"])
def test_what_no_xml_can_carry_is_an_input_error(value: str) -> None:
    with pytest.raises(InputError, match=r"U\+[0-9A-F]{4}"):
        Setting("user_realname", value)
    with pytest.raises(InputError, match=r"U\+[0-9A-F]{4}"):
        FunctionKey(1, "line", label=value)


def test_an_error_does_not_repeat_a_password() -> None:
    with pytest.raises(InputError) as failure:
        Setting("user_pass", "hunter2\x00")
    assert "hunter2" not in failure.value.message + failure.value.hint
    with pytest.raises(InputError) as failure:
        parse_setting("hunter2")
    assert "hunter2" not in failure.value.message + failure.value.hint


@pytest.mark.parametrize("name", ["", "1st", "a b", "a>b", "é", "a" * 129, "a\n", "-x"])
def test_a_name_that_is_no_element_is_an_input_error(name: str) -> None:
    with pytest.raises(InputError, match="not a setting name"):
        Setting(name, "x")


def test_other_limits_are_input_errors() -> None:
    for make in (
        lambda: Setting("a", "x", idx=-1),
        lambda: Setting("a", "x", idx=10_000),
        lambda: Setting("a", "x", perm="RO"),
        lambda: Setting("a", "x" * (MAX_VALUE + 1)),
        lambda: FunctionKey(-1, "line"),
        lambda: FunctionKey(0, "two words"),
        lambda: FunctionKey(0, "line", perm='"'),
    ):
        with pytest.raises(InputError) as failure:
            make()
        assert failure.value.hint


def test_a_later_layer_wins_by_name_and_idx() -> None:
    fleet = Layer(
        (Setting("language", "English"), Setting("user_host", "a", 1)),
        (FunctionKey(0, "line"), FunctionKey(1, "line")),
    )
    model = Layer((Setting("language", "Deutsch", perm="R"),))
    device = Layer(
        (Setting("user_host", "b", 2), Setting("user_host", "c", 1)),
        (FunctionKey(0, "blf", "4711"), FunctionKey(0, "speed", "1", context="1")),
    )
    merged = merge(fleet, model, device)
    assert merged.settings == (
        Setting("language", "Deutsch", perm="R"),
        Setting("user_host", "c", 1),
        Setting("user_host", "b", 2),
    )
    assert merged.function_keys == (
        FunctionKey(0, "blf", "4711"),
        FunctionKey(1, "line"),
        FunctionKey(0, "speed", "1", context="1"),
    )
    assert merge() == Layer()


def test_certificates_are_united(der_a: bytes, der_b: bytes) -> None:
    a, b = CertificateEntry(der_a), CertificateEntry(der_b)
    merged = merge(Layer(certificates=(a,)), Layer(certificates=(b, a)))
    assert merged.certificates == (a, b)
    assert merged.without_certificate(a.certificate.sha256.upper()).certificates == (b,)


def test_a_certificate_comes_from_pem_der_or_base64(der_a: bytes, der_b: bytes) -> None:
    def pem(der: bytes) -> bytes:
        body = base64.encodebytes(der)
        return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"

    a, b = CertificateEntry(der_a), CertificateEntry(der_b)
    assert CertificateEntry.from_file(der_a, "a.der") == (a,)
    assert CertificateEntry.from_file(pem(der_a) + pem(der_b), "ab.pem") == (a, b)
    assert CertificateEntry.from_file(base64.b64encode(der_b), "b.b64") == (b,)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
)
def test_a_broken_certificate_file_is_named(data: bytes) -> None:
    with pytest.raises(InputError, match=r"^broken\.pem: ") as failure:
        CertificateEntry.from_file(data, "broken.pem")
    assert failure.value.hint


def test_a_truncated_certificate_is_an_input_error(der_a: bytes) -> None:
    for broken in (der_a[:-1], der_a + b"\x00", b""):
        with pytest.raises(InputError):
            CertificateEntry(broken)


def test_a_layer_changes_by_slot(der_a: bytes) -> None:
    layer = (
        Layer()
        .with_settings(Setting("a", "1"), Setting("a", "2", 1), Setting("a", "3"))
        .with_function_keys(FunctionKey(0, "line"), FunctionKey(0, "none"))
        .with_certificates(CertificateEntry(der_a), CertificateEntry(der_a))
    )
    assert layer.settings == (Setting("a", "3"), Setting("a", "2", 1))
    assert layer.function_keys == (FunctionKey(0, "none"),)
    assert len(layer.certificates) == 1
    assert layer.without_setting("a").settings == (Setting("a", "2", 1),)
    assert layer.without_setting("b") == layer
    assert layer.without_function_key(0).function_keys == ()
    assert layer
    assert not Layer()


names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
texts = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\t\n\r")
)
perms = st.none() | st.sampled_from(["", "R", "&", "RW", "$", "!"])
idxs = st.none() | st.integers(0, 9999)
layers = st.builds(
    lambda s, k: Layer().with_settings(*s).with_function_keys(*k),
    st.lists(st.builds(Setting, names, texts, idxs, perms), max_size=8),
    st.lists(
        st.builds(
            FunctionKey,
            st.integers(0, 9999),
            st.sampled_from(["line", "blf", "url", "none"]),
            texts,
            texts,
            texts,
            perms,
        ),
        max_size=4,
    ),
)


@given(layers)
def test_a_layer_comes_back_from_the_store(layer: Layer) -> None:
    plain, secrets = layer.to_plain()
    assert Layer.from_plain(json.loads(json.dumps(plain)), secrets) == layer


def test_certificates_come_back_from_the_store(der_a: bytes, der_b: bytes) -> None:
    layer = Layer().with_certificates(CertificateEntry(der_a), CertificateEntry(der_b))
    plain, secrets = layer.to_plain()
    assert Layer.from_plain(json.loads(json.dumps(plain)), secrets) == layer


def test_what_cannot_be_read_back_is_skipped_and_named() -> None:
    layer = Layer.from_plain(
        {
            "settings": [
                {"name": "good", "value": "1"},
                {"name": "not good", "value": "1"},
                {"name": "user_pass", "secret": True},
                {"value": "1"},
                {"name": "x", "value": 1},
                {"name": "x", "value": "1", "idx": "1"},
                "text",
                None,
            ],
            "function_keys": [{"idx": 0}, {"idx": True, "type": "line"}, []],
            "certificates": ["AAAA", "!", 5, None],
        },
        {},
    )
    assert layer.settings == (Setting("good", "1"),)
    assert layer.function_keys == ()
    assert layer.certificates == ()
    assert len(layer.unreadable) == 14
    assert Layer.from_plain({"settings": {}}).unreadable == ("settings: not a list",)


def test_what_may_be_shared_holds_no_secret_and_nothing_unknown() -> None:
    layer = Layer(
        (
            Setting("user_name", "1", 1),
            Setting("user_pass", "x", 1),
            Setting("language", "x", mark=Mark.SECRET),
            Setting("site_code", "x"),
            Setting("site_note", "x", mark=Mark.PUBLIC),
            Setting("sip_passwort", "x"),
            Setting("my_pin_note", "x", mark=Mark.PUBLIC),
            Setting("admin_mode_password", "x", mark=Mark.PUBLIC),
            Setting("site_url", "https://a:b@c/", mark=Mark.PUBLIC),
        ),
        (
            FunctionKey(0, "line"),
            FunctionKey(1, "url", "https://a:b@c/"),
            FunctionKey(2, "dtmf", "1234", mark=Mark.SECRET),
        ),
    )
    shared = layer.shareable()
    assert [s.name for s in shared.settings] == [
        "user_name",
        "site_note",
        "my_pin_note",
    ]
    assert shared.function_keys == (FunctionKey(0, "line"),)


def test_a_mark_stays_in_its_place_and_goes_through_the_layers() -> None:
    marked = Setting("site_code", "1", mark=Mark.SECRET)
    below = Layer((marked,), (FunctionKey(0, "dtmf", "1", mark=Mark.SECRET),))
    changed = below.with_settings(Setting("site_code", "2")).with_function_keys(
        FunctionKey(0, "dtmf", "2")
    )
    merged = merge(below, Layer((Setting("site_code", "3"),)))
    for layer in (changed, merged):
        assert layer.settings[0].mark is Mark.SECRET
        assert layer.function_keys[0].mark is Mark.SECRET
    assert changed.settings[0].value == "2"
    public = below.with_settings(Setting("site_code", "2", mark=Mark.PUBLIC))
    assert public.settings[0].mark is Mark.PUBLIC
    plain, secrets = changed.to_plain()
    assert Layer.from_plain(plain, secrets) == changed
    assert "2" not in str(plain["settings"][0].values())


def test_a_mark_of_a_later_linekey_counts_as_a_secrets() -> None:
    plain = {"settings": [{"name": "language", "value": "x", "mark": "novel"}]}
    assert Layer.from_plain(plain).settings[0].secret


def test_an_operator_types_settings() -> None:
    assert parse_setting("language=English") == Setting("language", "English")
    assert parse_setting(" user_name[1] = 4=7", "RW") == Setting(
        "user_name", " 4=7", 1, "RW"
    )
    for text in ("", "=x", "a", "a[x]=1", "a[-1]=1", "a[12345]=1"):
        with pytest.raises(InputError):
            parse_setting(text)

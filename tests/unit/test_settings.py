"""linekey's own settings: layers, near names, units, and what is refused."""

import pytest

from linekey.endpoint import is_loopback
from linekey.errors import InputError
from linekey.settings import (
    LimitSettings,
    Settings,
    fields,
    parse_endpoint,
    parse_settings,
)


def test_options_win_over_the_environment_and_that_over_the_file() -> None:
    settings = parse_settings(
        "port = 1\nworkers = 2\n[limits]\nbody_bytes = 5\nhandshake_s = 3",
        {"LINEKEY_WORKERS": "3", "LINEKEY_LIMITS__BODY_BYTES": "6", "PATH": "/bin"},
        {"limits.body_bytes": 7, "host": None},
    )
    assert (settings.port, settings.workers) == (1, 3)
    assert settings.limits.body_bytes == 7
    assert settings.limits.handshake_s == 3.0
    assert settings.host == "0.0.0.0"


def test_nothing_given_means_the_defaults() -> None:
    assert parse_settings() == Settings()
    assert parse_settings().limits == LimitSettings()


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("", True),
        ("workers = 2\n[status]\nown_process = false", True),
        ("[status]\nown_process = false", False),
        ("workers = 2\n[status]\nenabled = false", False),
    ],
)
def test_who_serves_phones_does_not_serve_the_api_unless_it_is_asked_to(
    text: str, apart: bool
) -> None:
    assert parse_settings(text).has_own_process_for_status is apart


def test_settings_read_no_environment_by_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINEKEY_PORT", "77")
    monkeypatch.setenv("PORT", "77")
    assert Settings().port == parse_settings().port == 8443


def test_lists_are_comma_separated_in_the_environment() -> None:
    settings = parse_settings(environment={"LINEKEY_NAMES": "a.example, b.example,"})
    assert settings.names == ("a.example", "b.example")


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ({"toml": "prot = 1"}, "unknown setting 'prot'", "'port'"),
        ({"toml": "[limits]\nbody_byte = 1"}, "'limits.body_byte'", "body_bytes"),
        ({"environment": {"LINEKEY_PROT": "1"}}, "LINEKEY_PROT", "'port'"),
        ({"options": {"wrkers": 1}}, "option: unknown setting 'wrkers'", "'workers'"),
        ({"toml": "status = 1"}, "'status' is a section", "[status]"),
        ({"toml": "port = 70000"}, "setting 'port'", "TCP port"),
        ({"toml": "workers = 0"}, "setting 'workers'", "core"),
        (
            {"toml": '[proxy]\nprotocol_from = "10.0.0.1"'},
            'a list: write ["one"',
            "balancers",
        ),
        ({"toml": 'names = "prov.example.com"'}, 'a list: write ["one"', "name"),
        ({"toml": "= 1"}, "linekey.toml: not TOML", ""),
        ({"toml": '[proxy]\ntrusted_proxies = ["x"]'}, "network", ""),
    ],
)
def test_what_cannot_be_right_is_named_with_its_cure(
    given: dict[str, object], message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        parse_settings(**given)  # type: ignore[arg-type]
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_where_the_state_folder_is_is_no_setting() -> None:
    assert parse_settings(environment={"LINEKEY_STATE": "/srv/x"}) == Settings()


def test_a_database_password_is_in_no_repr_and_no_error() -> None:
    settings = parse_settings(toml='database_url = "postgresql://u:geheim@h/d"')
    assert "geheim" not in repr(settings)
    assert "geheim" not in settings.model_dump_json()
    with pytest.raises(InputError) as caught:
        parse_settings(toml='database_url = ["geheim"]')
    assert "geheim" not in caught.value.message + caught.value.hint


def test_every_setting_tells_its_meaning() -> None:
    for name, kind, default, text in fields():
        assert len(text) > 15, name
        assert kind, name
        assert default, name
        if name.endswith("_s"):
            assert "seconds" in text.lower(), name
        if name.endswith("_bytes"):
            assert "bytes" in text.lower(), name


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8481", ("127.0.0.1", 8481)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("[::1]:8481", ("::1", 8481)),
        ("[::]:65535", ("::", 65535)),
    ],
)
def test_an_endpoint_is_an_address_and_a_port(
    text: str, endpoint: tuple[str, int]
) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_settings(options={"health_listen": text}).health_listen == text


@pytest.mark.parametrize(
    "text",
    ["8481", ":8481", "localhost:8481", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
     "127.0.0.1:-1", "127.0.0.1:٣", "::1:8481", "[127.0.0.1]:8481", "[::1]", "[::1:1"],
)  # fmt: skip
def test_what_is_no_endpoint_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="health_listen") as caught:
        parse_settings(options={"health_listen": text})
    assert "10.0.0.7:8481" in caught.value.message

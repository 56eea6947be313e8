import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.errors import InputError
from linekey.phone.uses.actions.urls import Happening, expand, setting_for

SETTINGS = {
    "mac": "000413AABBCC",
    "user_name1": "alice",
    "user_pass1": "hunter2",
    "http_client_pass": "hunter3",
    "ldap_password": "hunter4",
    "admin_mode_password": "hunter5",
    "setting_server": "https://u:hunter6@prov.example/",
}
NOW = Happening(
    variables={"remote": "sip:bob@example.com", "local": "alice", "call-id": "x&y=1"},
    sip_headers={"from": '"Bob" <sip:bob@example.com>'},
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("https://x/in?who=$remote&me=$local", "https://x/in?who=sip%3Abob%40example.com&me=alice"),
        ("https://x/in?c=$call-id&z=1", "https://x/in?c=x%26y%3D1&z=1"),
        ("https://x/$mac&/in", "https://x/000413AABBCC/in"),
        ("https://x/$mac/in?m=$mac&n=$user_name1", "https://x/000413AABBCC/in?m=000413AABBCC&n=alice"),
        ("https://x/?p=$user_pass1&q=$http_client_pass", "https://x/?p=&q="),
        ("https://x/?p=$ldap_password$admin_mode_password", "https://x/?p="),
        ("https://x/?s=$setting_server", "https://x/?s="),
        ("https://x/?f=$sip_header(From)", "https://x/?f=%22Bob%22%20%3Csip%3Abob%40example.com%3E"),
        ("https://x/?u=$unknown&r=$cancel_reason", "https://x/?u=&r="),
        ("https://x/?price=5$", "https://x/?price=5$"),
    ],
)  # fmt: skip
def test_variables_expand_and_secrets_do_not(template: str, expected: str) -> None:
    assert expand(template, NOW, SETTINGS.get) == expected


@given(
    st.lists(
        st.sampled_from([f"${n}" for n in SETTINGS] + ["&", "/", "?", "a", "$", "1"])
    )
)
def test_no_template_ever_lets_a_password_out(parts: list[str]) -> None:
    assert "hunter" not in expand("https://x/" + "".join(parts), NOW, SETTINGS.get)


@pytest.mark.parametrize(
    ("event", "setting"),
    [("incoming", "action_incoming_url"), ("dnd-on", "action_dnd_on_url"),
     ("hold", "action_hold"), ("action_reg_failed", "action_reg_failed"),
     ("longpress", "action_longpress_url"), ("blacklist", "action_blacklist_url"),
     ("received_attended_transfer", "action_received_attended_transfer")],
)  # fmt: skip
def test_events_name_their_settings(event: str, setting: str) -> None:
    assert setting_for(event) == setting


def test_an_unknown_event_names_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        setting_for("exploded")
    assert "incoming" in caught.value.hint

from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from linekey.catalog import secrecy
from linekey.catalog.known_settings import Secrecy, known_settings
from linekey.catalog.secrecy import (
    is_secret,
    is_secret_value,
    looks_secret,
    mask_url,
)

TOKEN = "x6CDXN_9Li4SMu40aDBTZmHY8iQZPBJL"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"https://h/t/{TOKEN}/snom320.htm", "https://h/t/…/snom320.htm"),
        (f"https://h/t/{TOKEN}", "https://h/t/…"),
        ("https://u:p@h/x", "https://…@h/x"),
        ("https://u@h/x", "https://…@h/x"),
        ("https://h/x?a=1&TOKEN=abc&b=2#f", "https://h/x?a=1&TOKEN=…&b=2#f"),
        ("https://h/t/short/x", "https://h/t/short/x"),
        ("https://h/x?mac=000413AABBCC", "https://h/x?mac=000413AABBCC"),
        ("no url", "no url"),
    ],
)
def test_what_would_open_a_door_is_masked_and_nothing_else(
    url: str, shown: str
) -> None:
    assert mask_url(url) == shown
    assert mask_url(shown) == shown


@pytest.mark.parametrize(
    "url", [f"https://h/t/{TOKEN}/", "https://u:p@h/", "https://h/?token=abc"]
)
def test_whatever_is_a_secret_value_is_none_once_masked(url: str) -> None:
    assert is_secret_value(url)
    assert "abc" not in mask_url(url)
    assert TOKEN not in mask_url(url)


@pytest.mark.parametrize(
    ("typed", "text", "shown"),
    [
        ("4711", "https://h:4711x/4711/?code=4711&x=47110", "https://h:4711x/…/?code=…&x=47110"),
        ("a b/ü", "https://h/?c=a%20b%2F%c3%bc&d=a+b/%C3%BC", "https://h/?c=…&d=…"),
        ("%41", "https://h/?c=%2541", "https://h/?c=…"),
        ("p.w", "https://h/p.w: gone, see https://h/p.w.", "https://h/…: gone, see https://h/…."),
        ("1", "https://127.0.0.1:11/a-1?x=1#1", "https://127.0.0.1:11/a-1?x=…#…"),
        ("", "https://h/", "https://h/"),
        ("\udcff", "https://h/?c=%3F", "https://h/?c=…"),
    ],
)  # fmt: skip
def test_what_was_typed_is_masked_however_it_is_spelled(
    typed: str, text: str, shown: str
) -> None:
    assert mask_url(text, (typed,)) == shown
    assert mask_url(text, ("none", typed)) == shown


@given(st.text(min_size=1, max_size=12), st.sampled_from(["", "~/", "&=#"]))
def test_whatever_is_typed_and_sent_is_masked(typed: str, safe: str) -> None:
    text = typed.encode("utf-8", "replace").decode()
    assume(text not in ("https", "/"))  # which stand in it by themselves
    # Every other word of it is longer than what is typed here.
    url = (
        "https://provisioninghost/minibrowserpage"
        "?fieldoftheform={}&anotherfieldname=anotherfieldvalue"
    )
    masked = mask_url(url.format(quote(text, safe=safe)), (text,))
    assert masked == url.format("…")


@pytest.mark.parametrize(
    "name",
    [
        "user_pass", "user_pass1", "USER_PASS", "user_pasword", "sip_passwort",
        "snmp_community", "adminKennwort", "pw", "pw1", "vpn_psk", "apiKey", "api-key",
        "x_secert", "wifi_key", "door.pin", "client_secret", "access_token", "cc_token",
        "user_hash", "webservice_cert", "http_auth_data", "psswd", "passwrd", "site.token2",
        "privateKeyPem", "x_credentails", "userpwd", "adminpw", "ldap_bindpw", "rootpass",
        "userpin", "pincode", "snmpcommunity", "snmp_comunity", "authkey", "authname",
        "oauth", "tokn", "pskkey", "sslkey", "wpapsk", "sip_pswd", "creds", "motdepasse",
    ],
)  # fmt: skip
def test_a_name_like_this_is_a_secrets(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "language", "user_name", "keyevent", "dkey_dnd", "fkey", "gui_fkey1",
        "context_key", "context_key_label", "keyboard_lock", "encrypt_secrets",
        "edit_mode_for_passwords", "tls_server_authentication", "max_pin_retry",
        "key_0_remapped", "lastkey", "x_author", "bypass_list", "compass", "monkey",
        "authorities", "spin", "spinner", "author_name", "softkey", "shipping", "tone",
        "passive", "passage", "serverauthentication", "communication", "sector",
    ],
)  # fmt: skip
def test_a_name_like_this_is_none(name: str) -> None:
    assert not is_secret(name)


def test_the_catalogues_word_wins_over_the_look_of_a_name() -> None:
    for row in known_settings().values():
        assert is_secret(row.name) is (row.secrecy is Secrecy.SECRET), row.name
    assert looks_secret("max_pin_retry")


@pytest.mark.parametrize(
    "piece",
    [
        "//u:p/",
        "//a:b@",
        "a=b&",
        "%25",
        "<pw>",
        "'a':'",
        "<a><![CDATA[",
        "/a:b@",
        "u:p@",
    ],
)
def test_masking_takes_few_passes_whatever_the_text(
    piece: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    look = secrecy._spans

    def counted(text: str, depth: int = 3) -> list[tuple[int, int]]:
        if depth == 3:
            passes.append(len(text))
        return look(text, depth)

    monkeypatch.setattr(secrecy, "_spans", counted)
    mask_url(piece * 2000 + "@h")
    assert len(passes) <= 10


CANARY = "s3cr3tcanary"
HOLDERS = [
    "https://user:{}@h/x", "http://user:{}@[2001:db8::1]:8080/", "//u:{}@h/",
    "ftp://u:{}@h/", "ldaps://cn=x:{}@h/", "u:{}@proxy.example:3128",
    "https://u%3A{}@h/", "sip:4711:{}@h;transport=tls", "SIPS:a@h;password={}",
    "sip:a@h;transport=tls;Password={};lr", "https://h/?access_token={}",
    "https://h/?a=b&client_secret={}&c=d", "https://h/x?api-key={}",
    "https://h/x?apikey={}#x", "https://h/#token={}", "https://h/#/route?token={}",
    "https://h/x;password={}?a=b", "https://h/;jsessionid={}", "https://h/?ACCESS_TOKEN={}",
    "https://h/?%61ccess%5Ftoken={}", "https://h/?access%255Ftoken={}",
    "https://h/?pin={}", "https://h/?X-Api-Key={}", "https://h/?sig={}",
    "https://h/?next=https%3A%2F%2Fu%3A{}%40h2%2F", "https://h/?u=%2Fx%3Ftoken%3D{}",
    "https://h/cb%3Ftoken%3D{}", "token={}", "see token={}, please", "a=1 pw={} b=2",
    "refused https://u:{}@h/ and https://v:{}@i/", "Authorization: Bearer {}",
    "authorization: basic {}", '{{"password": "{}"}}', '{{"a": 1, "apiKey":"{}"}}',
    '<x password="{}"/>', "<user_pass idx='1'>{}</user_pass>", "<pin>{}</pin>",
    "<tbook><item context='active'><number>1</number></item><token>{}</token></tbook>",
    "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\n{}", "https://{}{}@h/",
    "https://u:a/{}@h/x", "http://u:a?{}@h", "http://u:{}#b@h:8080/", "https://h/key={}/x",
    "/u:{}@h/x",
    "<user_pass><![CDATA[{}]]></user_pass>", "{{'password': '{}'}}",
]  # fmt: skip


@pytest.mark.parametrize("text", HOLDERS)
def test_a_secret_is_seen_and_masked_wherever_it_stands(text: str) -> None:
    whole = text.replace("{{", "{").replace("}}", "}").replace("{}", CANARY)
    assert is_secret_value(whole)
    shown = mask_url(whole)
    assert CANARY not in shown
    assert mask_url(shown) == shown
    assert not is_secret_value(shown)


@given(
    st.lists(st.sampled_from(HOLDERS), min_size=1, max_size=4),
    st.sampled_from([" ", " and ", ", ", "\n"]),
)
def test_several_in_one_text_are_all_masked(texts: list[str], between: str) -> None:
    whole = between.join(text.replace("{}", CANARY) for text in texts)
    shown = mask_url(whole)
    assert CANARY not in shown
    assert mask_url(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        "", "4711", "sip:4711@h;transport=tls;user=phone", "host:5061;transport=tls",
        "https://h/x?mac=000413AABBCC&model=D785", "(&(telephoneNumber=%)(sn=%))",
        "https://h/?pass=$user_pass&name=$user_name1", "https://h/?token=", "a=b c=d",
        "|^(\\d+)$|sip:\\1@\\d;user=phone|d", "GER+1", "snomD785-SIP 10.1.33.33 1.1.3-s",
        "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33)", "<b>key</b>", "100%",
        "-----BEGIN CERTIFICATE-----", "/t/short/x", "mailto:a@b", "x@y:5060",
        "http://h:80/x@y", "https://h:8443?a=b@c", '{"pins": 12, "keys": 3}', "http://h:/a@b",
    ],
)  # fmt: skip
def test_what_holds_none_stays_as_it_is(text: str) -> None:
    assert not is_secret_value(text)
    assert mask_url(text) == text


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from([*HOLDERS, "%", "=", "//", "@", "<", '"'])).map("".join)
)
def test_masking_any_text_ends_and_holds(text: str) -> None:
    shown = mask_url(text)
    assert mask_url(shown) == shown

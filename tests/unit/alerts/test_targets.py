"""Targets: which addresses are public, and that no name tells a secret."""

import ipaddress

import pytest
from tests.receivers import SECRET

from linekey.alert_settings import AlertSettings
from linekey.alerts.targets import Webhook, is_public, targets_of
from linekey.errors import InputError
from linekey.settings import parse_settings

MAIL = {"mail_to": ("a@example.com",), "mail_from": "l@example.com"}


@pytest.mark.parametrize(
    "text",
    [
        "127.0.0.1", "127.8.9.1", "::1", "0.0.0.0", "::", "10.0.0.1", "172.16.0.1",
        "192.168.1.1", "169.254.169.254", "fe80::1", "fd00::1", "100.64.0.1",
        "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "198.51.100.1",
        # and where they hide in IPv6
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1",
        "2002:7f00:1::", "2002:a00:1::",
    ],
)  # fmt: skip
def test_what_is_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "9.9.9.9", "2606:4700::1", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_what_is_public(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


def settings(**more: object) -> AlertSettings:
    return AlertSettings(**more)  # type: ignore[arg-type]


def test_a_url_is_taken_apart_and_its_path_is_in_no_name() -> None:
    url = "https://hooks.example.com/services/T0P/S3CRET?key=S3CRET"
    given = settings(webhooks=(url,), webhook_secret=SECRET, smtp_host="mx", **MAIL)
    first, second = targets_of(given).values()
    assert isinstance(first, Webhook)
    assert (first.host, first.port, first.tls) == ("hooks.example.com", 443, True)
    assert first.path == "/services/T0P/S3CRET?key=S3CRET"
    shown = f"{first!r} {first.name} {first.label} {second!r}"
    assert "S3CRET" not in shown
    assert first.label == "https://hooks.example.com/…"
    assert second.label == "mail to a@example.com"
    assert targets_of(settings()) == {}


def test_ports_and_addresses_are_read() -> None:
    given = settings(webhooks=("http://[::1]:8080",), webhook_secret=SECRET)
    (target,) = targets_of(given).values()
    assert isinstance(target, Webhook)
    assert (target.host, target.port, target.path) == ("::1", 8080, "/")
    assert target.label == "http://[::1]:8080/…"


def test_a_bad_secret_is_told_without_it() -> None:
    given = settings(webhooks=("https://x.example.com/",), webhook_secret="hunter2")
    with pytest.raises(InputError, match=r"alerts\.webhook_secret") as caught:
        targets_of(given)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('webhooks = ["https://x.example.com/"]', "need webhook_secret"),
        ('mail_to = ["a@example.com"]', "needs smtp_host"),
        ('mail_to = ["a@example.com"]\nsmtp_host = "mx"', "needs mail_from"),
        ('mail_to = ["a@b\\nBcc: c@d"]', "mail_to"),
        ('webhooks = ["ftp://x.example.com/S3CRET"]', "number 1 is not like https"),
        ('webhooks = ["https://u:S3CRET@x/"]', "user name or a password"),
        ('webhooks = ["https://x/S3CRET#a"]', "fragment"),
        ('webhooks = ["https://x/S3CRET x"]', "percent-encoded"),
        ('webhooks = ["https://[x/S3CRET"]', "cannot be read"),
        ('webhooks = ["https://x:99999/S3CRET"]', "cannot be read"),
        ('kinds = ["phone.refusd"]', "'phone.refusd' is none of"),
        ('allowed_networks = ["ten"]', "allowed_networks"),
        ('smtp_tls = "none"', "smtp_tls"),
    ],
)
def test_settings_that_cannot_be_right_are_told(toml: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_settings(f"[alerts]\n{toml}")
    assert said in caught.value.message
    assert "S3CRET" not in f"{caught.value.message} {caught.value.hint}"

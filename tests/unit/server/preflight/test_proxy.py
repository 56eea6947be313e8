"""What keeps a server behind a proxy from starting."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import END, START, authority

from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.build import issue
from linekey.certs.dn import Name
from linekey.certs.pem import to_pem
from linekey.endpoint import is_private
from linekey.errors import InputError
from linekey.lab.authority import LabAuthority
from linekey.provisioning.ca_rules import rules_of
from linekey.server.preflight.checks import check_start, read_server_files
from linekey.server.preflight.proxy import check_proxy
from linekey.server.server import public_url
from linekey.settings import parse_settings
from linekey.trust.findings import Finding
from linekey.wire.door.listener import bind
from linekey.wire.unix_socket import unix_listener

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def behind(folder: Path, **options: Any) -> list[Finding]:
    certificate = folder / "server.pem"
    certificate.write_text(to_pem(authority().certificate))
    dotted = {name.replace("__", "."): value for name, value in options.items()}
    settings = parse_settings(
        options={"proxy.behind_proxy": True, "certificate": certificate, **dotted}
    )
    files = read_server_files(settings, folder)
    assert files.key is None
    trusted = [authority().certificate]
    rules = rules_of([(trusted[0], OperatorRule(TrustRule.CN_MAC))])
    found = check_start(settings, files, trusted, NOW, rules)
    return [f for f in found if f.rule.startswith(("proxy", "trust"))]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "localhost", "10.0.0.5", "fd00::1"]
)
def test_loopback_and_private_addresses_will_do(tmp_path: Path, host: str) -> None:
    assert behind(tmp_path, host=host, proxy__trusted_proxies=("10.0.0.9",)) == []


@pytest.mark.parametrize(
    "proxy", ["127.0.0.1", "::1", "127.0.0.0/8", "::ffff:127.0.0.1"]
)
def test_whoever_is_on_this_machine_can_be_a_proxy_on_loopback_and_that_is_said(
    tmp_path: Path, proxy: str
) -> None:
    (finding,) = behind(tmp_path, host="127.0.0.1", proxy__trusted_proxies=(proxy,))
    assert (finding.rule, finding.severity) == ("proxy.loopback", "warning")
    assert "--behind-proxy unix:" in finding.cure


def test_a_unix_socket_in_a_folder_of_its_own_will_do_wherever_host_is(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    options = {"proxy__unix_socket": str(folder / "linekey.sock")}
    assert behind(tmp_path, host="0.0.0.0", **options) == []
    folder.chmod(0o1777)
    (finding,) = behind(tmp_path, **options)
    assert (finding.rule, finding.severity) == ("proxy.socket_folder", "refused")
    folder.rmdir()
    (finding,) = behind(tmp_path, **options)
    assert (finding.rule, finding.severity) == ("proxy.socket_folder", "refused")
    assert str(folder) in finding.cure


def test_a_unix_socket_and_addresses_are_refused(tmp_path: Path) -> None:
    (finding,) = behind(
        tmp_path,
        proxy__unix_socket=str(tmp_path / "linekey.sock"),
        proxy__trusted_proxies=("192.0.2.1",),
    )
    assert (finding.rule, finding.severity) == ("proxy.both", "refused")


def test_the_socket_has_an_absolute_path() -> None:
    with pytest.raises(InputError, match="not an absolute path"):
        parse_settings(options={"proxy.unix_socket": "linekey.sock"})
    assert parse_settings(options={"proxy.unix_socket": ""}).proxy.unix_socket is None


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "203.0.113.5", "8.8.8.8", "a.example"]
)
def test_an_address_that_strangers_reach_is_refused_with_a_cure(
    tmp_path: Path, host: str
) -> None:
    (finding,) = behind(tmp_path, host=host, proxy__trusted_proxies=("10.0.0.9",))
    assert (finding.rule, finding.severity) == ("proxy.open", "refused")
    assert "127.0.0.1" in finding.cure


def test_no_proxy_listed_is_refused(tmp_path: Path) -> None:
    (finding,) = behind(tmp_path, host="127.0.0.1")
    assert (finding.rule, finding.severity) == ("proxy.none", "refused")


def test_a_wide_network_is_warned_about(tmp_path: Path) -> None:
    (finding,) = behind(
        tmp_path, host="127.0.0.1", proxy__trusted_proxies=("0.0.0.0/0",)
    )
    assert (finding.rule, finding.severity) == ("proxy.wide", "warning")


def test_a_lab_ca_behind_a_proxy_is_warned_about(tmp_path: Path) -> None:
    lab = LabAuthority.open(tmp_path / "lab")
    certificate = tmp_path / "server.pem"
    certificate.write_text(to_pem(lab.server_identity()[0][0]))
    settings = parse_settings(
        options={
            "proxy.behind_proxy": True,
            "proxy.trusted_proxies": ("127.0.0.1",),
            "host": "127.0.0.1",
            "certificate": certificate,
        }
    )
    files = read_server_files(settings, tmp_path)
    found = check_start(settings, files, lab.vendor_roots(), NOW)
    assert ("trust.lab_behind_proxy", "warning") in [
        (f.rule, f.severity) for f in found
    ]


def test_the_certificate_is_needed_for_its_names_and_the_key_is_not(
    tmp_path: Path,
) -> None:
    settings = parse_settings(options={"proxy.behind_proxy": True})
    with pytest.raises(InputError) as raised:
        read_server_files(settings, tmp_path)
    assert "no server certificate" in raised.value.message
    assert "the proxy's certificate" in raised.value.hint


def test_private_is_what_the_rfcs_say() -> None:
    for host in ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd12::1"):
        assert is_private(host)
    for host in (
        "172.32.0.1",
        "192.0.2.1",
        "169.254.1.1",
        "fe80::1",
        "100.64.0.1",
        "x",
    ):
        assert not is_private(host)


def test_phones_are_told_the_proxys_url_and_not_linekeys_own(tmp_path: Path) -> None:
    lab_leaf = issue(
        Name.build([("CN", "prov.example.com")]), authority().key, None, serial=9,
        not_before=START, not_after=END, hash="sha256", ca=None,
        dns_names=("prov.example.com",),
    )  # fmt: skip
    with bind("127.0.0.1", 0) as listener:
        for options, expected in (
            ({}, "https://prov.example.com"),
            ({"proxy.public_port": 8443}, "https://prov.example.com:8443"),
            ({"names": ("a.example",)}, "https://a.example"),
        ):
            settings = parse_settings(options={"proxy.behind_proxy": True, **options})
            assert public_url(settings, lab_leaf, listener) == expected
    with unix_listener(tmp_path / "linekey.sock") as listener:
        settings = parse_settings(options={"proxy.behind_proxy": True})
        assert public_url(settings, lab_leaf, listener) == "https://prov.example.com"


def test_the_proxy_protocol_is_for_linekeys_own_door_and_not_for_whole_networks() -> (
    None
):
    def found(**options: Any) -> list[tuple[str, str]]:
        settings = parse_settings(
            options={name.replace("__", "."): value for name, value in options.items()}
        )
        return [(f.rule, f.severity) for f in check_proxy(settings)]

    assert found(proxy__protocol_from=("192.0.2.10", "2001:db8::/120")) == []
    assert found(proxy__protocol_from=("192.0.0.0/16",)) == [
        ("proxy.protocol_wide", "warning")
    ]
    assert (
        "proxy.protocol",
        "refused",
    ) in found(
        proxy__behind_proxy=True,
        proxy__trusted_proxies=("192.0.2.9",),
        proxy__protocol_from=("192.0.2.10",),
    )

import re
from dataclasses import replace

import pytest
from tests.certificates import authority, certificate, ec

from linekey.catalog.firmware import Firmware
from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.certificate import Certificate
from linekey.errors import InputError
from linekey.export.account import DEBIAN, Account
from linekey.export.active import active_phones
from linekey.export.admission import admitted
from linekey.export.needs import fleet_needs
from linekey.export.peers import PEERS, find_peer
from linekey.export.render import BUNDLE, MARK, Export, export
from linekey.export.request import Endpoint, Request
from linekey.mac import Mac
from linekey.provisioning.ca_rules import rules_of
from linekey.provisioning.device import Device

MODERN = Device(Mac("000413000001"), "snom", "D785", Firmware.parse("10.1.33.33"))
SHA1 = Device(Mac("000413000002"), "snom", "D715", Firmware.parse("10.1.33.33"))
OLD = Device(Mac("000413000003"), "snom", "300", Firmware.parse("8.7.5.57"))
OWN = authority().certificate
DEAD = Device(Mac("000413000004"), "snom", "360", Firmware.parse("8.7.3.25.9"))


def request(*devices: Device, **changes: object) -> Request:
    made = Request(
        needs=fleet_needs(devices or (MODERN,)),
        groups=admitted(devices or (MODERN,)),
        phones=active_phones(devices or (MODERN,)),
        authorities=(OWN,),
        rules=rules_of([(OWN, OperatorRule(TrustRule.CN_MAC))]),
        name="phones.example.com",
        listen=Endpoint("", 443),
        folder="/etc/linekey/x",
        certificate="/etc/linekey/server.pem",
        key="/etc/linekey/server.pem.key",
        backend=Endpoint("127.0.0.1", 8443),
    )
    return replace(made, **changes)


def text_of(made: Export) -> str:
    return "\n".join(f.text for f in made.files if f.name not in (BUNDLE, "dh.pem"))


def ca(*subject: tuple[str, str]) -> Certificate:
    return certificate(subject, ec("ca"), ca=True)


@pytest.mark.parametrize("name", PEERS)
def test_level_0_is_there_only_with_its_reason(name: str) -> None:
    modern = text_of(export(find_peer(name), request()))
    assert "SECLEVEL" not in modern
    assert "%PROFILE_LOW" not in modern
    sha1 = text_of(export(find_peer(name), request(MODERN, SHA1)))
    assert "SECLEVEL=0" in sha1
    assert "SHA-1 certificates of the D715" in sha1
    assert "1.0" not in re.sub(r"#.*", "", sha1).replace("0.0.0.0", "") or name in ("slapd", "kamailio")  # fmt: skip


@pytest.mark.parametrize("name", PEERS)
def test_no_version_and_no_suite_that_no_phone_asked_for(name: str) -> None:
    told = re.sub(r"(?m)^\s*#.*$", "", text_of(export(find_peer(name), request())))
    for word in ("TLSv1 ", "TLSv1.1", "TLS1.0", "CBC", "AES128-SHA:", "RC4", "3DES", "DEFAULT", ":ALL", "+RSA:"):  # fmt: skip
        assert word not in told, word
    assert "AES128-GCM" in told or "AES-128-GCM" in told


@pytest.mark.parametrize("name", PEERS)
def test_an_old_fleet_opens_what_it_needs(name: str) -> None:
    made = export(find_peer(name), request(MODERN, OLD))
    assert "AES128-SHA" in text_of(made)
    assert any(f.name == "dh.pem" for f in made.files) == (
        name in ("nginx", "slapd", "freeradius")
    )


@pytest.mark.parametrize("name", PEERS)
def test_phones_that_are_not_served_are_named_in_file_and_notes(name: str) -> None:
    made = export(find_peer(name), request(MODERN, DEAD))
    assert "Not served: 000413000004 (360 8.7.3.25.9)" in text_of(made)
    assert any("000413000004" in note for note in made.notes)


@pytest.mark.parametrize("name", PEERS)
def test_every_client_must_show_a_certificate(name: str) -> None:
    told = text_of(export(find_peer(name), request()))
    demand = {
        "nginx": "ssl_verify_client on;", "haproxy": "verify required",
        "apache": "SSLVerifyClient require", "kamailio": "require_certificate = yes",
        "slapd": "TLSVerifyClient demand", "freeradius": "check_cert_cn = %{User-Name}",
    }  # fmt: skip
    assert demand[name] in told


@pytest.mark.parametrize("name", PEERS)
def test_files_that_are_made_anew_say_so_and_the_others_are_the_operators(name: str) -> None:  # fmt: skip
    for file in export(find_peer(name), request(OLD)).files:
        marked = MARK in file.text[:400]
        assert marked != file.operators or file.name == "dbtext/version", file.name


@pytest.mark.parametrize(
    ("name", "every", "one"),
    [
        ("nginx", ["listen *:443 ssl", "listen [::]:443 ssl"], "listen 0.0.0.0:443 ssl"),
        ("haproxy", ["bind :::443 v4v6 ssl"], "bind 0.0.0.0:443 ssl"),
        ("apache", ["\nListen 443 https"], "\nListen 0.0.0.0:443 https"),
    ],
)  # fmt: skip
def test_every_address_is_also_every_one_of_ipv6(
    name: str, every: list[str], one: str
) -> None:
    both = text_of(export(find_peer(name), request()))
    assert all(line in both for line in every)
    ipv4 = text_of(export(find_peer(name), request(listen=Endpoint("0.0.0.0", 443))))
    assert one in ipv4
    assert "::" not in re.sub(r"(?m)^ *#.*|\(\?.*", "", ipv4)


@pytest.mark.parametrize("name", PEERS)
def test_without_a_ca_there_is_no_export(name: str) -> None:
    with pytest.raises(InputError, match="no vendor CA"):
        export(find_peer(name), request(authorities=()))


def test_only_active_phones_are_let_in_where_a_peer_knows_them_one_by_one() -> None:
    gone = replace(SHA1, state="revoked")
    made = export(find_peer("kamailio"), request(gone, MODERN, OLD))
    (phones,) = (f.text for f in made.files if f.name == "dbtext/phones")
    assert phones.splitlines()[2:] == ["000413000001:1", "000413000003:1"]
    assert MARK in phones


def test_root_prepares_and_gives_root_up() -> None:
    made = export(find_peer("kamailio"), request())
    assert made.prepare == (
        "chown -R kamailio:kamailio /etc/linekey/x/run",
        "chmod 750 /etc/linekey/x/run",
        "chgrp kamailio /etc/linekey/x/dbtext/accounts /etc/linekey/x/dbtext/subscriber",
        "chmod 640 /etc/linekey/x/dbtext/accounts /etc/linekey/x/dbtext/subscriber",
    )
    assert made.run[-1].endswith(" -u kamailio -g kamailio")
    own = export(find_peer("kamailio"), request(account=Account("ada", "voice")))
    assert own.prepare[0] == "chown -R ada:voice /etc/linekey/x/run"
    assert own.run[-1].endswith(" -u ada -g voice")


@pytest.mark.parametrize("name", ["kamailio", "slapd", "freeradius"])
def test_a_unit_binds_a_low_port_without_root_and_needs_nothing_for_a_high_one(
    name: str,
) -> None:
    for port, right in ((443, "=CAP_NET_BIND_SERVICE\n"), (5061, "=\n")):
        made = export(find_peer(name), request(listen=Endpoint("", port)))
        (unit,) = (f.text for f in made.files if f.name == f"linekey-{name}.service")
        assert f"\nCapabilityBoundingSet{right}" in unit
        assert f"\nUser={DEBIAN[name].user}\n" in unit


@pytest.mark.parametrize("name", ["kamailio", "slapd", "freeradius"])
def test_a_units_command_is_the_printed_one_but_for_who_runs_it(name: str) -> None:
    made = export(find_peer(name), request())
    (unit,) = (f.text for f in made.files if f.name == f"linekey-{name}.service")
    account = f"-u {DEBIAN[name].user} -g {DEBIAN[name].group}"
    printed = " ".join(made.run[-1].replace(account, "").split())
    assert f"\nExecStart=/usr/sbin/{printed}\n" in unit


def test_certificates_are_optional_only_where_a_password_is_asked_for() -> None:
    for name in PEERS:
        if name != "kamailio":
            with pytest.raises(InputError, match="no phone without a certificate"):
                export(find_peer(name), request(client_certificates="optional"))
    made = export(find_peer("kamailio"), request(client_certificates="optional"))
    assert "require_certificate = no" in text_of(made)
    assert "verify_certificate = yes" in text_of(made)


def test_a_peer_that_serves_no_files_says_so() -> None:
    for name in ("haproxy", "kamailio", "slapd", "freeradius"):
        with pytest.raises(InputError, match="serves no files"):
            export(find_peer(name), request(files="/srv/phones", backend=None))


def test_a_proxy_without_a_backend_says_so() -> None:
    with pytest.raises(InputError, match="needs a backend"):
        export(find_peer("haproxy"), request(backend=None))


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_runs_as_its_own_user_or_as_it_is_told(name: str) -> None:
    def said(made: Export) -> str:
        return "\n".join((text_of(made), *made.prepare, *made.run))

    usual = export(find_peer(name), request())
    user, group = DEBIAN[name].user, DEBIAN[name].group
    assert usual.account == DEBIAN[name]
    assert re.search(rf"\b{user}\b", said(usual))
    told = export(find_peer(name), request(account=Account("voip", "phones")))
    assert told.account == Account("voip", "phones")
    assert re.search(r"\bvoip\b", said(told))
    forms = (f"{user}:{group}", f"-u {user}", f"user = {user}", f"ser {user}")
    for usually in (*forms, f"User={user}", f"root:{group}"):
        assert usually not in said(told)


def test_what_root_writes_for_a_proxy_never_becomes_the_proxys() -> None:
    made = export(find_peer("nginx"), request())
    assert made.prepare == (
        "chown root:www-data /etc/linekey/x/run",
        "chmod 750 /etc/linekey/x/run",
    )
    assert not made.reads_key
    assert export(find_peer("kamailio"), request()).reads_key


def test_freeradius_lists_the_active_phones_with_how_they_are_met() -> None:
    gone = replace(DEAD, state="revoked")
    made = export(find_peer("freeradius"), request(SHA1, MODERN, OLD, gone))
    (phones,) = (f.text for f in made.files if f.name == "phones")
    assert [line for line in phones.splitlines() if not line.startswith("#")] == [
        '000413000001 Tmp-String-0 := "modern"',
        '000413000002 Tmp-String-0 := "level0"',
        '000413000003 Tmp-String-0 := "level0"',
    ]


def test_freeradius_without_a_phone_lets_nobody_in() -> None:
    made = export(find_peer("freeradius"), request(groups=admitted(())))
    (phones,) = (f.text for f in made.files if f.name == "phones")
    assert all(line.startswith("#") for line in phones.splitlines())


def test_what_fills_a_folder_is_one_of_the_commands() -> None:
    made = export(find_peer("slapd"), request())
    assert set(made.fills) < set(made.run)
    assert set(made.fills.values()) < set(made.folders)


def test_an_unknown_peer_names_those_there_are() -> None:
    with pytest.raises(InputError) as raised:
        find_peer("caddy")
    assert "nginx" in raised.value.hint


def test_a_mac_rule_trusts_only_vendors_with_the_mac_in_the_cn() -> None:
    snom = ca(("O", "snom technology AG"), ("CN", "Snom Phone 1 SHA-256"))
    cisco = ca(("O", "Cisco Systems"), ("CN", "Cisco Manufacturing CA"))
    panasonic = ca(("CN", "SIP Phone Client Authentication Self CA Certificate"))
    own = ca(("CN", "Our Own Phones"))
    unsaid = ca(("CN", "Some Other Phones"))
    trusted = (snom, cisco, panasonic, own, unsaid)
    rules = rules_of([(own, OperatorRule(TrustRule.CN_MAC))])
    for name, changes in (
        ("nginx", {"files": "/srv/phones", "backend": None}),
        ("kamailio", {}),
        ("freeradius", {}),
    ):
        made = export(
            find_peer(name), request(authorities=trusted, rules=rules, **changes)
        )
        (bundle,) = (f.text for f in made.files if f.name == BUNDLE)
        assert snom.sha256 in bundle
        assert own.sha256 in bundle
        assert cisco.sha256 not in bundle
        assert panasonic.sha256 not in bundle
        assert unsaid.sha256 not in bundle
        assert any("its phones are refused" in note for note in made.notes)
        assert any("Cisco Manufacturing CA" in note for note in made.notes)
    made = export(find_peer("nginx"), request(authorities=trusted))
    (bundle,) = (f.text for f in made.files if f.name == BUNDLE)
    assert cisco.sha256 in bundle
    with pytest.raises(InputError, match="no trusted vendor"):
        export(find_peer("kamailio"), request(authorities=(cisco,)))


def test_a_hostile_name_cannot_end_the_comment_it_stands_in() -> None:
    hostile = ca(("CN", "x\n-----BEGIN CERTIFICATE-----\nssl_verify_client off;"))
    made = export(find_peer("nginx"), request(authorities=(hostile,)))
    (bundle,) = (f.text for f in made.files if f.name == BUNDLE)
    assert bundle.count("-----BEGIN CERTIFICATE-----") == 1
    assert not re.search(r"(?m)^ssl_verify", bundle)


def test_haproxy_is_told_where_the_key_is_by_its_name() -> None:
    def made(certificate: str, key: str) -> Export:
        return export(find_peer("haproxy"), request(certificate=certificate, key=key))

    assert "ln -s" not in " ".join(made("/a/s.pem", "/a/s.pem.key").run)
    assert "del-ext" not in text_of(made("/a/s.pem", "/a/s.pem.key"))
    assert "ssl-load-extra-del-ext" in text_of(made("/a/s.crt", "/a/s.key"))
    assert "ln -s" not in " ".join(made("/a/both.pem", "/a/both.pem").run)
    assert made("/a/s.pem", "/b/k.pem").run[0] == "ln -s /b/k.pem /a/s.pem.key"


NGINX_DN = re.compile(r'"~(\^\(\?:\(\?!CN=.*)" \$cn;')


def nginx_dn_rule() -> re.Pattern[str]:
    """The exported map's regular expression, read back from the file."""
    made = export(find_peer("nginx"), request(files="/srv/phones", backend=None))
    found = NGINX_DN.search(text_of(made))
    assert found is not None
    return re.compile(found[1].replace("(?<cn>", "(?P<cn>"))


@pytest.mark.parametrize(
    "dn",
    [
        "CN=000413AABBCC",
        "emailAddress=security@snom.com,CN=000413AABBCC,O=snom technology AG,L=Berlin,ST=Berlin,C=DE",
        "CN=000413aabbcc,O=Grandstream Networks\\, Inc.",
        "O=a\\\\,CN=000413AABBCC",
        "OU=a+CN=000413AABBCC",
    ],
)
def test_nginx_reads_the_cn_of_a_whole_name(dn: str) -> None:
    found = nginx_dn_rule().match(dn)
    assert found is not None
    assert found["cn"].upper() == "000413AABBCC"


@pytest.mark.parametrize(
    "dn",
    [
        "O=x\\,CN=000413AABBCC,CN=000413AABB99Z", "O=x\\,CN=000413AABBCC", "O=x\\+CN=000413AABBCC",
        "CN=000413AABBCC0", "CN=000413AABBCC ", "CN=000413AABBC", "CN=000413AABBCC\\,x", "XCN=000413AABBCC",
        "CN=000413AABBCC,CN=000413AABB99", "CN=000413AABB99+CN=000413AABBCC", "ST=000413AABBCC", "",
        "O=x\\\\\\,CN=000413AABBCC", "OU=/CN=000413AABBCC",
    ],
)  # fmt: skip
def test_nginx_takes_no_other_value_for_the_cn(dn: str) -> None:
    assert nginx_dn_rule().match(dn) is None


BOTH = ("/etc/linekey/ec.crt", "/etc/linekey/ec.key")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "nginx",
            [
                "ssl_certificate /etc/linekey/rsa.crt;",
                "ssl_certificate_key /etc/linekey/rsa.key;",
                "ssl_certificate /etc/linekey/ec.crt;",
                "ssl_certificate_key /etc/linekey/ec.key;",
            ],
        ),
        (
            "apache",
            [
                "SSLCertificateFile /etc/linekey/rsa.crt",
                "SSLCertificateKeyFile /etc/linekey/rsa.key",
                "SSLCertificateFile /etc/linekey/ec.crt",
                "SSLCertificateKeyFile /etc/linekey/ec.key",
            ],
        ),
        ("haproxy", ["ssl crt /etc/linekey/rsa.crt crt /etc/linekey/ec.crt ca-file"]),
    ],
)
def test_two_certificates_are_written_where_they_can_be_shown(
    name: str, lines: list[str]
) -> None:
    text = text_of(
        export(
            find_peer(name),
            request(
                needs=fleet_needs([MODERN], also_ecdsa=True),
                certificate="/etc/linekey/rsa.crt",
                key="/etc/linekey/rsa.key",
                also=BOTH,
            ),
        )
    )
    places = [text.index(line) for line in lines]
    assert places == sorted(places)
    assert "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256" in text


def test_haproxy_finds_both_keys_by_their_names_or_is_given_links() -> None:
    def links(also: tuple[str, str]) -> list[str]:
        made = export(
            find_peer("haproxy"),
            request(certificate="/x/rsa.crt", key="/x/rsa.key", also=also),
        )
        assert ("ssl-load-extra-del-ext" in text_of(made)) == (also[1] == "/x/ec.key")
        return [line for line in made.run if line.startswith("ln ")]

    assert links(("/x/ec.crt", "/x/ec.key")) == []
    assert links(("/x/ec.crt", "/y/key.pem")) == [
        "ln -s /x/rsa.key /x/rsa.crt.key", "ln -s /y/key.pem /x/ec.crt.key",
    ]  # fmt: skip
    assert links(("/x/ec.pem", "/x/ec.pem")) == ["ln -s /x/rsa.key /x/rsa.crt.key"]

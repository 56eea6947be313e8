import json
import shlex
import stat
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import pytest
from click.testing import Result
from tests.certificates import authority, server
from typer.testing import CliRunner

from linekey.catalog.firmware import Firmware
from linekey.catalog.vendors import OperatorRule, TrustRule
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.cli import serve
from linekey.cli.export import app
from linekey.cli.exporting import HOME, Again
from linekey.export.peers import PEERS
from linekey.lab.authority import LabAuthority
from linekey.mac import Mac
from linekey.phone.identity import DeviceIdentity
from linekey.provisioning.device import Device
from linekey.server.preflight.proxy import SOCKET
from linekey.store.devices import Devices
from linekey.store.exported import read_exports
from linekey.store.opening import open_store
from linekey.store.vendor_cas import VendorCas, describe_ca

AT = datetime(2026, 1, 1, tzinfo=UTC)
OWN = OperatorRule(TrustRule.CN_MAC)
NAME = ("--name", "phones.example.com")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    with open_store(folder) as database:
        VendorCas(database).add([describe_ca(authority().certificate, AT, OWN)])
        firmware = Firmware.parse("10.1.33.33")
        Devices(database).add(Device(Mac("000413AABBCC"), "snom", "D715", firmware), AT)
    return folder


def run(state: Path, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--state", str(state)])
    assert result.exception is None or isinstance(result.exception, SystemExit), (
        result.exception
    )
    return result


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """100,000 phones take seconds to read: what can be refused before is."""

    def read(*given: object, **more: object) -> NoReturn:
        raise AssertionError("the registry was read for nothing")

    monkeypatch.setattr(Devices, "pages", read)


@pytest.mark.usefixtures("unread")
def test_without_a_trusted_ca_no_phone_is_read(tmp_path: Path) -> None:
    open_store(tmp_path / "state").close()
    refused = run(tmp_path / "state", "nginx", *NAME)
    assert refused.exit_code == 2
    assert "no vendor CA is trusted" in refused.stderr


def test_it_prints_every_file_with_its_place_and_nothing_else(state: Path) -> None:
    result = run(state, "nginx", *NAME)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("# ==> /etc/linekey/nginx/nginx.conf\n")
    assert "# ==> /etc/linekey/nginx/phone-authorities.pem" in result.stdout
    assert "ssl_protocols TLSv1.2;" in result.stdout
    assert "SECLEVEL=0" in result.stdout
    assert "proxy_pass http://unix:/run/linekey/linekey.sock;" in result.stdout
    assert "every user of this machine" not in result.stderr


@pytest.mark.parametrize("peer", ["nginx", "haproxy", "apache", "kamailio", "slapd", "freeradius"])  # fmt: skip
def test_it_writes_a_folder_and_says_what_to_run_next(
    state: Path, tmp_path: Path, peer: str
) -> None:
    out = tmp_path / "out"
    result = run(state, peer, *NAME, "--out", str(out))
    assert result.exit_code == 0, result.output
    for line in result.stdout.splitlines():
        assert Path(line.split("  ")[0]).is_file()
    assert f"next: {peer.replace('apache', 'apache2')}"[:9] in result.stderr or "next: ln" in result.stderr  # fmt: skip
    assert "put the server's certificate here: /etc/linekey/server.pem" in result.stderr.replace("\n", " ")  # fmt: skip
    again = run(state, peer, *NAME, "--out", str(out))
    assert again.exit_code == 0, again.output


def test_the_operators_files_stay_as_they_are_and_are_private(
    state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(state, "freeradius", *NAME, "--out", str(out))
    clients = out / "clients.conf"
    assert stat.S_IMODE(clients.stat().st_mode) == 0o600
    clients.write_text("client floor1 {}\n")
    result = run(state, "freeradius", *NAME, "--out", str(out))
    assert "kept unchanged" in result.stderr
    assert clients.read_text() == "client floor1 {}\n"


def test_the_phones_are_written_anew_and_the_accounts_are_not(
    state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run(state, "kamailio", *NAME, "--out", str(out))
    phones, accounts = out / "dbtext" / "phones", out / "dbtext" / "subscriber"
    assert "000413AABBCC:1" in phones.read_text()
    accounts.write_text("mine\n")
    with open_store(state) as database:
        Devices(database).revoke(Mac("000413AABBCC"), "stolen", AT)
    result = run(state, "kamailio", *NAME, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert "000413AABBCC" not in phones.read_text()
    assert accounts.read_text() == "mine\n"


def test_what_root_must_prepare_is_told(state: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    said = run(state, "kamailio", *NAME, "--out", out).stderr
    assert "next: chown -R kamailio:kamailio" in said
    assert "-u kamailio -g kamailio" in said.replace("\n", " ")
    own = run(state, "kamailio", *NAME, "--out", out, "--user", "voip").stderr
    assert "next: chown -R voip:voip" in own


def test_certificates_can_be_made_optional_for_kamailio_alone(state: Path) -> None:
    words = ("--client-certificates", "optional")
    result = run(state, "kamailio", *NAME, *words)
    assert "require_certificate = no" in result.stdout
    assert "require_certificate = yes" in run(state, "kamailio", *NAME).stdout
    refused = run(state, "nginx", *NAME, *words)
    assert refused.exit_code == 2
    assert "no phone without a certificate" in refused.stderr.replace("\n", " ")
    assert run(state, "kamailio", *NAME, words[0], "perhaps").exit_code == 2


def test_a_file_that_linekey_did_not_write_is_never_overwritten(
    state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "nginx.conf").write_text("user www-data;\n")
    result = run(state, "nginx", *NAME, "--out", str(out))
    assert result.exit_code == 2
    assert "was not written by linekey" in result.stderr.replace("\n", " ")
    assert (out / "nginx.conf").read_text() == "user www-data;\n"
    assert list(out.iterdir()) == [out / "nginx.conf"]


def test_the_name_comes_from_the_settings_or_the_certificate(
    state: Path, tmp_path: Path
) -> None:
    result = run(state, "nginx")
    assert result.exit_code == 2
    assert "--name" in result.stderr
    (state / "linekey.toml").write_text('names = ["prov.example.com"]\n')
    assert "server_name prov.example.com;" in run(state, "nginx").stdout


def test_certificate_and_key_of_the_settings_are_used(
    state: Path, tmp_path: Path
) -> None:
    (state / "server.pem").write_text(to_pem(server("phones.example.com").chain[0]))
    settings = 'certificate = "server.pem"\nkey = "server.key"\nport = 9443\n[proxy]\n'
    listed = 'behind_proxy = true\ntrusted_proxies = ["127.0.0.1"]\n'
    (state / "linekey.toml").write_text(settings + listed)
    said = run(state, "nginx", *NAME).stdout
    assert f"ssl_certificate {state}/server.pem;" in said
    assert f"ssl_certificate_key {state}/server.key;" in said
    assert "proxy_pass http://127.0.0.1:9443;" in said
    (state / "linekey.toml").write_text(settings + 'unix_socket = "/run/x/y.sock"\n')
    assert "proxy_pass http://unix:/run/x/y.sock;" in run(state, "nginx", *NAME).stdout


@pytest.fixture
def both(state: Path) -> Path:
    """Settings that name two certificates, the EC one first."""
    kinds: tuple[tuple[str, int | str], ...] = (("ec", "secp256r1"), ("rsa", 2048))
    for name, size in kinds:
        identity = server("phones.example.com", kind=name, size=size)
        (state / f"{name}.crt").write_text("".join(map(to_pem, identity.chain)))
        (state / f"{name}.key").write_bytes(identity.key_pem)
        (state / f"{name}.key").chmod(0o600)
    (state / "linekey.toml").write_text(
        'certificate = ["ec.crt", "rsa.crt"]\nkey = ["ec.key", "rsa.key"]\n'
    )
    return state


def test_both_certificates_of_the_settings_are_used(both: Path, tmp_path: Path) -> None:
    result = run(both, "nginx", *NAME, "--out", str(tmp_path / "out"))
    assert result.exit_code == 0, result.output
    text = (tmp_path / "out" / "nginx.conf").read_text()
    lines = [f"{both}/{name}" for name in ("rsa.crt", "rsa.key", "ec.crt", "ec.key")]
    places = [text.index(f" {line};") for line in lines]
    assert places == sorted(places)
    assert "ECDHE-ECDSA" in text
    told = result.stderr.replace("\n", " ")
    assert f"--certificate {both}/rsa.crt --certificate {both}/ec.crt" in told
    assert f"--key {both}/rsa.key --key {both}/ec.key" in told


def test_two_certificates_are_written_anew_as_they_were(
    both: Path, tmp_path: Path
) -> None:
    options = [
        word
        for name in ("ec", "rsa")
        for word in (
            "--certificate",
            f"{both}/{name}.crt",
            "--key",
            f"{both}/{name}.key",
        )
    ]
    out = tmp_path / "out"
    assert run(both, "nginx", *NAME, *options, "--out", str(out)).exit_code == 0
    text = (out / "nginx.conf").read_text()
    (both / "linekey.toml").write_text("")  # it is on record, not in the settings
    (out / "nginx.conf").write_text(text.replace("ssl_verify_depth 4", ""))
    with open_store(both) as database:
        [one] = read_exports(both)
        assert Again().write(database, one)
        earlier = replace(one, options=one.options | {
            "certificate": f"{both}/rsa.crt", "key": f"{both}/rsa.key",
        })  # fmt: skip
        assert (out / "nginx.conf").read_text() == text
        assert Again().write(database, earlier)  # as an earlier linekey noted it
    assert "ec.crt" not in (out / "nginx.conf").read_text()


@pytest.mark.parametrize("peer", ["kamailio", "slapd", "freeradius"])
def test_who_can_show_one_alone_is_given_rsas_and_that_is_said(
    both: Path, peer: str
) -> None:
    result = run(both, peer, *NAME)
    assert result.exit_code == 0, result.output
    assert f"{both}/rsa.crt" in result.stdout
    assert "ec.crt" not in result.stdout
    told = result.stderr.replace("\n", " ")
    assert "is given one certificate, RSA's, which every phone can use" in told
    assert f"left out: {both}/ec.crt" in told


def test_two_certificates_that_do_not_belong_together_are_refused(both: Path) -> None:
    def refused(*words: str) -> str:
        result = run(both, "nginx", *NAME, *words)
        assert result.exit_code == 2, result.output
        assert "hint:" in result.stderr
        return " ".join(result.stderr.split())

    rsa = ("--certificate", f"{both}/rsa.crt", "--key", f"{both}/rsa.key")
    assert "both certificates are for RSA keys" in refused(*rsa, *rsa)
    assert "1 certificate and 2 keys" in refused("--certificate", f"{both}/rsa.crt")
    (both / "ec.crt").unlink()
    assert f"there is no certificate in '{both}/ec.crt'" in refused()


def test_it_says_which_command_serves_the_proxy_and_who_else_could_be_it(
    state: Path, tmp_path: Path
) -> None:
    out = ("--out", str(tmp_path / "out"))
    said = run(state, "haproxy", *NAME, *out).stderr.replace("\n", " ")
    assert (
        "--behind-proxy unix:/run/linekey/linekey.sock --socket-group haproxy" in said
    )
    tcp = run(state, "haproxy", *NAME, *out, "--backend", "http://127.0.0.1:8443")
    said = tcp.stderr.replace("\n", " ")
    assert "--behind-proxy 127.0.0.1 --host 127.0.0.1 --port 8443" in said
    assert "every user of this machine can connect to 127.0.0.1:8443" in said
    private = run(state, "haproxy", *NAME, *out, "--backend", "http://10.0.0.5:8443")
    assert "every user of this machine" not in private.stderr.replace("\n", " ")


def test_the_operators_part_of_the_phone_book_is_loaded_once(
    state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("slapd", *NAME, "--out", str(out))
    own, registry = f"-l {out}/phonebook.ldif", f"-l {out}/registry.ldif"
    for _ in range(2):
        said = run(state, *words).stderr.replace("\n", " ")
        assert own in said
        assert registry in said
    (out / "data" / "data.mdb").write_bytes(b"")
    said = run(state, *words).stderr.replace("\n", " ")
    assert own not in said
    assert registry in said
    assert "kept unchanged" in said
    assert "next: slapd -u openldap -g openldap" in said


def test_a_file_is_written_anew_only_where_something_changed(
    state: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = ("freeradius", *NAME, "--out", str(out))
    run(state, *words)
    before = {path: path.stat().st_ino for path in out.iterdir() if path.is_file()}
    with open_store(state) as database:
        firmware = Firmware.parse("10.1.33.33")
        Devices(database).add(Device(Mac("000413AABBCD"), "snom", "D715", firmware), AT)
    run(state, *words)
    after = {path: path.stat().st_ino for path in before}
    assert {p.name for p in before if after[p] != before[p]} == {"phones"}
    assert "000413AABBCD" in (out / "phones").read_text()


def test_the_user_it_runs_as_can_be_said(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("freeradius", *NAME, "--out", str(out), "--user", "voip:phones")
    said = " ".join(run(state, *words).stderr.split())
    assert "next: chown -R voip:phones" in said
    assert "the group phones must be able to read the key" in said
    assert "user = voip\n" in (out / "radiusd.conf").read_text()


def test_json_holds_the_files_and_the_needs(state: Path) -> None:
    result = run(state, "slapd", *NAME, "--json")
    document: Any = json.loads(result.stdout)
    assert document["peer"] == "slapd"
    assert document["needs"]["versions"] == ["TLSv1.2"]
    assert document["needs"]["security_level_0"] == ["SHA-1 certificates of the D715"]
    assert [f["name"] for f in document["files"]] == ["slapd.conf", "phonebook.ldif", "registry.ldif", "linekey-slapd.service", "phone-authorities.pem"]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["caddy"], "not a server that linekey exports to: 'caddy'"),
        (["ngnx"], "did you mean nginx?"),
        (["nginx", "--backend", "http://8.8.8.8:80"], "neither loopback nor private"),
        (["nginx", "--backend", "http://127.0.0.1:1", "--files", "/srv"], "exclude each other"),
        (["haproxy", "--files", "/srv"], "serves no files"),
        (["nginx", "--listen", "0.0.0.0:99999"], "not a port"),
        (["nginx", "--min-version", "1.3"], "not a TLS version: '1.3'"),
        (["nginx", "--backend", "http://127.0.0.1:0"], "not a port: 0"),
        (["freeradius", "--out", "/tmp/a,b"], "choose one without ','"),
        (["nginx", "--certificate", "/no/such.pem"], "cannot read"),
        (["nginx", "--out", "/tmp/a b"], "cannot stand in a configuration"),
        (["nginx", "--name", "a;b"], "not a host name"),
        (["slapd", "--user", "a;b"], "not an account"),
        (["slapd", "--user", "root"], "should not run as root"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("unread")
def test_bad_input_ends_with_an_error_and_a_hint(
    state: Path, words: list[str], said: str
) -> None:
    result = run(state, *words, *(() if "--name" in words else NAME))
    assert result.exit_code in (2, 3), result.output
    assert said in result.stderr.replace("\n", " ")
    assert "hint:" in result.stderr
    assert result.stdout == ""


def test_relative_paths_are_read_from_where_one_is(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    result = run(state, "nginx", *NAME, "--out", "../x1", "--key", "../../k.key")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "x1" / "nginx.conf").read_text()
    assert f"pid {tmp_path}/x1/run/nginx.pid;" in text
    assert f"ssl_certificate_key {tmp_path.parent}/k.key;" in text


def test_an_older_version_can_be_asked_for(state: Path) -> None:
    said = run(state, "nginx", *NAME, "--min-version", "1.0").stdout
    assert "ssl_protocols TLSv1 TLSv1.1 TLSv1.2;" in said
    assert "# Security level 0 is here for: SHA-1 certificates of the D715" in said


def test_without_a_ca_it_says_how_to_trust_one(tmp_path: Path) -> None:
    with open_store(tmp_path / "empty"):
        pass
    result = run(tmp_path / "empty", "nginx", *NAME)
    assert result.exit_code == 2
    assert "linekey trust add" in result.stderr


HOST = "phones.example.com"


def export(state: Path, identity: DeviceIdentity, *words: str) -> Result:
    certificate, key = state.parent / "server.pem", state.parent / "server.key"
    certificate.write_text("".join(map(to_pem, identity.chain)))
    if not key.exists():
        key.write_bytes(identity.key_pem)
        key.chmod(0o600)
    out = state.parent / "out"
    given = () if "--key" in words else ("--key", str(key))
    return run(
        state, "nginx", "--name", HOST, "--out", str(out),
        "--certificate", str(certificate), *given, *words,
    )  # fmt: skip


def said(result: Result) -> str:
    return " ".join(result.stderr.split())


def refused(result: Result, state: Path, *sentences: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert not (state.parent / "out").exists()
    for sentence in sentences:
        assert sentence in said(result)
    assert "hint:" in result.stderr


def test_a_fitting_certificate_and_key_are_exported_without_a_word(state: Path) -> None:
    identity = server(HOST)
    whole = DeviceIdentity((*identity.chain, authority().certificate), identity.key_pem)
    result = export(state, whole)
    assert result.exit_code == 0, result.output
    assert "warning" not in said(result)


@pytest.mark.usefixtures("unread")
def test_a_certificate_for_another_name_is_refused(state: Path) -> None:
    result = export(state, server("other.example.com"))
    refused(result, state, f"the server's certificate is not for '{HOST}'")


def test_what_is_wrong_is_said_all_at_once(state: Path) -> None:
    weak = server("other.example.com", hash="sha1", size=1024)
    refused(
        export(state, weak),
        state,
        "the server's key is RSA-1024",
        "is signed with sha1",
        "is not for",
    )


def test_another_certificates_key_is_refused(state: Path) -> None:
    (state.parent / "server.key").write_bytes(private_key_to_pem(authority().key))
    result = export(state, server(HOST))
    assert result.exit_code in (2, 3)
    assert "does not belong to the first certificate" in said(result)
    assert not (state.parent / "out").exists()


def test_a_key_that_is_not_there_yet_or_not_ours_to_read_is_not_missed(
    state: Path,
) -> None:
    key = state.parent / "elsewhere.key"
    result = export(state, server(HOST), "--key", str(key))
    assert result.exit_code == 0, result.output
    assert f"put the server's key here: {key}" in said(result)


def test_a_key_that_everybody_can_read_is_warned_about(state: Path) -> None:
    key = state.parent / "server.key"
    key.write_bytes(server(HOST).key_pem)
    key.chmod(0o644)
    result = export(state, server(HOST))
    assert result.exit_code == 0
    assert "every user can read" in said(result)
    key.chmod(0o640)
    assert "every user can read" not in said(export(state, server(HOST)))


def test_a_file_without_a_certificate_is_refused(state: Path) -> None:
    empty = state.parent / "empty.pem"
    empty.write_bytes(server(HOST).key_pem)
    result = run(state, "nginx", "--name", HOST, "--certificate", str(empty))
    assert result.exit_code in (2, 3)
    assert f"no certificate in '{empty}'" in said(result)
    assert result.stdout == ""


@pytest.mark.parametrize("peer", ["nginx", "kamailio", "freeradius"])
def test_a_lab_authority_is_exported_for_loopback_only(state: Path, peer: str) -> None:
    lab = LabAuthority.open(state.parent / "lab")
    with open_store(state) as database:
        VendorCas(database).add([describe_ca(c, AT) for c in lab.vendor_roots()])
    for listen in ((), ("--listen", "192.0.2.1:443"), ("--listen", "*:443")):
        result = run(state, peer, "--name", HOST, *listen)
        assert result.exit_code == 2
        assert "a lab CA is trusted" in said(result)
        assert "listen only on 127.0.0.1" in said(result)
    for address in ("127.0.0.1:8443", "[::1]:8443"):
        result = run(state, peer, "--name", HOST, "--listen", address)
        assert result.exit_code == 0, result.output


def test_a_server_for_8021x_is_not_asked_for_its_name(state: Path) -> None:
    certificate = state.parent / "radius.pem"
    certificate.write_text(to_pem(server("radius.example.com").chain[0]))
    words = ["--name", HOST, "--certificate", str(certificate)]
    assert run(state, "freeradius", *words).exit_code == 0
    assert run(state, "kamailio", *words).exit_code == 2


def test_the_command_that_serves_the_proxy_can_be_copied(
    state: Path, tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    words = ["nginx", *NAME, "--out", out, "--listen", "127.0.0.1:42289"]
    said = run(state, *words).stderr
    line = said.split("and run linekey with it: ")[1].splitlines()[0]
    assert "--public-port 42289" in line
    assert line.endswith(f"--state {state}")
    given = shlex.split(line)[2:]
    served = CliRunner().invoke(serve.app, ["--check", *given])
    assert "no such option" not in served.stderr
    assert "usage" not in served.stderr.lower()
    usual = run(state, "nginx", *NAME, "--out", str(tmp_path / "usual")).stderr
    assert "--public-port" not in usual


def test_its_help_says_what_the_code_has() -> None:
    """It is written out there, so that a help loads none of that code."""
    said = " ".join(
        CliRunner().invoke(app, ["--help"], env={"COLUMNS": "300"}).stdout.split()
    )
    assert f"The server: {', '.join(PEERS)}." in said
    assert f"unix:{SOCKET}" in said
    assert f"{HOME}/server.pem" in said
    assert f"{HOME}/server.key" in said


def test_a_server_that_is_none_is_said_before_a_state_folder_is_looked_for(
    tmp_path: Path,
) -> None:
    done = CliRunner().invoke(app, ["ngnix", "--state", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert "'ngnix'" in done.stderr

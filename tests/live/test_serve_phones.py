"""curl and openssl s_client as phones: who gets what, and what the log says."""

import re
from pathlib import Path
from typing import Any

import pytest

from linekey.catalog.models import Generation
from linekey.certs.pem import to_pem
from linekey.server.server import utc_now
from linekey.store.devices import Devices
from linekey.store.vendor_cas import VendorCas

pytestmark = [pytest.mark.peer("curl"), pytest.mark.peer("openssl")]


def cert(identity: tuple[str, str]) -> list[str]:
    return ["--cert", identity[0], "--key", identity[1]]


async def test_the_right_phone_gets_its_file(place: Any) -> None:
    async with place.serving() as server:
        got = await place.curl(
            "-i",
            *cert(place.identity(place.phone)),
            f"{server.url}/snomD785-{place.phone}.htm",
        )
    assert got.code == 0, got.err
    assert "200 OK" in got.out
    assert "cache-control: no-store" in got.out
    assert place.password in got.out
    assert "Deutsch" in got.out
    (entry,) = place.log()
    assert (entry.outcome, entry.reason) == ("granted", "own_file")
    assert entry.tls_version == "TLSv1.3"
    assert str(entry.mac) == str(place.phone)


async def test_another_phones_file_is_refused_with_the_reason(place: Any) -> None:
    async with place.serving() as server:
        got = await place.curl(
            "-i",
            *cert(place.identity(place.phone)),
            f"{server.url}/snom710-{place.old_phone}.htm",
        )
    assert "403" in got.out.splitlines()[0]
    assert "reason: other_phones_file" in got.out
    assert place.password not in got.out
    assert place.reasons() == ["other_phones_file"]


async def test_a_common_file_holds_no_secret(place: Any) -> None:
    async with place.serving() as server:
        got = await place.curl(
            *cert(place.identity(place.phone)), f"{server.url}/snomD785.htm"
        )
    assert "Deutsch" in got.out
    assert place.password not in got.out


async def test_without_a_certificate_there_is_no_handshake_and_a_reason_in_the_log(
    place: Any,
) -> None:
    async with place.serving() as server:
        for versions in (["--tlsv1.3"], ["--tls-max", "1.2"]):
            got = await place.curl(
                *versions, f"{server.url}/snomD785-{place.phone}.htm"
            )
            assert got.code != 0
            assert got.out == ""
    entries = place.log()
    assert {(e.kind, e.reason) for e in entries} == {("handshake", "no_certificate")}
    # One line that counts both, unless a minute ended between them.
    assert sum(e.times for e in entries) == 2
    for entry in entries:
        assert "sent no certificate" in entry.sentence
        assert entry.remedy
        assert entry.peer == "127.0.0.1"
        assert re.fullmatch(
            r"t1[23][id]\d{4}.._[0-9a-f]{12}_[0-9a-f]{12}", entry.fingerprint
        )


async def test_a_phone_with_a_sha1_certificate_is_served_on_the_same_port(
    place: Any,
) -> None:
    identity = cert(place.identity(place.old_phone, Generation.SHA1))
    async with place.serving() as server:
        url = f"{server.url}/snom710-{place.old_phone}.htm"
        newer = await place.curl("--tls-max", "1.2", *identity, url, old=True)
        modern = await place.curl(
            *cert(place.identity(place.phone)),
            f"{server.url}/snomD785-{place.phone}.htm",
        )
    assert place.password in newer.out, newer.said
    assert place.password in modern.out
    assert [e.tls_version for e in place.log()] == ["TLSv1.2", "TLSv1.3"]
    assert place.log()[0].generation == "sha1"


async def test_a_tls_1_0_only_phone_is_served_if_its_catalogue_row_says_so(
    place: Any,
) -> None:
    identity = place.identity(place.old_phone, Generation.SHA1)
    async with place.serving() as server:
        port = server.url.rpartition(":")[2]
        got = await place.run(
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1",
            "-cipher", "ALL@SECLEVEL=0", "-cert", identity[0], "-key", identity[1],
            "-cert_chain", identity[0], "-ign_eof",
            "-CAfile", str(place.lab.server_root_path),
            old=True,
            given=f"GET /snom710-{place.old_phone}.htm HTTP/1.0\r\n\r\n".encode(),
        )  # fmt: skip
    (entry,) = place.log()
    assert entry.tls_version == "TLSv1"
    assert entry.policy == "legacy"
    assert (entry.outcome, entry.reason) == ("granted", "own_file"), entry.sentence
    assert place.password in got.out, got.said


async def test_a_modern_phone_may_not_come_with_tls_1_0(place: Any) -> None:
    async with place.serving() as server:
        got = await place.curl(
            "-i", "--tlsv1.0", "--tls-max", "1.0",
            *cert(place.identity(place.phone)),
            f"{server.url}/snomD785-{place.phone}.htm",
            old=True,
        )  # fmt: skip
    assert place.password not in got.said
    assert place.reasons()[0] in ("tls_too_old", "model_needed")


async def test_a_modern_hello_never_gets_a_legacy_suite(place: Any) -> None:
    """However the client orders its list, with every legacy suite first."""
    identity = place.identity(place.phone)
    async with place.serving() as server:
        port = server.url.rpartition(":")[2]
        for suites in (
            "AES128-SHA:AES256-SHA:ECDHE-RSA-AES128-GCM-SHA256@SECLEVEL=0",
            "NULL-SHA:AES128-SHA256:ECDHE-RSA-AES256-GCM-SHA384@SECLEVEL=0",
        ):
            got = await place.run(
                "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2",
                "-cipher", suites, "-cert", identity[0], "-key", identity[1],
                "-cert_chain", identity[0],
                "-CAfile", str(place.lab.server_root_path),
                old=True, given=b"",
            )  # fmt: skip
            assert "Cipher is ECDHE-RSA-AES" in got.out, got.said
            assert "GCM" in got.out


async def test_an_unregistered_phone_is_told_so_and_gets_nothing(place: Any) -> None:
    async with place.serving() as server:
        got = await place.curl(
            "-i",
            *cert(place.identity(place.stranger)),
            f"{server.url}/snomD785-{place.stranger}.htm",
        )
    assert "403" in got.out.splitlines()[0]
    assert place.reasons() == ["unknown_phone"]


async def test_a_self_signed_certificate_with_the_right_name_is_refused(
    place: Any, tmp_path: Path
) -> None:
    made = await place.run(
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
        "-subj", f"/CN={place.phone}", "-keyout", str(tmp_path / "f.key"),
        "-out", str(tmp_path / "f.pem"),
    )  # fmt: skip
    assert made.code == 0, made.err
    async with place.serving() as server:
        got = await place.curl(
            *cert((str(tmp_path / "f.pem"), str(tmp_path / "f.key"))),
            f"{server.url}/snomD785-{place.phone}.htm",
        )
    assert got.out == ""
    assert "unknown ca" in got.err
    (entry,) = place.log()
    assert (entry.kind, entry.reason) == ("handshake", "self_signed")
    assert entry.certificate_sha256 is not None


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_a_resumed_session_is_decided_anew_after_revocation(
    place: Any, tmp_path: Path, version: str
) -> None:
    identity = place.identity(place.phone)
    session = str(tmp_path / "session.pem")
    request = f"GET /snomD785-{place.phone}.htm HTTP/1.0\r\n\r\n".encode()
    async with place.serving() as server:
        words = [
            "openssl", "s_client", "-connect", server.url.removeprefix("https://"),
            version, "-cert", identity[0], "-key", identity[1],
            "-cert_chain", identity[0], "-ign_eof",
            "-CAfile", str(place.lab.server_root_path),
        ]  # fmt: skip
        first = await place.run(*words, "-sess_out", session, given=request)
        assert place.password in first.out, first.said
        again = await place.run(*words, "-sess_in", session, given=request)
        assert "Reused" in again.out
        assert place.password in again.out
        Devices(place.database).revoke(place.phone, "stolen", utc_now())
        revoked = await place.run(*words, "-sess_in", session, given=request)
    assert "Reused" in revoked.out
    assert place.password not in revoked.out
    assert "reason: revoked" in revoked.out
    assert "stolen" not in revoked.out


async def test_a_resumed_session_ends_with_the_trust_in_its_authority(
    place: Any, tmp_path: Path
) -> None:
    identity = place.identity(place.phone)
    session = str(tmp_path / "session.pem")
    request = f"GET /snomD785-{place.phone}.htm HTTP/1.0\r\n\r\n".encode()
    async with place.serving() as server:
        port = server.url.rpartition(":")[2]
        words = [
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2",
            "-cert", identity[0], "-key", identity[1], "-cert_chain", identity[0],
            "-ign_eof", "-CAfile", str(place.lab.server_root_path),
        ]  # fmt: skip
        first = await place.run(*words, "-sess_out", session, given=request)
        assert place.password in first.out
        cas = VendorCas(place.database)
        for ca in cas.all():
            cas.remove(ca.certificate.sha256)
        late = await place.run(*words, "-sess_in", session, given=request)
    assert place.password not in late.out
    assert place.reasons()[-1] == "issuer_not_trusted"


async def test_a_phone_that_sends_its_leaf_alone_is_completed(
    place: Any, tmp_path: Path
) -> None:
    _, key = place.identity(place.phone)
    chain, _ = place.lab.device_identity(place.phone, Generation.SHA256)
    alone = tmp_path / "leaf.pem"
    alone.write_text(to_pem(chain[0]))
    async with place.serving() as server:
        got = await place.curl(
            *cert((str(alone), key)), f"{server.url}/snomD785-{place.phone}.htm"
        )
    assert place.password in got.out, got.said


async def test_head_says_what_get_would_and_other_methods_are_refused(
    place: Any,
) -> None:
    identity = cert(place.identity(place.phone))
    async with place.serving() as server:
        url = f"{server.url}/snomD785-{place.phone}.htm"
        head = await place.curl("-I", *identity, url)
        put = await place.curl("-i", "-X", "PUT", "-d", "x", *identity, url)
    assert "200 OK" in head.out
    assert place.password not in head.out
    assert "405" in put.out.splitlines()[0]
    assert "allow: GET, HEAD" in put.out


async def test_no_secret_is_in_any_log_line(
    place: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    token = Devices(place.database).new_token(place.phone, utc_now())
    async with place.serving() as server:
        for path in (
            f"t/{token}/snomD785-{place.phone}.htm",
            f"t/{token}",
            f"T/{token}/nothing",
            f"x?token={token}",
        ):
            await place.curl(*cert(place.identity(place.phone)), f"{server.url}/{path}")
    lines = "\n".join(repr(entry) for entry in place.log()) + caplog.text
    assert token not in lines
    assert place.password not in lines

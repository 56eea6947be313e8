"""Programs of the phones' age: OpenSSL 1.0.1 to 1.1.1 as phones, and as servers.

Phones are derived after lines of OpenSSL (``Row.era``); here the lines themselves come
to linekey's door, and serve its check and its virtual phone.
"""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import MAC, NOW, authority, device, server
from tests.conftest import LINES
from tests.live.openssl_lines import CLIENT, run, serving
from tests.live.test_check_prober import QUICK

from linekey.catalog.firmware import Firmware
from linekey.catalog.hello import build_hello
from linekey.catalog.matrix import ROWS
from linekey.catalog.models import Generation
from linekey.catalog.profile import all_profiles, profile
from linekey.catalog.vendors import LAB_VENDOR
from linekey.check.assess import Question
from linekey.check.classes import classes_of, hellos_of
from linekey.check.phones import Setup, gather
from linekey.check.prober import Prober
from linekey.check.run import check_answers
from linekey.mac import parse_mac
from linekey.phone.document import PhoneDocument
from linekey.phone.edge.runner import VirtualPhone
from linekey.phone.events import ConnectionReported, Event
from linekey.phone.state import new_phone
from linekey.provisioning.device import Device
from linekey.provisioning.document import Layer, Setting
from linekey.store.devices import Devices
from linekey.tls.hello import build_client_hello, parse_client_hello
from linekey.tls.suites import EMPTY_RENEGOTIATION_INFO_SCSV, SUITES
from linekey.tls.versions import Version

each_line = pytest.mark.parametrize(
    "line",
    [pytest.param(x, marks=pytest.mark.peer(f"OpenSSL {x}")) for x in LINES],
)
NPN = 13172  # next protocol negotiation: what these programs add by themselves
TLS1_0 = {"secureProtocol": "TLSv1_method"}
ALL_SUITES = {"ciphers": "ALL:!aNULL"}


def identity_of(place: Any, generation: Generation) -> dict[str, str]:
    certificate, key = place.identity(place.old_phone, generation)
    return {"cert": Path(certificate).read_text(), "key": Path(key).read_text()}


@each_line
@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1"])
async def test_a_phone_of_that_age_with_sha1_and_rsa_1024_gets_its_file(
    place: Any, line: str, version: str, record_interop: Any
) -> None:
    options = {
        **identity_of(place, Generation.SHA1),
        **ALL_SUITES,
        **(TLS1_0 if version == "TLSv1" else {}),
        "host": "127.0.0.1",
        "servername": "localhost",
        "ca": [place.lab.server_root_path.read_text()],
        "rejectUnauthorized": False,
    }
    async with place.serving() as door:
        options["port"] = int(door.url.rpartition(":")[2])
        request = f"GET /snom710-{place.old_phone}.htm HTTP/1.0\r\n\r\n"
        said = await run(line, CLIENT, {"options": options, "request": request})
    assert place.password in said
    (entry,) = place.log()
    assert (entry.reason, entry.tls_version) == ("own_file", version)
    assert entry.generation == "sha1"
    record_interop(
        f"OpenSSL {line}", f"SHA-1, RSA-1024 phone over {version} gets its own file"
    )


@pytest.mark.peer("OpenSSL 1.0.1u")
@pytest.mark.parametrize(
    ("model", "firmware", "reason"),
    [
        ("710", None, "own_file"),
        ("710", "8.7.5.35", "own_file"),
        ("710", "8.7.5.49", "tls_too_old"),
        ("720", "8.7.3.25.9", "own_file"),
        ("720", "8.7.5.35", "tls_too_old"),
        ("D715", None, "tls_too_old"),
        ("D715", "8.7.5.35", "tls_too_old"),
        ("D785", None, "tls_too_old"),
        ("D785", "10.1.33.33", "tls_too_old"),
        ("", None, "model_needed"),
    ],
)
async def test_tls_1_0_is_for_phones_that_know_no_better_and_the_others_name_the_cure(
    place: Any, model: str, firmware: str | None, reason: str
) -> None:
    mac = parse_mac("000413778899")
    known = Firmware.parse(firmware) if firmware else None
    password = Layer().with_settings(Setting("user_pass", place.password, 1))
    Devices(place.database).add(
        Device(mac, LAB_VENDOR, model, known, layer=password), NOW
    )
    place.old_phone = mac
    generation = Generation.SHA256 if model == "D785" else Generation.SHA1
    options = {
        **identity_of(place, generation), **ALL_SUITES, **TLS1_0,
        "host": "127.0.0.1", "servername": "localhost", "rejectUnauthorized": False,
    }  # fmt: skip
    async with place.serving() as door:
        options["port"] = int(door.url.rpartition(":")[2])
        request = f"GET /snom{model or '300'}-{mac}.htm HTTP/1.0\r\n\r\n"
        said = await run("1.0.1u", CLIENT, {"options": options, "request": request})
    (entry,) = place.log()
    assert (entry.reason, entry.tls_version) == (reason, "TLSv1"), entry.sentence
    assert (place.password in said) is (reason == "own_file")
    if reason != "own_file":
        assert "403" in said
        assert f"reason: {reason}" in said
        assert "device set MAC --model MODEL --firmware VERSION" in entry.remedy


def questions(*models: tuple[str, str]) -> Any:
    """The catalogue's classes that trust the test root and authenticate servers."""
    profiles = [profile(*m) for m in models] or list(all_profiles())
    setup = Setup(
        authorities=(authority().certificate,),
        documents=(PhoneDocument.of_settings({"tls_server_authentication": "on"}),),
    )
    return classes_of(gather(profiles, "127.0.0.1", setup, now=NOW).phones)


async def check(port: int, classes: Any, *, at: datetime = NOW) -> dict[str, Any]:
    answers = await Prober(QUICK).ask_all(
        "127.0.0.1", port, hellos_of(classes), name="127.0.0.1"
    )
    report = check_answers(
        answers, classes, Question("127.0.0.1", at), label="line", host="127.0.0.1",
        port=port, checked_at=at,
    )  # fmt: skip
    return dict(
        zip((c.first.profile.name for c in classes), report.classes, strict=True)
    )


def identity() -> dict[str, str]:
    pem = server("127.0.0.1").to_pem().decode()
    return {"cert": pem, "key": pem}


class Remembering(VirtualPhone):
    """A virtual phone that keeps its last connection's report."""

    report: Any = None

    def happened(self, event: Event) -> None:
        if isinstance(event, ConnectionReported):
            self.report = event.report
        super().happened(event)


async def visit(port: int, model: str, firmware: str) -> Any:
    """The report of the connection that a virtual phone makes."""
    return (await visited(port, model, firmware)).report


async def visited(port: int, model: str, firmware: str) -> Remembering:
    """A virtual phone after its round."""
    generation = profile(model, firmware).builtin_generation.value
    state = new_phone(
        MAC, model, firmware, setting_server=f"https://127.0.0.1:{port}/",
        builtin=device(MAC, generation), authorities=(authority().certificate,),
    )  # fmt: skip
    phone = Remembering(replace(state, server_authentication=True), clock=NOW)
    async with asyncio.timeout(30), phone:
        await phone.round_ended()
    return phone


@pytest.mark.peer("OpenSSL 1.0.1u")
@pytest.mark.parametrize("suite", ["RC4-MD5", "RC4-SHA", "DES-CBC3-SHA", "NULL-SHA"])
async def test_a_server_of_that_age_with_one_old_suite_is_read_right(
    suite: str, record_interop: Any
) -> None:
    classes = questions()
    number = next(n for n, s in SUITES.items() if s.openssl_name == suite)
    async with serving("1.0.1u", {**identity(), **TLS1_0, "ciphers": suite}) as port:
        results = await check(port, classes)
        met = await visit(port, "370", "8.7.5.35")
    for phones in classes:
        found = results[phones.first.profile.name]
        speaks = number in phones.first.profile.suites
        refused = {f.rule for f in found.findings if f.refuses}
        assert (found.outcome.value == "accepted") is speaks, (phones, refused)
        if speaks:
            assert SUITES[number].name in str(found.as_dict())
    if SUITES[number].known_by_engine:
        assert met.completed, met.error
        assert met.suite == SUITES[number]
    else:  # the phone says what its engine cannot, and takes nothing else for it
        assert any(SUITES[number].name in note for note in met.notes), met.notes
    record_interop("OpenSSL 1.0.1u", f"check: a server with {suite} alone")


@pytest.mark.peer("OpenSSL 1.0.1u")
async def test_an_ssl_3_server_is_taken_by_the_row_that_speaks_ssl_3_alone() -> None:
    classes = questions()
    options = {**identity(), "secureProtocol": "SSLv3_method", "ciphers": "ALL:!aNULL"}
    async with serving("1.0.1u", options, "--enable-ssl3") as port:
        results = await check(port, classes)
        met = await visit(port, "300", "8.7.3.25.9")
    for phones in classes:
        found = results[phones.first.profile.name]
        if Version.SSL3 in phones.first.profile.versions:
            assert found.outcome.value == "accepted", found.reason
            assert found.negotiated["version"] == "SSLv3"
        else:
            refused = {f.rule for f in found.findings if f.refuses}
            assert found.outcome.value in ("phone_refuses", "server_refuses")
            assert refused & {"tls.version", "tls.suite"}, found.reason
    assert not met.completed
    assert any("answers in SSL 3 is refused" in note for note in met.notes)


@each_line
async def test_a_server_of_that_age_serves_the_virtual_phone(
    line: str, record_interop: Any
) -> None:
    async with serving(line, {**identity(), "ciphers": "HIGH"}) as port:
        met = await visit(port, "D785", "10.1.33.33")
        results = await check(port, questions(("D785", "10.1.33.33")))
    assert met.completed, met.error
    assert met.version == Version.TLS1_2
    (result,) = results.values()
    assert result.outcome.value == "accepted"
    record_interop(f"OpenSSL {line}", "serves the virtual phone over TLS 1.2")


async def captured(line: str, options: dict[str, Any]) -> bytes:
    """The first bytes that a program of this line sends."""
    first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first.set_result(await reader.read(65536))
        writer.close()

    door = await asyncio.start_server(take, "127.0.0.1", 0)
    async with door:
        port = door.sockets[0].getsockname()[1]
        given = {**options, "host": "127.0.0.1", "port": port}
        await run(line, CLIENT, {"options": given})
    return first.result()


@pytest.mark.parametrize(
    ("line", "row"),
    [
        pytest.param(line, row, marks=pytest.mark.peer(f"OpenSSL {line}"),
                     id=f"{line} {row.id}")
        for line in ("1.0.1u", "1.0.2o", "1.0.2s")
        for row in ROWS
        if row.era == line[:5]
    ],
)  # fmt: skip
async def test_the_derived_hello_is_the_lines_own_byte_for_byte(
    line: str, row: Any, record_interop: Any
) -> None:
    names = [SUITES[n].openssl_name for n in row.suites if SUITES[n].openssl_name]
    options = {"servername": "prov.test", "ciphers": ":".join(names)}
    if line == "1.0.2s":
        options["ecdhCurve"] = "auto"  # its Node.js narrows the curves to one
    sent = parse_client_hello(data := await captured(line, options))
    assert sent is not None
    derived = build_hello(row, "prov.test", sent.random)
    absent = {SUITES[n].key_exchange for n in derived.suites
              if n not in (*sent.suites, EMPTY_RENEGOTIATION_INFO_SCSV)}  # fmt: skip
    assert absent <= {"SRP"}  # left out when these programs were built
    same = replace(
        derived,
        suites=tuple(n for n in derived.suites if n in sent.suites),
        extensions=(*derived.extensions, *(e for e in sent.extensions if e[0] == NPN)),
    )
    assert build_client_hello(same) == data
    record_interop(f"OpenSSL {line}", f"hello of row {row.id}, byte for byte")

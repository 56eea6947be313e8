"""What lines of OpenSSL refuse by default, asked of the lines: small DH groups.

And that the virtual phone and the check refuse the same, at a real server.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from tests.certificates import server
from tests.live.openssl_lines import CLIENT, run
from tests.live.test_openssl_lines import check, questions, visited

from linekey.catalog.profile import profile
from linekey.tls.alerts import Alert
from linekey.tls.hello import parse_client_hello

DHE = 0x0033  # TLS_DHE_RSA_WITH_AES_128_CBC_SHA
HANDSHAKE, ALERT = 22, 21


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def flight(client_random: bytes, bits: int, version: int = 0x0303) -> bytes:
    """ServerHello to ServerHelloDone with a group of ``bits``, signed (RFC 5246 §7.4).

    Below TLS 1.2 the signature is void; it is looked at after the group. The modulus is
    no prime: nobody looks, and no key is ever made with it.
    """
    identity = server("127.0.0.1")
    random = bytes(32)
    modulus = ((1 << bits) - 1).to_bytes(bits // 8, "big")
    params = (
        vector(2, modulus)
        + vector(2, b"\x02")
        + vector(2, b"\x01" + bytes(bits // 8 - 1))
    )
    key: Any = serialization.load_pem_private_key(identity.key_pem, None)
    signed = client_random + random + params
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    hello = (
        version.to_bytes(2, "big") + random + b"\x00" + DHE.to_bytes(2, "big") + b"\x00"
    )
    chain = vector(3, vector(3, identity.chain[0].der))
    scheme = b"\x04\x01" if version == 0x0303 else b""
    exchange = params + scheme + vector(2, signature)
    return (
        message(2, hello)
        + message(11, chain)
        + message(12, exchange)
        + message(14, b"")
    )


@asynccontextmanager
async def serving_group(bits: int) -> AsyncIterator[tuple[int, list[int]]]:
    """A port with such a group, and the types of the records that answer its flight.

    No OpenSSL since 1.1.0 serves a group of fewer than 1024 bits, so bytes do.
    """
    answers: list[int] = []
    flight(bytes(32), bits)  # makes its keys, which would keep the first client waiting

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            hello = parse_client_hello(await reader.read(65536))
            assert hello is not None
            server_flight = flight(hello.random, bits, hello.max_version)
            writer.write(b"\x16\x03\x03" + vector(2, server_flight))
            place = len(answers)
            answers.append(ALERT)
            # Node.js 0.10 hangs up and takes 1.0.1u's alert with it
            if said := await reader.read(65536):
                answers[place] = said[0]
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as door:
        yield door.sockets[0].getsockname()[1], answers


async def answer_to_group(line: str, bits: int) -> int:
    """The type of the record that a client of this line answers with."""
    async with serving_group(bits) as (port, answers):
        options = {
            "host": "127.0.0.1",
            "port": port,
            "ciphers": "DHE-RSA-AES128-SHA",
            "rejectUnauthorized": False,
            "minDHSize": 1,
        }
        await run(line, CLIENT, {"options": options})
        return answers[0]


@pytest.mark.parametrize("bits", [512, 768, 1016, 1024])
@pytest.mark.parametrize(
    "line",
    [pytest.param(x, marks=pytest.mark.peer(f"OpenSSL {x}"))
     for x in ("1.0.1u", "1.0.2o", "1.0.2s")],
)  # fmt: skip
async def test_late_1_0_1_and_1_0_2_refuse_groups_below_1024_bits(
    line: str, bits: int, record_interop: Any
) -> None:
    taken = await answer_to_group(line, bits) == HANDSHAKE
    assert taken is (bits >= 1024)
    record_interop(f"OpenSSL {line}", "a client refuses DH groups below 1024 bits")


ROWS = [("D715", "8.7.5.35"), ("D745", "8.9.3.52")]


@pytest.mark.parametrize("bits", [512, 768, 1016, 1024, 2048])
async def test_phone_and_check_refuse_the_groups_that_their_line_refuses(
    bits: int,
) -> None:
    async with serving_group(bits) as (port, answers):
        found = await check(port, questions(*ROWS))
        for row in ROWS:
            before = len(answers)  # a connection of the check may end after it
            report = (await visited(port, *row)).report
            result = found[profile(*row).name]
            told = [f for f in result.findings if f.rule == "tls.dh-size"]
            small = bits < 1024
            assert bool(told) is (bits < 2048)
            assert (result.outcome.value == "accepted") is not small, result.findings
            assert set(answers[before:]) == {ALERT if small else HANDSHAKE}
            notes = [n for n in report.notes if n.startswith("tls.dh-size")]
            assert notes == [f"{f.rule} ({f.severity}): {f.message}" for f in told]
            assert (report.alert_sent is Alert.HANDSHAKE_FAILURE) is small
            if small:
                assert report.error == told[0].message
                assert report.hint == told[0].cure
                assert not report.refused_by_phone  # no exception would help


async def test_a_row_without_the_limit_says_what_its_engine_cannot() -> None:
    row = ("370", "8.7.5.35")  # OpenSSL 1.0.0
    async with serving_group(768) as (port, _):
        result = (await check(port, questions(row)))[profile(*row).name]
        report = (await visited(port, *row)).report
    assert result.outcome.value == "accepted", result.findings
    assert not report.completed
    assert "768 bits, which this phone takes" in report.error
    assert "ssl_dhparam" in report.hint

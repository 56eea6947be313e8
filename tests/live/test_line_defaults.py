"""What lines of OpenSSL refuse by default, asked of the lines: small DH groups."""

import asyncio
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from tests.live.openssl_lines import CLIENT, run
from tests.phone_pki import server

from linekey.tls.hello import parse_client_hello

DHE = 0x0033  # TLS_DHE_RSA_WITH_AES_128_CBC_SHA
HANDSHAKE, ALERT = 22, 21


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(size: int, content: bytes) -> bytes:
    return len(content).to_bytes(size, "big") + content


def flight(client_random: bytes, bits: int) -> bytes:
    """ServerHello to ServerHelloDone with a group of ``bits``, signed (RFC 5246 §7.4).

    The modulus is no prime: nobody looks, and no key is ever made with it.
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
    hello = b"\x03\x03" + random + b"\x00" + DHE.to_bytes(2, "big") + b"\x00"
    chain = vector(3, vector(3, identity.chain[0].der))
    exchange = params + b"\x04\x01" + vector(2, signature)
    return (
        message(2, hello)
        + message(11, chain)
        + message(12, exchange)
        + message(14, b"")
    )


async def answer_to_group(line: str, bits: int) -> int:
    """The type of the record that a client of this line answers with."""
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            hello = parse_client_hello(await reader.read(65536))
            assert hello is not None
            said = flight(hello.random, bits)
            writer.write(b"\x16\x03\x03" + vector(2, said))
            said = await reader.read(65536)  # 1.0.1u hangs up without an alert
            answer.set_result(said[0] if said else ALERT)
        except BaseException as error:
            if not answer.done():
                answer.set_exception(error)
            raise
        finally:
            writer.close()

    door = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with door:
        options = {
            "host": "127.0.0.1",
            "port": door.sockets[0].getsockname()[1],
            "ciphers": "DHE-RSA-AES128-SHA",
            "rejectUnauthorized": False,
            "minDHSize": 1,
        }
        await run(line, CLIENT, {"options": options})
        return await answer


@pytest.mark.parametrize("bits", [512, 768, 1016, 1024])
@pytest.mark.parametrize(
    "line",
    [pytest.param(x, marks=pytest.mark.peer(f"OpenSSL {x}"))
     for x in ("1.0.1u", "1.0.2o", "1.0.2s")],
)  # fmt: skip
async def test_late_1_0_1_and_1_0_2_refuse_groups_below_1024_bits(
    line: str, bits: int
) -> None:
    taken = await answer_to_group(line, bits) == HANDSHAKE
    assert taken is (bits >= 1024)

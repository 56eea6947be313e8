"""A hello in what other programs print: each form gives the hello that was sent."""

import json
import re
import shutil
import socket
import subprocess
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linekey.catalog.captured import CAPTURED, SEARCHED
from linekey.catalog.profile import profile
from linekey.check.hellos import derive, published, read_capture
from linekey.check.printed import hello_in_tree, printed_bytes
from linekey.errors import InputError

NAME = "prov.example.com"
HELLO = derive(profile("D785", "10.1.33.33"), NAME)
RAW = HELLO.to_bytes(bytes(range(32)))
FRAME = bytes(54) + RAW
"""With what Ethernet, IP and TCP put before it."""


def shown(row: bytes) -> str:
    return "".join(chr(b) if 32 <= b < 127 else "." for b in row)


def dump(data: bytes, line: str, group: int, middle: str = " ") -> str:
    """Lines of 16 bytes; ``line`` has places for offset, bytes and text."""
    out = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        halves = [row[:8], row[8:]] if group == 1 else [row]
        cut = [
            " ".join(half[n : n + group].hex() for n in range(0, len(half), group))
            for half in halves
        ]
        out.append(line.format(at, middle.join(cut), shown(row)))
    return "\n".join(out) + "\n"


FORMS = {
    "wireshark": dump(FRAME, "{:04x}  {:<49}   {}", 1, "  "),
    "hexdump -C": dump(FRAME, "{:08x}  {:<49} |{}|", 1, "  "),
    "xxd": dump(FRAME, "{:08x}: {:<39}  {}", 2),
    "tcpdump -X": "IP 192.0.2.1.5061 > 192.0.2.2.443: Flags [P.]\n"
    + dump(FRAME, "\t0x{:04x}:  {:<39}  {}", 2),
    "openssl -debug": "read from 0x55 [0x56] (5 bytes => 5 (0x5))\n"
    + dump(RAW, "{:04x} - {:<47}   {}", 1, "-"),
    "openssl -msg": "<<< ??? [length 0005]\n    16 03 01 00 05\n"
    "<<< TLS 1.2, Handshake [length 00d0], ClientHello\n"
    + "\n".join("    " + RAW[n : n + 16].hex(" ") for n in range(5, len(RAW), 16))
    + "\n>>> TLS 1.2, Handshake [length 0035], ServerHello\n    02 00 00 31\n",
    "tshark -T json": json.dumps({"tcp": {"tcp.payload": RAW.hex(":")}}),
    "tshark -x": json.dumps({"tls_raw": [RAW.hex(), 54, len(RAW), 0, 1]}, indent=1),
    "pdml": f'<field name="tls" size="{len(RAW)}" value="{RAW.hex()}"/>',
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_hello_that_was_sent(form: str) -> None:
    read = read_capture(FORMS[form].encode(), form).client_hello
    sent = HELLO.client_hello
    assert (read.suites, read.extensions) == (sent.suites, sent.extensions)
    assert (read.server_name, read.versions) == (NAME, sent.versions)


TREE = """Transport Layer Security
    TLSv1 Record Layer: Handshake Protocol: Client Hello
        Content Type: Handshake (22)
        Version: TLS 1.0 (0x0301)
        Length: 101
        Handshake Protocol: Client Hello
            Handshake Type: Client Hello (1)
            Version: TLS 1.2 (0x0303)
            Session ID Length: 0
            Cipher Suites Length: 6
            Cipher Suites (3 suites)
                Cipher Suite: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 (0xc02f)
                Cipher Suite: TLS_RSA_WITH_AES_256_CBC_SHA (0x0035)
                Cipher Suite: TLS_EMPTY_RENEGOTIATION_INFO_SCSV (0x00ff)
            Compression Methods (1 method)
                Compression Method: null (0)
            Extension: server_name (len=21) name=prov.example.com
                Type: server_name (0)
                Server Name Indication extension
                    Server Name: prov.example.com
            Extension: supported_groups (len=6)
                Type: supported_groups (10)
                Supported Groups (2 groups)
                    Supported Group: secp256r1 (0x0017)
                    Supported Group: secp384r1 (0x0018)
            Extension: ec_point_formats (len=2)
                Type: ec_point_formats (11)
                EC point formats Length: 1
                Elliptic curves point formats (1)
                    EC point format: uncompressed (0)
            Extension: signature_algorithms (len=4)
                Type: signature_algorithms (13)
                Signature Hash Algorithms (1 algorithm)
                    Signature Algorithm: rsa_pkcs1_sha256 (0x0401)
                        Signature Hash Algorithm Hash: SHA256 (4)
            Extension: status_request (len=5)
                Type: status_request (5)
    TLSv1.2 Record Layer: Handshake Protocol: Server Hello
        Version: TLS 1.2 (0x0303)
            Cipher Suite: TLS_RSA_WITH_NULL_MD5 (0x0001)
"""


def test_a_tree_is_built_anew_and_what_it_does_not_print_is_named() -> None:
    read = read_capture(TREE.encode(), "tree.txt")
    hello = read.client_hello
    assert hello.suites == (0xC02F, 0x0035, 0x00FF)
    assert hello.legacy_version == 0x0303
    assert (hello.server_name, hello.groups) == (NAME, (23, 24))
    assert hello.signature_algorithms == (0x0401,)
    assert "without status_request" in read.origin
    again = read_capture(read.to_bytes(bytes(32)), "x").client_hello
    assert again.suites == hello.suites


def test_of_a_tree_of_tls_1_3_the_bytes_are_wanted() -> None:
    tree = TREE.replace(
        "Extension: status_request (len=5)\n                Type: status_request (5)",
        "Extension: supported_versions (len=5)\n"
        "                Type: supported_versions (43)\n"
        "                Supported Version: TLS 1.3 (0x0304)",
    )
    with pytest.raises(InputError, match=r"TLS 1\.3") as caught:
        read_capture(tree.encode(), "tree.txt")
    assert "hex dump" in caught.value.hint


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_anything_gives_bytes_or_nothing(data: bytes) -> None:
    assert all(isinstance(found, bytes) for found in printed_bytes(data))
    found = hello_in_tree(data.decode("utf-8", errors="replace"))
    assert found is None


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("option", ["-msg", "-debug"])
def test_what_openssl_prints_is_what_it_sent(option: str) -> None:
    openssl = shutil.which("openssl")
    assert openssl
    sent = bytearray()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        listening.settimeout(10)

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(10)
                sent.extend(connection.recv(9000))

        thread = threading.Thread(target=answer)
        thread.start()
        where = f"127.0.0.1:{listening.getsockname()[1]}"
        done = subprocess.run(
            [openssl, "s_client", "-connect", where, "-tls1_2", "-servername", NAME,
             option],
            input=b"", capture_output=True, timeout=20, check=False,
        )  # fmt: skip
        thread.join(10)
    printed = read_capture(done.stdout + done.stderr, option).client_hello
    raw = read_capture(bytes(sent), "raw").client_hello
    assert (printed.suites, printed.extensions) == (raw.suites, raw.extensions)
    assert printed.server_name == NAME


@pytest.mark.parametrize("name", CAPTURED)
def test_a_published_hello_is_one_and_says_where_it_is_from(name: str) -> None:
    hello = published(name)
    assert hello is not None
    row = CAPTURED[name]
    assert row.source in hello.origin
    assert re.fullmatch(r"[a-z0-9-]+", name)
    read = read_capture(hello.to_bytes(bytes(32)), "x").client_hello
    assert (read.suites, read.extensions) == (row.suites, row.extensions)
    assert published("no-such") is None
    assert SEARCHED

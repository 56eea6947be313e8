"""nginx and Apache from exported files, serving the phones' files themselves.

Whose file it is, the MAC rule decides; for whom at all, the list of active phones.
"""

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.live.conftest import NOW, Place
from tests.live.peers import exported_peer, open_folder, workers_of, write_export
from tests.live.test_export_https import (
    SHA1_PHONE,
    add_sha1_phone,
    cert,
    modernize,
    path_of,
    spoofing_identities,
    token_paths,
)

from linekey.catalog.models import Generation
from linekey.catalog.vendors import LAB_VENDOR, OperatorRule, TrustRule
from linekey.certs.build import Issuer, issue, new_key
from linekey.certs.dn import Name
from linekey.certs.pem import private_key_to_pem, to_pem
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.server.server import utc_now
from linekey.store.devices import Devices
from linekey.store.vendor_cas import VendorCas, describe_ca

pytestmark = [pytest.mark.peer("curl"), pytest.mark.peer("openssl")]

FILE_SERVERS = [pytest.param(n, marks=pytest.mark.peer(n)) for n in ("nginx", "apache")]
DAY = timedelta(days=1)


OWN_FILES = (
    "snomD785-000413AABBCC.htm", "000413aabbcc.cfg", "000413AABBCC/snomD785.htm",
    "a/000413AABBCC/ring.wav", "000413AABBCC/000413AABBCC.xml",
)  # fmt: skip
"""Of the phone 000413AABBCC."""
OTHER_FILES = (
    "snom710-000413AABBCD.htm", "000413AABBCD.cfg", "000413AABBCD/snom.htm",
    "20230101120000-000413AABBCD.bin",
)  # fmt: skip
COMMON_FILES = (
    "snomD785.htm", "y000000000000.cfg", "y000000000066.cfg", "000000000000.cfg", "prov/000000000000.cfg",
    f"certificates/{'000413AABBCD' * 5}0000.der", "20230101120000.bin", "snomD785-10.1.33.33-SIP-r.bin",
)  # fmt: skip
NOBODYS_FILES = (
    "000413AABBCC0.htm", "spa000413AABBCC.xml", "000413AABBCC/000413AABBCD.cfg", "000413AABBCC-000413AABBCD.cfg",
    "snomD715-00-04-13-AA-BB-CD.htm", "0004.13AA.BBCD.xml", "000413-AABBCD.cfg", "00_04_13_AA_BB_CC.cfg", "000413AABBCC/20230101120000.bin",
)  # fmt: skip


def write_phone_files(folder: Path) -> Path:
    for name in (*OWN_FILES, *COMMON_FILES, *OTHER_FILES, *NOBODYS_FILES):
        path = folder / "phones" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}")
    return folder / "phones"


@pytest.fixture
def phone_files() -> Any:
    with open_folder() as folder:
        yield write_phone_files(folder)


@pytest.mark.parametrize("name", FILE_SERVERS)
async def test_a_file_server_gives_each_phone_its_own_file_and_the_common_ones(
    place: Place, name: str, phone_files: Path, record_interop: Any
) -> None:
    words = cert(place.identity(place.phone))
    async with exported_peer(place, name, files=phone_files) as peer:
        for path in (*OWN_FILES, *COMMON_FILES):
            got = await place.curl("-i", *words, f"{peer.url}/{path}")
            assert f"this is {path}" in got.out, got.said + peer.log()
            assert "no-store" in got.out
        for path in (
            *OTHER_FILES, *NOBODYS_FILES, "000413aabbcd.cfg", "snomD785-000413AABBCC.htm/../snom710-000413AABBCD.htm",
            "%30%30%30413AABBCD.cfg", "000413AABBCC/../000413AABBCD.cfg",
            "./000413AABBCD.cfg", "000413AABBCD.cfg?000413AABBCC",
        ):  # fmt: skip
            got = await place.curl("-i", "--path-as-is", *words, f"{peer.url}/{path}")
            assert "this is" not in got.out, path
            assert got.out.split(" ", 2)[1] in ("403", "404"), got.out
        got = await place.curl("-i", *words, "-X", "PUT", "-d", "x", f"{peer.url}/snomD785.htm")  # fmt: skip
        assert "403" in got.out.splitlines()[0]
    record_interop(name, "MAC rule: serves files itself, each to its phone alone")


@pytest.mark.parametrize("name", FILE_SERVERS)
async def test_a_token_is_in_no_log_of_a_file_server(
    place: Place, name: str, phone_files: Path
) -> None:
    token = Devices(place.database).new_token(place.phone, utc_now())
    words = cert(place.identity(place.phone))
    async with exported_peer(place, name, files=phone_files) as peer:
        for path in token_paths(token, path_of(place.phone)):
            await place.curl("--path-as-is", *words, f"{peer.url}/{path}")
        await place.curl(*words, f"{peer.url}/{path_of(place.phone)}")
    assert "verify=SUCCESS" in peer.log()
    assert token not in peer.log()


@pytest.mark.parametrize("name", FILE_SERVERS)
async def test_a_file_server_knows_the_active_phones_and_their_generations(
    place: Place, name: str, phone_files: Path, record_interop: Any
) -> None:
    modernize(place)
    add_sha1_phone(place)  # so that SHA-1 certificates pass the handshake
    (phone_files / path_of(SHA1_PHONE, "D715")).write_text("this is the D715's")
    own, sha1_own = path_of(place.phone), path_of(SHA1_PHONE, "D715")
    sha1, sha256 = Generation.SHA1, Generation.SHA256
    cases = [
        (place.phone, sha256, own, True), (place.phone, sha256, "snomD785.htm", True),
        (place.phone, sha1, own, False), (place.phone, sha1, "snomD785.htm", False),
        (SHA1_PHONE, sha1, sha1_own, True), (SHA1_PHONE, sha1, "snomD785.htm", True),
        (place.stranger, sha256, "snomD785.htm", False),
    ]  # fmt: skip
    async with exported_peer(place, name, files=phone_files) as peer:
        for mac, generation, path, served in cases:
            words = cert(place.identity(mac, generation))
            got = await place.curl("-i", *words, f"{peer.url}/{path}", old=True)
            assert ("this is" in got.out) is served, (mac, path, got.said, peer.log())
            assert served or "403" in got.out.splitlines()[0]
    record_interop(name, "files for active phones alone, of the allowed generation")


@pytest.mark.parametrize("name", FILE_SERVERS)
async def test_a_certificate_of_neither_generation_opens_nothing(
    place: Place, name: str, phone_files: Path, tmp_path: Path
) -> None:
    found = {}
    for kind, size in (("ed25519", 0), ("rsa", 2048)):
        key = new_key(kind, size)
        both = {"not_before": NOW - DAY, "not_after": NOW + DAY, "hash": "sha256"}
        root = issue(Name.build([("CN", "Yealink Manufacturing CA"), ("OU", kind)]), key, None, serial=1, ca=True, **both)  # fmt: skip
        own = new_key("rsa", 2048)
        leaf = issue(
            Name.build([("CN", str(place.phone))]), own, Issuer(root, key), serial=2, ca=False, **both
        )  # fmt: skip
        path = tmp_path / kind
        path.with_suffix(".pem").write_text(to_pem(leaf))
        path.with_suffix(".key").write_bytes(private_key_to_pem(own))
        found[root] = (str(path.with_suffix(".pem")), str(path.with_suffix(".key")))
    odd, plain = found.values()
    async with exported_peer(
        place, name, files=phone_files, authorities=tuple(found)
    ) as peer:
        for path in (path_of(place.phone), "snomD785.htm"):
            got = await place.curl("-i", *cert(plain), f"{peer.url}/{path}")
            assert "this is" in got.out, got.said + peer.log()
            got = await place.curl("-i", *cert(odd), f"{peer.url}/{path}")
            assert "403" in got.out.splitlines()[0], got.said
            assert "verify=SUCCESS" in peer.log()


@pytest.mark.parametrize("name", FILE_SERVERS)
async def test_a_revoked_phone_gets_nothing_after_the_next_export(
    place: Place, name: str, phone_files: Path, record_interop: Any
) -> None:
    add_sha1_phone(place)  # so that TLS 1.2 is still spoken afterwards
    words = cert(place.identity(place.phone))
    async with exported_peer(place, name, files=phone_files) as peer:
        url = f"{peer.url}/{path_of(place.phone)}"
        assert "this is" in (await place.curl(*words, url)).out
        Devices(place.database).revoke(place.phone, "stolen", utc_now())
        write_export(place, name, peer.folder, port=peer.port, files=phone_files)
        if name == "nginx":
            before = set(workers_of(peer.pid))
            os.kill(peer.pid, signal.SIGHUP)  # what nginx -s reload sends
            async with asyncio.timeout(20):
                while before & set(workers_of(peer.pid)):
                    await place.curl(*words, url)  # old workers serve to their end
        for path in (path_of(place.phone), "snomD785.htm"):
            got = await place.curl("-i", *words, f"{peer.url}/{path}")
            assert "403" in got.out.splitlines()[0]
    record_interop(name, "a revoked phone's file after the next export", "refused")


@pytest.mark.parametrize("name", FILE_SERVERS)
async def test_no_other_attribute_passes_for_the_cn(
    place: Place, name: str, phone_files: Path, tmp_path: Path
) -> None:
    Devices(place.database).add(Device(Mac("000413AABB99"), LAB_VENDOR), utc_now())
    for number, identity in enumerate(spoofing_identities(place, tmp_path)):
        async with exported_peer(place, name, files=phone_files) as peer:
            got = await place.curl(
                "-i", *cert(identity), f"{peer.url}/snomD785-000413AABBCC.htm"
            )
            assert "this is" not in got.out, number
            common = await place.curl(*cert(identity), f"{peer.url}/snomD785.htm")
            assert common.out == "this is snomD785.htm", common.said + peer.log()


@pytest.mark.parametrize("name", FILE_SERVERS)
async def test_a_ca_of_ones_own_is_in_the_bundle_only_if_its_phones_have_the_mac_as_cn(
    place: Place, name: str, phone_files: Path, tmp_path: Path, record_interop: Any
) -> None:
    """The rule that the operator gave it is the one that the exported server follows."""
    dates = {"not_before": NOW - DAY, "not_after": NOW + DAY}
    identities = {}
    for number, rule in enumerate((TrustRule.CN_MAC, TrustRule.SHARED, None)):
        key, own = new_key("rsa", 2048), new_key("rsa", 2048)
        root = issue(Name.build([("CN", f"Own CA {rule}")]), key, None, serial=1, ca=True, **dates)  # fmt: skip
        leaf = issue(
            Name.build([("CN", str(place.phone))]), own, Issuer(root, key), serial=2, ca=False, **dates
        )  # fmt: skip
        said = None if rule is None else OperatorRule(rule)
        VendorCas(place.database).add([describe_ca(root, NOW, said)])
        path = tmp_path / str(number)
        path.with_suffix(".pem").write_text(to_pem(leaf))
        path.with_suffix(".key").write_bytes(private_key_to_pem(own))
        identities[rule] = (
            str(path.with_suffix(".pem")),
            str(path.with_suffix(".key")),
        )
    async with exported_peer(place, name, files=phone_files) as peer:
        for rule, identity in identities.items():
            got = await place.curl("-i", *cert(identity), f"{peer.url}/{path_of(place.phone)}")  # fmt: skip
            assert ("this is" in got.out) is (rule is TrustRule.CN_MAC), got.said
    notes = " ".join(peer.exported.notes)
    assert "Own CA shared" in notes
    assert "Own CA None" in notes
    record_interop(
        name, "MAC rule: a CA of one's own, by the rule that was given to it"
    )

"""Every peer starts with what an odd fleet gives it: TLS 1.3, phones nobody can serve.

The same files with an ordinary fleet are in test_export_https, …_kamailio and so on.
"""

import os
import re
import shutil
from typing import Any

import pytest
from tests.live.conftest import PASSWORD, Place
from tests.live.peers import exported_peer, open_folder, unit_command, write_export
from tests.live.test_export_https import behind, cert, modernize

from linekey.catalog.firmware import Firmware
from linekey.catalog.vendors import LAB_VENDOR
from linekey.export.peers import PEERS, find_peer
from linekey.export.request import Endpoint
from linekey.mac import Mac
from linekey.provisioning.device import Device
from linekey.server.server import utc_now
from linekey.store.devices import Devices
from linekey.tls.versions import Version

ALL = [pytest.param(name, marks=pytest.mark.peer(name)) for name in PEERS]
PROXIES = [pytest.param(n, marks=pytest.mark.peer(n)) for n in PEERS if PEERS[n].forwards]  # fmt: skip


def add(place: Place, mac: str, model: str | None, firmware: str | None) -> None:
    Devices(place.database).add(
        Device(
            Mac(mac), LAB_VENDOR, model, Firmware.parse(firmware) if firmware else None
        ),
        utc_now(),
    )


@pytest.mark.parametrize("name", ALL)
async def test_it_runs_for_a_fleet_of_all_ages_unknown_and_unserved_phones(
    place: Place, name: str
) -> None:
    add(place, "000413AABB02", None, None)
    add(place, "000413AABB03", "360", "8.7.3.25.9")
    add(place, "000413AABB04", "300", "8.7.5.57")
    backend = Endpoint("127.0.0.1", 9) if PEERS[name].forwards else None
    async with exported_peer(place, name, backend=backend) as peer:
        assert any("000413AABB03" in note for note in peer.exported.notes)


@pytest.mark.peer("curl")
@pytest.mark.parametrize("name", PROXIES)
async def test_an_old_version_that_was_asked_for_is_spoken(
    place: Place, name: str, record_interop: Any
) -> None:
    modernize(place)
    words = [
        *cert(place.identity(place.phone)), "--tls-max", "1.0",
        "--ciphers", "DHE-RSA-AES128-SHA:AES128-SHA:@SECLEVEL=0",
    ]  # fmt: skip
    backend = Endpoint("127.0.0.1", 9)
    for oldest, code in ((Version.TLS1_0, 0), (None, 35)):
        async with exported_peer(place, name, backend=backend, oldest=oldest) as peer:
            got = await place.curl(*words, peer.url, old=True)
        assert got.code == code, got.said + peer.log()
    record_interop(name, "TLS 1.0 where --min-version asks for it")


@pytest.mark.parametrize("name", PEERS)
async def test_systemd_reads_the_exported_unit_without_a_complaint(
    place: Place, name: str
) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    with open_folder() as folder:
        backend = Endpoint("127.0.0.1", 9) if find_peer(name).forwards else None
        write_export(place, name, folder, port=8443, backend=backend)
        unit = folder / f"linekey-{name}.service"
        said = await place.run("systemd-analyze", "verify", "--man=no", str(unit))
        assert said.code == 0, said.said
        assert unit.name not in said.said
        for line in ("User=linekey", "ExecStart=relative"):  # it does look
            unit.write_text(unit.read_text().replace("[Install]", f"{line}\n[Install]"))
        said = await place.run("systemd-analyze", "verify", "--man=no", str(unit))
        assert unit.name in said.said


ALONE = """
ip link set lo up
echo 1 > /proc/sys/net/ipv6/bindv6only  # so that nobody leans on the default
"$@" & peer=$!
# Until it listens; what it says to plain HTTP does not matter.
curl -s --max-time 20 --retry 20 --retry-delay 1 --retry-connrefused http://127.0.0.1:8443/
for address in 127.0.0.1 ::1; do
    curl -sS -w "\\nanswered: %{remote_ip} %{http_code}\\n" --max-time 10 --noproxy '*' \\
        --cacert "$CA" --cert "$CERT" --key "$KEY" \\
        --connect-to "localhost:8443:[$address]:8443" https://localhost:8443/
done
kill $peer
wait $peer
true
"""
"""In a network of its own, with nothing but loopback: "every address" is nobody else's."""


@pytest.mark.peer("curl")
@pytest.mark.peer("network namespaces")
@pytest.mark.parametrize("name", PROXIES)
async def test_without_an_address_it_listens_for_ipv4_and_ipv6(
    place: Place, name: str, record_interop: Any
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a network of its own")
    identity = place.identity(place.phone)
    with open_folder() as folder:
        backend = Endpoint("127.0.0.1", 9)
        write_export(place, name, folder, port=8443, host="", backend=backend)
        program, *words = unit_command(folder / f"linekey-{name}.service")
        got = await place.run(
            "env", f"CA={place.lab.server_root_path}", f"CERT={identity[0]}", f"KEY={identity[1]}",
            "unshare", "-n", "sh", "-c", ALONE, "sh", program, *words,
        )  # fmt: skip
    for address in ("127.0.0.1", "::1"):
        assert re.search(rf"^answered: {address} 50[23]$", got.out, re.M), got.said
    record_interop(name, "listens for IPv4 and IPv6")


@pytest.mark.peer("curl")
@pytest.mark.parametrize("name", PROXIES)
async def test_tls13_is_on_where_a_phone_may_speak_it(
    place: Place, name: str, record_interop: Any
) -> None:
    modernize(place)
    add(place, "000413AABB02", None, None)
    words = cert(place.identity(place.phone))
    async with behind(place, name) as (peer, _):
        got = await place.curl(
            *words, "--tlsv1.3", f"{peer.url}/snomD785-{place.phone}.htm"
        )
    assert PASSWORD in got.out, got.said + peer.log()
    (entry,) = place.log()
    assert entry.tls_version == "TLSv1.3"
    assert entry.suite == "TLS_AES_128_GCM_SHA256"
    record_interop(name, "TLS 1.3 where a phone of the fleet may speak it")

"""A console with something in it, in a thread of its own, for a whole module's tests."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from linekey.certs.build import issue, new_key
from linekey.certs.dn import Name
from linekey.mac import Mac
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.device import Device
from linekey.provisioning.document import FunctionKey, Layer, Setting
from linekey.provisioning.entries import CertificateEntry
from linekey.provisioning.group import Group
from linekey.provisioning.pending import AdoptionRule, parse_range, pending_code
from linekey.server.counters import Counters
from linekey.server.management import ManagementServer
from linekey.server.server import utc_now
from linekey.settings import Settings, parse_settings
from linekey.store.adoption import AdoptionRules
from linekey.store.database import Database, open_database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.layers import Layers, Scope
from linekey.store.paths import StateDir
from linekey.store.users import Users
from linekey.store.vendor_cas import VendorCas, describe_ca
from linekey.wire.door.listener import bind

MAC = Mac("000413AABBCC")
NEW = Mac("000413C0FFE3")
"""A phone that nobody has registered, meant for the group acme."""
PASSWORD = "correct horse battery staple"
EVIL = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
AGENT = "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 1.2.3-IFX-Apr)"
USERS = {"anna": "admin", "ben": "helpdesk", "clara": "viewer"}


@dataclass
class Console:
    url: str
    database: Database


def fill(database: Database, phones: int = 60, *, evil: str = EVIL) -> None:
    """Phones, layers, CAs and users such as an office has. ``evil`` is a label."""
    from linekey.lab.authority import LabAuthority

    now = utc_now()
    Groups(database).add(Group("acme", note="Acme GmbH, Berlin"), now)
    devices = Devices(database)
    for number in range(phones):
        mac = MAC if number == 0 else Mac(f"000413{0xA00000 + number * 7:06X}")
        layer = Layer(
            (
                Setting("user_name", str(200 + number), idx=1),
                Setting("user_pass", f"pass-{number}", idx=1),
            ),
            (FunctionKey(0, "line", label="Line 1"),),
        )
        devices.add(
            Device(
                mac, "snom", ("D785", "D735", "D862", "370")[number % 4],
                label=f"Room {100 + number}" if number else "Reception",
                group="acme" if number % 5 == 0 else None, layer=layer,
            ),
            now,
        )  # fmt: skip
    devices.add(
        Device(Mac("000413BADBAD"), "snom", "D785", label=evil, layer=Layer()), now
    )
    devices.change(Mac("000413A00007"), _revoked, now)
    layers = Layers(database)
    for scope, settings in (
        ("fleet", (Setting("language", "Deutsch"), Setting("timezone", "GER+1"))),
        ("model:D785", (Setting("backlight", "12"),)),
        ("group:acme", (Setting("admin_mode_password", "hidden-1234"),)),
    ):
        layers.change(Scope.parse(scope), _just(Layer(settings)), now=now)
    lab = LabAuthority.open(database.state.lab)
    cas = (*lab.vendor_roots(), *lab.vendor_intermediates())
    VendorCas(database).add([describe_ca(one, now) for one in cas])
    rule = AdoptionRule(
        "van-1", (parse_range("000413C0FFE3"), parse_range("000413C10000-000413C100FF")),
        label="Hall", group="acme", model="D785", vendor="snom",
    )  # fmt: skip
    AdoptionRules(database).put(rule.name, lambda _: rule, now)
    users = Users(database)
    for name, role in USERS.items():
        users.add(name, role, now, password=PASSWORD)
    users.add("acme-admin", "admin", now, groups=["acme"], password=PASSWORD)


def _just(layer: Layer) -> Callable[[Layer], Layer]:
    return lambda _: layer


def _revoked(device: Device) -> Device:
    from dataclasses import replace

    return replace(device, state="revoked", revoked_reason="stolen")


def entries(evil: str = EVIL) -> list[LogEntry]:
    now = utc_now()
    common: dict[str, Any] = {"peer": "192.0.2.7", "tls_version": "TLSv1.2"}
    found = []
    for number in range(40):
        mac = MAC if number % 4 == 0 else Mac(f"000413{0xA00000 + number * 7:06X}")
        at = now - timedelta(minutes=31 * number + 1)
        found.append(
            LogEntry(
                kind="decision", outcome="granted", reason="own_file", mac=mac,
                target_mac=mac, resource=f"/snomD785-{mac}.htm", status=200, at=at,
                suite="TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", user_agent=AGENT,
                generation="sha256", vendor="snom", **common,
            )
        )  # fmt: skip
        if number % 3 == 0:
            found.append(
                LogEntry(
                    kind="decision", outcome="refused", reason="other_phones_file",
                    mac=MAC, target_mac=mac, resource="/<b>snomD785-000413AABBCD.htm",
                    status=403, at=at, user_agent=evil, **common,
                )
            )  # fmt: skip
        if number % 5 == 0:
            found.append(
                LogEntry(
                    kind="handshake", outcome="refused", reason="no_certificate",
                    at=at, detail="the client sent no certificate", cure="turn it on",
                    fingerprint="t12i110700_9ce30416ceed_2ae30f8c7a5b",
                    peer="192.0.2.9",
                )
            )  # fmt: skip
    return sorted([*found, *newcomers(now, evil)], key=lambda entry: entry.at)


def newcomers(now: datetime, evil: str) -> list[LogEntry]:
    """Visits of phones that nobody registered."""
    found = []
    for number in range(4):
        mac = Mac(f"000413C0FFE{number}")
        newcomer = Newcomer(
            mac, pending_code(mac, "ab" * 32), "snom", "CN=Snom Phone SHA-256",
            certificate_model="D785" if number % 2 else None,
            file_model="D785", group="acme" if number == 3 else None, waits=number > 1,
        )  # fmt: skip
        found.append(
            LogEntry(
                kind="decision", outcome="refused", reason="unknown_phone", mac=mac,
                target_mac=mac, resource=f"/snomD785-{mac}.htm", status=404,
                at=now - timedelta(hours=3 * number, minutes=20), peer="192.0.2.14",
                tls_version="TLSv1.2", generation="sha256", vendor="snom",
                user_agent=evil if number == 2 else AGENT, newcomer=newcomer,
                certificate_sha256="ab" * 32, issuer_key_sha256="cd" * 32,
                certificate_ends_at=now + timedelta(days=1000),
            )
        )  # fmt: skip
    return found


def leaf(name: str = "prov.example.com") -> Any:
    now = datetime.now(UTC)
    return issue(
        Name.build([("CN", name)]), new_key(), None, serial=1,
        not_before=now - timedelta(days=70), not_after=now + timedelta(days=20),
        dns_names=[name],
    )  # fmt: skip


@contextmanager
def running(
    folder: Path, settings: Settings | None = None, *, evil: bool = True
) -> Iterator[Console]:
    """Serve it. Without ``evil`` nobody wrote HTML into labels and User-Agents."""
    ready, stop = threading.Event(), threading.Event()
    found: list[Console] = []
    broken: list[BaseException] = []

    async def run() -> None:
        database = open_database(StateDir.open(folder))
        fill(database, evil=EVIL if evil else "Lobby")
        async with DecisionLog(database) as log:
            for entry in entries(EVIL if evil else AGENT):
                await log.record(entry)
        served = leaf()
        if not evil:  # for pictures: phones accept the server until it ends
            trusted = Layer(certificates=(CertificateEntry(served.der),))
            scope = Scope.parse("model:D735")
            Layers(database).change(scope, _just(trusted), now=utc_now())
        given = settings or parse_settings()
        with bind("127.0.0.1", 0) as listener:
            server = ManagementServer(
                given, database, listener, url="https://prov.example.com",
                chain=lambda: (served,), counters=Counters(), clock=utc_now,
            )  # fmt: skip
            async with server:
                assert server.console_url is not None
                found.append(Console(server.console_url, database))
                ready.set()
                await asyncio.to_thread(stop.wait)
        database.close()

    def guarded() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            broken.append(error)
            ready.set()
            raise

    thread = threading.Thread(target=guarded)
    thread.start()
    assert ready.wait(60)
    try:
        assert not broken, broken
        yield found[0]
    finally:
        stop.set()
        thread.join(30)

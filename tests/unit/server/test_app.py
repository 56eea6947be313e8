"""The provisioning application against a registry in memory: what leaves, and when."""

import dataclasses
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.memory_brake import MemoryBrake
from tests.memory_pending import MemoryPending

from linekey.catalog.models import Generation
from linekey.certs.certificate import Certificate
from linekey.digest import parse_digest, response
from linekey.errors import StorageError
from linekey.mac import Mac
from linekey.provisioning.authorize import Rules
from linekey.provisioning.decision import Reason
from linekey.provisioning.device import REALM, Device, DigestCredential, hash_token
from linekey.provisioning.document import Layer, Setting
from linekey.provisioning.files import SharedLayers
from linekey.provisioning.identity import Identity
from linekey.provisioning.pending import Adoption, AdoptionRule, MacRange
from linekey.server.app import ProvisioningApp
from linekey.server.gate import Gate, Known
from linekey.settings import PendingSettings
from linekey.store.decisions import LogEntry
from linekey.store.registry import Authorities, Revision
from linekey.tls.versions import Version
from linekey.wire.asgi_edge import Edge
from linekey.wire.asgi_tls import ConnectionTls

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MAC, OTHER = Mac("000413AABBCC"), Mac("000413AABBCD")
TOKEN = "a-one-time-token-of-28-signs"
LAYER = Layer().with_settings(Setting("user_pass", "geheim", 1))


def identity(mac: Mac | None = MAC) -> Identity:
    return Identity(
        vendor="snom",
        mac=mac,
        shared=mac is None,
        generation=None,
        leaf_sha256="ab" * 32,
        not_before=NOW.replace(year=2020),
        not_after=NOW.replace(year=2030),
    )


class Memory(MemoryPending):
    """Registry and log in memory."""

    def __init__(self, *devices: Device) -> None:
        super().__init__({device.mac: device for device in devices})
        self.lines: list[LogEntry] = []
        self.broken = False
        self.changes = 0
        self.spent: set[str] = set()

    async def revision(self) -> Revision:
        return Revision(self.changes, 0, 0)

    async def find(self, mac: Mac, at: Revision) -> Device | None:
        assert at == await self.revision(), "the counters of this request"
        return self.devices.get(mac)

    async def layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers:
        return SharedLayers(Layer(), Layer(), (0, 0))

    async def authorities(self, at: Revision) -> Authorities:
        return Authorities((), (), 0)

    async def record(self, entry: LogEntry) -> None:
        if self.broken:
            raise StorageError("disk full")
        self.lines.append(entry)

    async def record_using_token(
        self, entry: LogEntry, *, mac: Mac, token_sha256: str, otherwise: LogEntry
    ) -> bool:
        good = token_sha256 not in self.spent
        self.spent.add(token_sha256)
        self.lines.append(entry if good else otherwise)
        return good


class Answer:
    """What the application sent."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], message["headers"]
        else:
            self.body += message["body"]

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


async def ask(
    memory: Memory,
    path: str,
    who: Identity | None,
    *,
    method: str = "GET",
    headers: Sequence[tuple[bytes, bytes]] = (),
    rules: Rules = Rules(),  # noqa: B008 - frozen
    app: ProvisioningApp | None = None,
) -> Answer:
    gate = Gate(lambda: NOW)
    gate.trust((), (), 0)
    app = app or make_app(memory, rules)
    chain: tuple[Certificate, ...] = ()
    tls = ConnectionTls(
        chain, None, Version.TLS1_2, 0xC02F, "SUITE", "modern", None, False,
        Known(who, 0) if who else None,
    )  # fmt: skip
    raw, _, query = path.encode().partition(b"?")
    scope = {
        "type": "http", "method": method, "raw_path": raw, "query_string": query,
        "headers": list(headers), "client": ("192.0.2.7", 4711),
        "extensions": {"linekey": tls},
    }  # fmt: skip
    answer = Answer()

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await Edge(app, logging.getLogger("test"))(scope, receive, answer.send)
    return answer


def make_app(
    memory: Memory,
    rules: Rules,
    brake: MemoryBrake | None = None,
    pending: PendingSettings | None = None,
) -> ProvisioningApp:
    return ProvisioningApp(
        registry=memory,
        log=memory,
        gate=Gate(lambda: NOW),
        rules=rules,
        brake=brake or MemoryBrake(),
        adopter=memory,
        pending=pending or PendingSettings(),
        nonce_keys=lambda: (b"k" * 32,),
        public_url="https://prov.example.com",
        clock=lambda: NOW,
    )


def own_device(**changes: Any) -> Device:
    facts: dict[str, Any] = {"mac": MAC, "vendor": "snom", "layer": LAYER}
    return Device(**(facts | changes))


def shared_device(**changes: Any) -> Device:
    """A 320, which has no certificate of its own."""
    return own_device(**({"model": "320"} | changes))


async def test_nothing_leaves_that_could_not_be_recorded() -> None:
    memory = Memory(own_device())
    memory.broken = True
    answer = await ask(memory, f"/snomD785-{MAC}.htm", identity())
    assert answer.status == 503
    assert b"geheim" not in answer.body
    assert answer.all(b"retry-after") == [b"30"]


async def test_a_generation_that_is_neither_is_refused_not_crashed() -> None:
    memory = Memory(own_device())
    answer = await ask(memory, f"/snomD785-{MAC}.htm", identity())
    assert answer.status == 403
    assert memory.lines[0].reason == Reason.GENERATION_NOT_ALLOWED.value


@pytest.mark.parametrize(
    "device",
    [
        None,
        shared_device(),
        shared_device(state="revoked", revoked_reason="stolen"),
        shared_device(vendor="yealink"),
        shared_device(model="D785"),
        shared_device(token_sha256=hash_token(TOKEN)),
        shared_device(digest=DigestCredential.create("u", REALM, "p")),
    ],
)
@pytest.mark.parametrize("path", [f"/snom320-{MAC}.htm", f"/t/{TOKEN}x/{MAC}.htm"])
async def test_who_proves_no_mac_never_learns_whether_a_phone_is_registered(
    device: Device | None, path: str
) -> None:
    who = dataclasses.replace(identity(None), generation=Generation.SHA1)
    answer = await ask(Memory(*([device] if device else [])), path, who)
    assert answer.status == 401
    assert answer.body == (
        b"a second factor is needed for this file\nreason: second_factor\n"
    )
    assert len(answer.all(b"www-authenticate")) == 2


async def test_a_digest_answer_opens_the_file_and_is_bound_to_its_url() -> None:
    who = dataclasses.replace(identity(None), generation=Generation.SHA1)
    credential = DigestCredential.create("u", REALM, "p")
    memory = Memory(shared_device(digest=credential))
    path = f"/snom320-{MAC}.htm"
    first = await ask(memory, path, who)
    challenge = parse_digest(first.all(b"www-authenticate")[0].decode())
    assert challenge is not None
    proof = response(
        "SHA-256", ha1=credential.ha1_sha256, nonce=challenge["nonce"],
        nc="00000001", cnonce="c", method="GET", uri=path,
    )  # fmt: skip
    header = (
        f'Digest username="u", realm="{REALM}", nonce="{challenge["nonce"]}", '
        f'uri="{path}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="c", '
        f'response="{proof}"'
    ).encode()
    good = await ask(memory, path, who, headers=[(b"authorization", header)])
    assert good.status == 200
    assert b"geheim" in good.body
    bad = await ask(memory, f"/{MAC}.htm", who, headers=[(b"authorization", header)])
    assert bad.status == 401


async def test_a_token_that_was_just_used_elsewhere_hands_nothing_out() -> None:
    who = dataclasses.replace(identity(None), generation=Generation.SHA1)
    memory = Memory(shared_device(token_sha256=hash_token(TOKEN)))
    path = f"/t/{TOKEN}/snom320-{MAC}.htm"
    app = make_app(memory, Rules())
    assert b"geheim" in (await ask(memory, path, who, app=app)).body
    # The device was read before that: only the log's transaction knows.
    late = await ask(memory, path, who, app=app)
    assert late.status == 401
    assert b"geheim" not in late.body
    assert TOKEN not in repr(memory.lines)


class Keeping(Memory):
    """A registry that keeps what it has read, and a log that looks when it writes.

    ``between`` happens after a decision was made, before it is on record.
    """

    def __init__(self, *devices: Device) -> None:
        super().__init__(*devices)
        self.copy = dict(self.devices)
        self.counters = Revision(0, 0, 0)
        self.looks = 0
        self.between: Callable[[], None] = lambda: None

    async def revision(self) -> Revision:
        self.looks += 1
        return await super().revision()

    def kept(self, mac: Mac, at: Revision) -> Device | None:
        return self.copy.get(mac) if at == Revision(0, 0, 0) else None

    def kept_layers(
        self, model: str | None, at: Revision, group: str | None = None
    ) -> SharedLayers | None:
        return SharedLayers(Layer(), Layer(), (0, 0))

    def kept_authorities(self, at: Revision) -> Authorities | None:
        return Authorities((), (), 0)

    async def record_if(self, entry: LogEntry, seen: Revision) -> bool:
        self.between()
        if seen != await super().revision():
            return False
        await self.record(entry)
        return True


async def test_a_fleet_that_nobody_changes_is_decided_without_a_look() -> None:
    who = dataclasses.replace(identity(), generation=Generation.SHA256)
    memory = Keeping(own_device())
    app = make_app(memory, Rules())
    await ask(memory, f"/snomD785-{MAC}.htm", who, app=app)  # the gate learns its CAs
    memory.looks = 0
    for path, status in ((f"/snomD785-{MAC}.htm", 200), (f"/{OTHER}.htm", 403)):
        assert (await ask(memory, path, who, app=app)).status == status
    assert memory.looks == 0
    assert len(memory.lines) == 3


async def test_a_revocation_before_the_record_is_obeyed_though_all_was_decided() -> (
    None
):
    who = dataclasses.replace(identity(), generation=Generation.SHA256)
    memory = Keeping(own_device())
    app = make_app(memory, Rules())
    path = f"/snomD785-{MAC}.htm"
    assert (await ask(memory, path, who, app=app)).status == 200

    def revoke() -> None:
        memory.devices[MAC] = own_device(state="revoked", version=2)
        memory.changes += 1

    memory.between = revoke
    refused = await ask(memory, path, who, app=app)
    assert refused.status == 403
    assert b"geheim" not in refused.body
    assert [line.outcome for line in memory.lines] == ["granted", "refused"]


async def test_what_is_more_than_an_answer_is_never_decided_from_memory() -> None:
    shared = dataclasses.replace(identity(None), generation=Generation.SHA1)
    late = dataclasses.replace(
        identity(), generation=Generation.SHA256, not_after=NOW.replace(year=2021)
    )
    stranger = dataclasses.replace(identity(OTHER), generation=Generation.SHA256)
    memory = Keeping(shared_device(token_sha256=hash_token(TOKEN)))
    app = make_app(memory, Rules())
    await ask(memory, "/", identity(), app=app)
    memory.between = lambda: pytest.fail("decided from memory")
    for who, path in (
        (shared, f"/t/{TOKEN}/snom320-{MAC}.htm"),
        (shared, f"/snom320-{MAC}.htm"),
        (stranger, f"/snomD785-{OTHER}.htm"),
        (None, f"/snomD785-{MAC}.htm"),
    ):
        before = memory.looks
        await ask(memory, path, who, app=app)
        assert memory.looks > before, path
    memory.between = lambda: None
    assert (await ask(memory, f"/snom320-{MAC}.htm", late, app=app)).status == 403


async def test_a_change_in_the_registry_holds_at_the_next_request() -> None:
    who = dataclasses.replace(identity(), generation=Generation.SHA256)
    memory = Memory(own_device())
    app = make_app(memory, Rules())
    path = f"/snomD785-{MAC}.htm"
    assert (await ask(memory, path, who, app=app)).status == 200
    memory.devices[MAC] = own_device(state="revoked", version=2)
    memory.changes += 1
    refused = await ask(memory, path, who, app=app)
    assert refused.status == 403
    assert b"geheim" not in refused.body


async def test_a_rendered_file_is_of_its_device_and_version() -> None:
    who = dataclasses.replace(identity(), generation=Generation.SHA256)
    other = dataclasses.replace(who, mac=OTHER)
    layer = Layer().with_settings(Setting("user_pass", "anders", 1))
    memory = Memory(own_device(), own_device(mac=OTHER, layer=layer))
    app = make_app(memory, Rules())
    mine = await ask(memory, f"/snomD785-{MAC}.htm", who, app=app)
    theirs = await ask(memory, f"/snomD785-{OTHER}.htm", other, app=app)
    assert b"geheim" in mine.body
    assert b"anders" in theirs.body
    memory.devices[MAC] = own_device(layer=layer, version=2)
    memory.changes += 1
    assert b"anders" in (await ask(memory, f"/snomD785-{MAC}.htm", who, app=app)).body


async def test_a_certificate_nobody_provisions_is_not_there() -> None:
    who = dataclasses.replace(identity(), generation=Generation.SHA256)
    memory = Memory(own_device())
    answer = await ask(memory, f"/certificates/{'ab' * 32}.der", who)
    assert answer.status == 404
    assert memory.lines[0].reason == "nothing_there"
    assert memory.lines[0].outcome == "refused"


NEW = dataclasses.replace(identity(), generation=Generation.SHA256)
RULE = AdoptionRule("van", (MacRange(MAC, MAC),), label="new", model="D785")


async def ask_as_newcomer(memory: Memory, policy: str, path: str = "") -> Answer:
    app = make_app(memory, Rules(), pending=PendingSettings(policy=policy))
    return await ask(memory, path or f"/snomD785-{MAC}.htm", NEW, app=app)


async def test_a_phone_that_waits_is_told_its_code_and_nothing_else() -> None:
    memory = Memory(own_device(mac=OTHER))
    answer = await ask_as_newcomer(memory, "waiting")
    (line,) = memory.lines
    assert line.newcomer is not None
    assert answer.status == 200
    assert f"code {line.newcomer.code}".encode() in answer.body
    assert (line.reason, line.outcome) == ("waiting", "blanked")
    memory.refused.add(MAC)
    assert (await ask_as_newcomer(memory, "waiting")).status == 403


async def test_by_default_it_is_refused_and_noted() -> None:
    memory = Memory()
    assert (await ask_as_newcomer(memory, "refuse")).status == 403
    common = await ask_as_newcomer(memory, "waiting", "/snomD785.htm")
    assert common.status == 403, "what all phones have is for registered ones"
    assert [line.newcomer and line.newcomer.waits for line in memory.lines] == [
        False, False,
    ]  # fmt: skip


async def test_a_rule_registers_at_the_first_request_and_never_again() -> None:
    memory = Memory()
    memory.rules = Adoption((RULE,))
    first = await ask_as_newcomer(memory, "adopt")
    assert first.status == 200
    assert await ask_as_newcomer(memory, "adopt") is not first
    assert memory.adopted == [(MAC, "van")]
    assert [line.reason for line in memory.lines] == ["adopted", "own_file"]
    assert memory.devices[MAC].label == "new"


@pytest.mark.parametrize("policy", ["refuse", "waiting"])
async def test_no_rule_registers_where_the_policy_does_not_say_so(policy: str) -> None:
    memory = Memory()
    memory.rules = Adoption((RULE,))
    await ask_as_newcomer(memory, policy)
    memory.refused.add(MAC)
    await ask_as_newcomer(memory, "adopt")
    assert (memory.adopted, memory.devices) == ([], {})


async def test_a_record_is_never_taken_over() -> None:
    memory = Memory(own_device(state="revoked"))
    memory.rules = Adoption((RULE,))
    assert (await ask_as_newcomer(memory, "adopt")).status == 403
    assert memory.lines[0].reason == "revoked"
    assert memory.lines[0].newcomer is None
    assert memory.adopted == []

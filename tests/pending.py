"""Pending phones, as both databases have to keep them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from linekey.mac import Mac
from linekey.provisioning.decision import Newcomer
from linekey.provisioning.device import Device
from linekey.provisioning.group import Group
from linekey.provisioning.pending import AdoptionRule, parse_range, pending_code
from linekey.settings import PendingSettings
from linekey.store.adoption import AdoptionRules, adopt
from linekey.store.changes import ChangeSearch, read_changes
from linekey.store.database import Database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.devices import Devices
from linekey.store.groups import Groups
from linekey.store.pending import Approval, Pending, PendingSearch
from linekey.store.schema import pending

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
A, B, C, D = (Mac(f"000413AABB0{n}") for n in "0123")
LEAF = "ab" * 32
AGENT = "Mozilla/4.0 (compatible; snomD785-SIP 10.1.33.33 000413AABB00 SXM:0 UXM:0)"
EVIL = "=cmd|'/c calc'!A1 <script>alert(1)</script>\0\x1b[31m" + "x" * 500


def came(mac: Mac, at: datetime = NOW, **changes: object) -> LogEntry:
    """A line of a phone that nobody registered."""
    about = {
        name: changes.pop(name)
        for name in ("waits", "group", "certificate_model", "file_model", "vendor")
        if name in changes
    }
    newcomer = Newcomer(
        mac, pending_code(mac, LEAF), **{"vendor": "snom", "issuer": "CN=Snom"} | about
    )  # type: ignore[arg-type]
    plain = LogEntry(
        at=at, kind="decision", outcome="refused", reason="unknown_phone", mac=mac,
        target_mac=mac, peer="192.0.2.7", generation="sha256", certificate_sha256=LEAF,
        issuer_key_sha256="cd" * 32, certificate_ends_at=NOW + timedelta(days=100),
        user_agent=AGENT, newcomer=newcomer,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


async def note(database: Database, *entries: LogEntry, keep: int = 1000) -> None:
    """Put lines on record, each in its own turn."""
    async with DecisionLog(database, pending=PendingSettings(keep=keep)) as log:
        for entry in entries:
            await log.record(entry)


def macs(database: Database) -> list[Mac]:
    return [phone.mac for phone in Pending(database).all()]


def only(*those: Mac) -> PendingSearch:
    return PendingSearch(macs=frozenset(those))


async def a_phone_is_listed_counted_and_registered(database: Database) -> None:
    """From its first request to its record, with the record of changes."""
    later = NOW + timedelta(seconds=10)
    await note(
        database,
        came(A),
        came(A, later, file_model="D715"),
        came(
            A, later, waits=True, user_agent=EVIL, reason="waiting", outcome="blanked"
        ),
        came(A, NOW + timedelta(hours=1), waits=False),
        came(B, NOW - timedelta(hours=1), vendor="yealink", user_agent="Yealink"),
    )
    found = Pending(database).get(A)
    assert (found.code, found.count, found.waited) == (pending_code(A, LEAF), 4, True)
    assert (found.first_at, found.last_at) == (NOW, NOW + timedelta(hours=1))
    assert (found.model, found.model_by) == ("D785", "user_agent")
    assert macs(database) == [A, B]
    (told,) = Pending(database).approve(only(A), Approval(label="Hall"), NOW)
    assert told.device is not None
    assert macs(database) == [B]
    device = Devices(database).get(A)
    assert (device.model, device.label, device.waited) == ("D785", "Hall", True)
    with database.read() as connection:
        (line,) = read_changes(connection, ChangeSearch(subject=f"device {A}"))
    assert line.action == "add"
    assert "code" in str([d.before for d in line.details if d.what == "pending"])
    # A registered phone is not listed, whatever a line says that was under way.
    await note(database, came(A, NOW + timedelta(hours=2)))
    assert macs(database) == [B]
    Devices(database).add(Device(B, "yealink"), NOW)
    assert macs(database) == []
    assert not Devices(database).get(B).waited


async def the_list_is_bounded(database: Database) -> None:
    """The ones that did not come for longest go; those that were refused stay."""
    many = [Mac(f"0004130{n:05d}") for n in range(200)]
    await note(database, came(many[0]))
    Pending(database).refuse(only(many[0]), "not ours", NOW)
    lines = [came(mac, NOW + timedelta(seconds=n)) for n, mac in enumerate(many)]
    await note(database, *lines, keep=10)
    left = macs(database)
    assert many[0] in left
    assert len(left) <= 10 + 64 + 1
    assert many[-1] in left


async def a_rule_registers_only_whom_it_may(database: Database) -> None:
    """Never over a record, a refusal, a rule that changed, a group that is gone."""
    Groups(database).add(Group("acme"), NOW)
    rules = AdoptionRules(database)
    rule = AdoptionRule(
        "van", (parse_range(f"{A}-{C}"),), "new", "acme", "D785", "snom"
    )
    rules.put("van", lambda _: rule, NOW)
    Devices(database).add(Device(B, "snom", state="revoked"), NOW)
    await note(database, came(A, waits=True), came(C), came(D))
    Pending(database).refuse(only(C), "", NOW)

    def by_rule(mac: Mac, vendor: str = "snom") -> bool:
        new = Newcomer(mac, "0000", vendor, "CN=Snom")
        return adopt(database, new, "van", "192.0.2.7", NOW)

    assert [by_rule(mac) for mac in (B, C, D)] == [False] * 3
    assert not by_rule(A, "yealink")
    assert Devices(database).get(B).state == "revoked"
    assert by_rule(A)
    assert not by_rule(A), "it has a record now"
    device = Devices(database).get(A)
    assert (device.group, device.model, device.waited) == ("acme", "D785", True)
    with database.read() as connection:
        (line,) = read_changes(connection, ChangeSearch(subject=f"device {A}"))
    assert (line.who, line.place) == ("rule van", "phone at 192.0.2.7")
    Pending(database).forget(only(C), NOW)
    Groups(database).remove("acme", NOW, ungroup=True)
    assert rules.all() == [], "else it would register phones into no group"
    assert not by_rule(C)


async def what_a_rule_says_is_on_the_list(database: Database) -> None:
    """For which group a phone is meant follows the rules."""
    for name in ("acme", "beta"):
        Groups(database).add(Group(name), NOW)
    await note(database, came(A), came(B, vendor="yealink"), came(C))
    rules = AdoptionRules(database)
    wide = AdoptionRule("van", (parse_range(f"{A}-{B}"),), group="acme", vendor="snom",
                        adopts=False)  # fmt: skip
    rules.put("van", lambda _: wide, NOW)

    def groups() -> list[str | None]:
        return [Pending(database).get(mac).group for mac in (A, B, C)]

    assert groups() == ["acme", None, None]
    rules.put("van", lambda _: replace(wide, group="beta"), NOW)
    assert groups() == ["beta", None, None]
    mine = Pending(database.acting(database.actor, frozenset({"beta"})))
    assert [phone.mac for phone in mine.all()] == [A]
    assert mine.count() == 1
    (told,) = mine.approve(only(A), Approval(), NOW)
    assert told.device is not None
    assert told.device.group == "beta"
    rules.remove("van", NOW)
    assert Pending(database).count(PendingSearch(group="")) == 2
    with database.read() as connection:
        assert (
            connection.execute(sa.select(sa.func.count()).select_from(pending)).scalar()
            == 2
        )


SCENARIOS = (
    a_phone_is_listed_counted_and_registered,
    the_list_is_bounded,
    a_rule_registers_only_whom_it_may,
    what_a_rule_says_is_on_the_list,
)

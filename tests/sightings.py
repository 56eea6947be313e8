"""Visits of phones, and which phones are found by what they said: for both databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.selections import FLEET, HALL, OLD, POLY, ROOM, where

from linekey.mac import Mac
from linekey.store.database import Database
from linekey.store.decision_log import DecisionLog
from linekey.store.decisions import LogEntry
from linekey.store.devices import Devices

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ENDS = NOW + timedelta(days=100)
STRANGER = Mac("000413FFFFFF")
AGENT = "=cmd|'/c calc'!A1 <script>alert(1)</script>\0" + "x" * 500


def line(mac: Mac | None, at: datetime = NOW, **changes: object) -> LogEntry:
    plain = LogEntry(
        at=at, kind="decision", outcome="granted", reason="own_file", mac=mac,
        target_mac=mac, peer="192.0.2.7", generation="sha256",
        certificate_sha256="ab" * 32, issuer_key_sha256="cd" * 32,
        certificate_ends_at=ENDS, user_agent="snomD785",
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def refused(mac: Mac, at: datetime = NOW, **changes: object) -> LogEntry:
    return line(mac, at, outcome="refused", **{"reason": "revoked"} | changes)


LATER = NOW + timedelta(hours=1)
VISITS = (
    line(HALL),
    line(HALL, LATER, target_mac=None, reason="common_file", peer="192.0.2.8"),
    line(ROOM, generation="sha1", certificate_ends_at=NOW + timedelta(days=1)),
    refused(OLD, user_agent=AGENT),
    refused(STRANGER, reason="unknown_phone"),
    # Neither who only claims to be a phone, nor a certificate that many share.
    line(None, kind="handshake", target_mac=POLY, outcome="refused", reason="expired"),
    line(None, target_mac=POLY, outcome="blanked", reason="secrets_left_out"),
)
CASES = [
    (where("seen=never"), {POLY}),
    (where("seen=ever"), {HALL, ROOM, OLD}),
    (where("not_seen_since=2026-01-31T12:30"), {ROOM, OLD, POLY}),
    (where("refused_since=2026-01-31"), {OLD}),
    (where("refused_since=2026-02-01"), set()),
    (where("certificate_ends_before=2026-02-10"), {ROOM}),
    (where("certificate_generation=SHA1"), {ROOM}),
    (where("last_reason=own_file"), {HALL, ROOM}),
    (where("issuer=" + ":".join(["CD"] * 32)), {HALL, ROOM, OLD}),
    (where("seen=ever", "model=D785"), {HALL, ROOM}),
]


async def visit(database: Database, *entries: LogEntry) -> None:
    async with DecisionLog(database) as log:
        for entry in entries:
            await log.record(entry)


async def fleet_that_came(database: Database) -> Devices:
    devices = Devices(database)
    devices.add_all(FLEET, NOW)
    await visit(database, *VISITS)
    return devices

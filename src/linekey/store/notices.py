"""What there is to tell of the registry's phones and certificates, read from it.

Each function returns all that holds now; ``store.alerts`` remembers what was told.

Rules: a phone that proved to be itself is refused while the last word on its own file
is. A refused handshake proves nobody: it counts for the registered phone that its
certificate names until that phone comes through, or for a day. What was not refused
again within a day is over: the phone is switched off, or gone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from linekey.alerts.kinds import Kind, Noticed
from linekey.certs.certificate import Certificate
from linekey.certs.expiry import is_due
from linekey.provisioning.decision import Reason
from linekey.store.database import Database
from linekey.store.schema import (
    alerts,
    decision_log,
    devices,
    from_us,
    revision,
    sightings,
    to_us,
)
from linekey.store.vendor_cas import VendorCas
from linekey.wire.door.refusal import REFUSALS

DAY: Final = timedelta(days=1)
OVERLAP: Final = timedelta(minutes=2)
"""Lines of the log that are read once more: those of a server whose clock is behind,
or that were committed late."""
_CLAIMED = "claimed:"
_REASONS = frozenset(reason.value for reason in Reason)


def refused(database: Database, now: datetime) -> list[Noticed]:
    """Return the active phones that were refused their own file last."""
    wanted = (
        sa.select(sightings.c.mac, sightings.c.reason, sightings.c.refused_at)
        .join(devices, devices.c.mac == sightings.c.mac)
        .where(
            sightings.c.refused_at >= to_us(now - DAY),
            sightings.c.outcome == "refused",
            devices.c.state == "active",
        )
    )
    with database.read() as connection:
        rows = connection.execute(wanted).all()
    return [
        _refused(row.mac, row.mac, row.reason or "", from_us(row.refused_at))
        for row in rows
    ]


def refused_handshakes(
    database: Database, now: datetime, since: datetime
) -> list[Noticed]:
    """Return the registered phones that certificates of refused handshakes named.

    ``since``: from when on the log is read; what was noticed before is remembered.
    """
    log = decision_log
    lines = (
        sa.select(log.c.target_mac, log.c.reason, log.c.at)
        .where(
            log.c.at >= to_us(since),
            log.c.outcome == "refused",
            log.c.kind == "handshake",
            log.c.target_mac.is_not(None),
        )
        .order_by(log.c.at)
    )
    known = sa.select(alerts).where(
        alerts.c.kind == Kind.REFUSED.value, alerts.c.key.startswith(_CLAIMED)
    )
    found: dict[str, Noticed] = {}
    with database.read() as connection:
        for row in connection.execute(known):
            if from_us(row.since_at) >= now - DAY:
                found[row.mac] = Noticed(
                    kind=Kind.REFUSED, key=row.key, cause=row.cause,
                    sentence=row.sentence, cure=row.cure, mac=row.mac,
                    since=from_us(row.since_at),
                )  # fmt: skip
        for row in connection.execute(lines):
            found.setdefault(
                row.target_mac,
                _refused(
                    _CLAIMED + row.target_mac, row.target_mac, row.reason,
                    from_us(row.at),
                ),
            )  # fmt: skip
        macs = list(found)
        through: dict[str, int] = {}
        active: set[str] = set()
        for start in range(0, len(macs), 500):
            part = macs[start : start + 500]
            seen = sa.select(sightings.c.mac, sightings.c.last_at)
            for row in connection.execute(seen.where(sightings.c.mac.in_(part))):
                through[row.mac] = row.last_at
            there = sa.select(devices.c.mac).where(
                devices.c.mac.in_(part), devices.c.state == "active"
            )
            active.update(connection.execute(there).scalars())
    return [
        one
        for mac, one in found.items()
        if mac in active and through.get(mac, -1) < to_us(one.since)
    ]


def _refused(key: str, mac: str, reason: str, at: datetime) -> Noticed:
    # By the code alone: what a line says of its case may repeat what a peer sent.
    sentence, cure = reason.replace("_", " "), ""
    if reason in _REASONS:
        sentence, cure = Reason(reason).sentence, Reason(reason).cure
    elif reason in REFUSALS:
        sentence, cure = REFUSALS[reason].sentence, REFUSALS[reason].cure
    return Noticed(
        kind=Kind.REFUSED, key=key, cause=reason, sentence=sentence, cure=cure,
        since=at, mac=mac,
    )  # fmt: skip


def first_seen(database: Database, since: datetime) -> list[Noticed]:
    """Return the registered phones that came for the first time since then."""
    wanted = sa.select(sightings.c.mac, sightings.c.first_at).where(
        sightings.c.first_at >= to_us(since)
    )
    with database.read() as connection:
        rows = connection.execute(wanted).all()
    return [
        Noticed(
            kind=Kind.FIRST_SEEN, key=row.mac, cause="first_seen",
            sentence="the phone came for the first time", cure="",
            since=from_us(row.first_at), mac=row.mac,
        )
        for row in rows
    ]  # fmt: skip


def revoked(database: Database, now: datetime) -> list[Noticed]:
    """Return the phones that are revoked."""
    wanted = sa.select(devices.c.mac, devices.c.changed_at).where(
        devices.c.state == "revoked"
    )
    with database.read() as connection:
        rows = connection.execute(wanted).all()
    return [
        Noticed(
            kind=Kind.REVOKED, key=row.mac, cause="revoked",
            sentence="the phone is revoked",
            cure="if that was not meant: linekey device restore MAC; linekey audit "
            "says who did it",
            since=min(from_us(row.changed_at), now), mac=row.mac,
        )
        for row in rows
    ]  # fmt: skip


def registry_version(database: Database) -> int:
    """Return what counts the registry's changes."""
    with database.read() as connection:
        return int(connection.execute(sa.select(revision.c.registry)).scalar_one())


def ending_here(
    chain: Sequence[Certificate], place: str, days: int, now: datetime
) -> list[Noticed]:
    """Return what of a server's own chain ends soon; ``place`` begins the keys."""
    return [
        _ends(
            f"{place}{one.sha256[:32]}", "server", one,
            "certificate of the server ends soon",
            "renew it; linekey forecast --chain NEW.pem says which phones accept the "
            "new one, before you use it",
            now,
        )
        for one in chain
        if is_due(one, now, timedelta(days=days))
    ]  # fmt: skip


def ending_authorities(database: Database, days: int, now: datetime) -> list[Noticed]:
    """Return the vendor CAs that end soon."""
    return [
        _ends(
            f"ca:{ca.certificate.sha256[:32]}", "ca", ca.certificate,
            "vendor CA ends soon",
            "import the renewed CA with linekey trust add; linekey forecast says which "
            "phones it concerns",
            now,
        )
        for ca in VendorCas(database).all()
        if is_due(ca.certificate, now, timedelta(days=days))
    ]  # fmt: skip


def ending_phones(database: Database, days: int, now: datetime) -> list[Noticed]:
    """Return the active phones whose own certificates, as seen, end soon."""
    wanted = (
        sa.select(sightings.c.mac, sightings.c.certificate_ends_at)
        .join(devices, devices.c.mac == sightings.c.mac)
        .where(
            sightings.c.certificate_ends_at < to_us(now + timedelta(days=days)),
            devices.c.state == "active",
        )
    )
    with database.read() as connection:
        rows = connection.execute(wanted).all()
    return [
        Noticed(
            kind=Kind.ENDS, key=f"phone:{row.mac}", cause="phone",
            sentence="phone's certificate ends soon",
            cure="ask the phones' maker for renewed certificates; until then let them "
            "in by a one-time token or an HTTP password",
            since=now, mac=row.mac,
            text=f"ends {from_us(row.certificate_ends_at):%Y-%m-%d %H:%M} UTC",
        )
        for row in rows
    ]  # fmt: skip


def _ends(
    key: str, cause: str, one: Certificate, sentence: str, cure: str, now: datetime
) -> Noticed:
    return Noticed(
        kind=Kind.ENDS, key=key, cause=cause, sentence=sentence, cure=cure, since=now,
        text=f"{one.label} ends {one.not_after:%Y-%m-%d %H:%M} UTC",
    )  # fmt: skip

"""The status page's facts, read from the store.

Rule: every method reads in a thread and in one query or two, bounded by a limit or by
the last 24 hours, so that a long log never makes the page slow or the server wait. A
database that does not answer keeps two threads at most, and the page says so in time.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa

from linekey import __version__
from linekey.certs.certificate import Certificate
from linekey.certs.expiry import AUTHORITY_SOON, expires_soon
from linekey.console.asking import Asking
from linekey.console.facts import (
    AuthorityLine,
    DecisionLine,
    Overview,
    PhoneLine,
    ServerLine,
    Standing,
)
from linekey.mac import Mac
from linekey.provisioning.ca_rules import prospect, rules_of
from linekey.provisioning.expired import Expired
from linekey.said import say
from linekey.store import outbox
from linekey.store.database import Database
from linekey.store.decisions import LogEntry, read_log
from linekey.store.pending import Pending
from linekey.store.schema import decision_log, devices, from_us, to_us
from linekey.store.vendor_cas import VendorCas, expired_rules

DAY = timedelta(days=1)
_LATEST = 12
_THREADS = 2
_WITHIN_S = 4.0  # seconds for a page; a person waits longer than a phone

T = TypeVar("T")


class StoreSource:
    """Facts from ``database``; ``url`` and ``certificate`` are the running server's.

    ``certificate`` is asked each time, since a renewed one takes its place.
    """

    def __init__(
        self,
        database: Database,
        *,
        url: str,
        certificate: Callable[[], Certificate],
        started_at: datetime,
        is_short_of_room: Callable[[], bool] = lambda: False,
        expired: Expired = Expired.REFUSE,
    ) -> None:
        self._expired = expired
        self._is_short = is_short_of_room
        self._database = database
        self._url = url
        self._certificate = certificate
        self._started_at = started_at
        self._asking = Asking(database, _THREADS, "status")

    def close(self) -> None:
        """Let the threads go; what they still read is thrown away."""
        self._asking.close()

    async def _read(self, question: Callable[..., T], *given: object) -> T:
        return await self._asking.ask(lambda: question(*given), _WITHIN_S)

    async def overview(self, now: datetime) -> Overview:
        """Return the first page's facts; counts are those of the last 24 hours."""
        return await self._read(self._overview, now)

    async def standing(self, now: datetime) -> Standing:
        """Return what is so of the server and its authorities."""
        return await self._read(self._standing, now)

    async def decisions(
        self, *, mac: str | None, refused: bool, limit: int
    ) -> Sequence[DecisionLine]:
        """Return the newest lines of the log, newest first."""
        return await self._read(self._decisions, mac, refused, limit)

    async def phones(self, limit: int) -> Sequence[PhoneLine]:
        """Return phones, those last seen first, then those never seen."""
        return await self._read(self._phones, limit)

    async def authorities(self, now: datetime) -> Sequence[AuthorityLine]:
        """Return the vendor CAs, roots first."""
        return await self._read(self._authorities, now)

    async def pending(self) -> Mapping[str, int]:
        """Return how many phones are pending, by state."""
        return await self._read(Pending(self._database).states)

    async def alert_messages(self) -> Mapping[str, int]:
        """Return how many messages about alerts are not delivered, by state."""
        found = await self._read(outbox.counts, self._database)
        return {state: found[state] for state in (outbox.WAITING, outbox.UNDELIVERED)}

    def _overview(self, now: datetime) -> Overview:
        since = to_us(now - DAY)
        # Not a bound value: PostgreSQL would take two of them for two expressions.
        decided_on = decision_log.c.kind == sa.literal_column("'decision'")
        counts = (
            sa.select(
                decided_on, decision_log.c.outcome, sa.func.sum(decision_log.c.times)
            )
            .where(decision_log.c.at >= since)
            .group_by(decided_on, decision_log.c.outcome)
        )
        states = sa.select(devices.c.state, sa.func.count()).group_by(devices.c.state)
        seen = sa.select(sa.func.count(sa.distinct(decision_log.c.mac))).where(
            decision_log.c.at >= since
        )
        outcomes: dict[str, int] = {}
        handshakes = 0
        with self._database.read() as connection:
            for decided, outcome, count in connection.execute(counts):
                if decided:
                    outcomes[outcome] = outcomes.get(outcome, 0) + int(count)
                else:
                    handshakes += int(count)
            by_state = {row[0]: int(row[1]) for row in connection.execute(states)}
            phones_seen = connection.execute(seen).scalar() or 0
        standing = self._standing(now)
        return Overview(
            server=standing.server,
            phones_registered=sum(by_state.values()),
            phones_seen=phones_seen,
            phones_revoked=by_state.get("revoked", 0),
            outcomes=outcomes,
            handshakes_refused=handshakes,
            latest=self._decisions(None, False, _LATEST),
            authorities=standing.authorities,
            notes=standing.notes,
        )

    def _standing(self, now: datetime) -> Standing:
        server, authorities = self._server(now), self._authorities(now)
        notes = [*self._room(), *_notes(server, authorities)]
        return Standing(server, authorities, notes)

    def _room(self) -> list[str]:
        if not self._is_short():
            return []
        return [
            say(
                "the disk is full: decisions about phones are recorded in what was "
                "kept in reserve, refusals of strangers are not. Free some space, or "
                "prune the log: linekey log prune --older-than 90d."
            )
        ]

    def _server(self, now: datetime) -> ServerLine:
        leaf = self._certificate()
        names = [*leaf.dns_names, *map(str, leaf.ip_addresses)] or leaf.common_names
        return ServerLine(
            url=self._url,
            version=__version__,
            started_at=self._started_at,
            certificate_names=list(names),
            certificate_issuer=str(leaf.issuer),
            certificate_not_after=leaf.not_after,
            certificate_days_left=(leaf.not_after - now).days,
            certificate_expires_soon=expires_soon(leaf, now),
            certificate_sha256=leaf.sha256,
        )

    def _decisions(
        self, mac: str | None, refused: bool, limit: int
    ) -> list[DecisionLine]:
        entries = read_log(
            self._database, mac=Mac(mac) if mac else None, refused=refused, limit=limit
        )
        return [_line(entry) for entry in reversed(entries)]

    def _phones(self, limit: int) -> list[PhoneLine]:
        newest = (
            sa.select(sa.func.max(decision_log.c.id).label("id"))
            .where(decision_log.c.mac.is_not(None))
            .group_by(decision_log.c.mac)
            .order_by(sa.func.max(decision_log.c.id).desc())
            .limit(limit)
            .subquery()
        )
        last = (
            sa.select(decision_log)
            .join(newest, newest.c.id == decision_log.c.id)
            .subquery()
        )
        query = (
            sa.select(
                devices.c.mac,
                devices.c.vendor,
                devices.c.model,
                devices.c.firmware,
                devices.c.label,
                devices.c.state,
                last.c.at,
                last.c.outcome,
                last.c.reason,
            )
            .join(last, last.c.mac == devices.c.mac, isouter=True)
            .order_by(last.c.id.is_(None), last.c.id.desc(), devices.c.mac)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [
            PhoneLine(
                mac=row.mac,
                vendor=row.vendor,
                model=row.model or "",
                firmware=row.firmware or "",
                label=row.label,
                state=row.state,
                last_seen=None if row.at is None else from_us(row.at),
                last_outcome=row.outcome or "",
                last_reason=(row.reason or "").replace("_", " "),
            )
            for row in rows
        ]

    def _authorities(self, now: datetime) -> list[AuthorityLine]:
        trusted = VendorCas(self._database).all()
        certificates = [ca.certificate for ca in trusted]
        rules = rules_of((ca.certificate, ca.said) for ca in trusted)
        after = expired_rules(trusted, self._expired)
        phones = [prospect(c, certificates, rules) for c in certificates]
        return [
            AuthorityLine(
                name=ca.known_as
                or " ".join(ca.certificate.common_names)
                or ca.certificate.label,
                vendor=its.vendor or ca.vendor or "",
                phones=its.text,
                generation=ca.generation or "",
                role=ca.role,
                not_after=ca.certificate.not_after,
                days_left=(ca.certificate.not_after - now).days,
                sha256=ca.certificate.sha256,
                after_end=after.of([ca.certificate.public_key_sha256]).value,
            )
            for ca, its in zip(trusted, phones, strict=True)
        ]


def _line(entry: LogEntry) -> DecisionLine:
    return DecisionLine(
        at=entry.at,
        kind="request" if entry.kind == "decision" else entry.kind,
        outcome=entry.outcome,
        reason=entry.reason,
        sentence=entry.sentence,
        cure=entry.remedy,
        mac=str(entry.mac) if entry.mac else None,
        resource=entry.resource,
        peer=entry.peer,
        tls=" ".join(filter(None, (entry.tls_version, entry.suite))),
        fingerprint=entry.fingerprint or "",
        times=entry.times,
        last_at=entry.last_at,
        network=entry.network or "",
    )


def _notes(server: ServerLine, authorities: Sequence[AuthorityLine]) -> list[str]:
    notes: list[str] = []
    left = server.certificate_days_left
    if left < 0:
        notes.append(
            say(
                "the server's certificate has expired; renew it, then reload linekey "
                "(SIGHUP)."
            )
        )
    elif server.certificate_expires_soon:
        notes.append(
            say(
                "the server's certificate expires in %(count)s day; renew it, then "
                "reload linekey (SIGHUP)."
                if left == 1
                else "the server's certificate expires in %(count)s days; renew it, "
                "then reload linekey (SIGHUP).",
                count=left,
            )
        )
    if not authorities:
        notes.append(
            say("no vendor CA is trusted; add one with linekey trust add FILE.")
        )
    notes += [
        say(
            "%(authority)s expires on %(day)s; its phones are refused from then on.",
            authority=authority.name,
            day=f"{authority.not_after:%Y-%m-%d}",
        )
        if authority.after_end == Expired.REFUSE
        else say(
            "%(authority)s expires on %(day)s; what its phones get from then on is set "
            "to %(policy)s.",
            authority=authority.name,
            day=f"{authority.not_after:%Y-%m-%d}",
            policy=authority.after_end,
        )
        for authority in authorities
        if authority.days_left < AUTHORITY_SOON.days
    ]
    return notes

"""What is on record: a line for each decision, and what was refused.

``LogEntry`` is one line, or the sum of one minute's refusals of a stranger's network
(``strangers``); ``read_log`` finds them again, ``prune_log`` deletes old ones.
``decision_log`` writes them.

Rules: a line holds no secret. What a peer sent (URL, user agent, server name) is cut
to a length and kept printable for any database; what reads like a secret in it, such as
a one-time token in a URL, is masked here once more, whoever made the line.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Self

import sqlalchemy as sa

from linekey.catalog.secrecy import mask_url
from linekey.mac import Mac
from linekey.provisioning.decision import Newcomer, Reason
from linekey.store.database import Database
from linekey.store.schema import decision_log, from_us, to_us
from linekey.value import value

if TYPE_CHECKING:
    from linekey.provisioning.decision import Decision
    from linekey.wire.door.refusal import Refusal

Kind = Literal["decision", "handshake", "request"]
"""What was decided on: a request by its certificate, a TLS handshake, or a request
that broke a rule of HTTP or a limit."""

MAX_TEXT = 1024
"""Characters kept of anything a peer sent; a limit of ours."""
MAX_REFUSED_BYTES = 200
"""Bytes kept of it, in UTF-8, where nothing was handed out. So a line that a stranger
can bring about has at most some 1,200 bytes."""

WALKED = 2000
"""Lines of a long list that are in memory at a time."""

PIECE = 500
"""Lines that are deleted in one transaction."""


@value(kw_only=True)
class LogEntry:
    """One line of the log. ``row_id`` is the database's number, 0 before it is there.

    For a decision ``reason`` is the name of a ``provisioning.decision.Reason`` and
    ``detail`` what this case has beyond its sentence; otherwise ``reason`` is the
    door's code, ``detail`` the whole sentence and ``cure`` its cure.
    """

    at: datetime
    kind: Kind
    outcome: str
    reason: str
    peer: str
    peer_port: int = 0
    detail: str = ""
    cure: str | None = None
    mac: Mac | None = None
    target_mac: Mac | None = None
    resource: str = ""
    status: int | None = None
    tls_version: str | None = None
    suite: str | None = None
    fingerprint: str | None = None
    policy: str | None = None
    server_name: str | None = None
    certificate_sha256: str | None = None
    vendor: str | None = None
    generation: str | None = None
    user_agent: str | None = None
    times: int = 1
    """How many refusals this line counts; the rest of it is the first one's."""
    last_at: datetime | None = None
    """When the last of them was."""
    network: str | None = None
    """The strangers' network whose refusals are counted; None: a line of its own."""
    group: str | None = None
    """Of the phone whose record was looked at, as it was then."""
    issuer_key_sha256: str | None = None
    """Of the CA that issued the certificate. Not in the line, but in the phone's row
    (``sightings``), and so is the next."""
    certificate_ends_at: datetime | None = None
    """The first end of validity on the certificate's path."""
    newcomer: Newcomer | None = None
    """The pending phone, for its row (``newcomers``)."""
    row_id: int = 0

    @classmethod
    def of_decision(
        cls,
        decision: "Decision",
        *,
        at: datetime,
        peer: tuple[str, int],
        tls_version: str | None = None,
        suite: str | None = None,
        policy: str | None = None,
        server_name: str | None = None,
        user_agent: str | None = None,
        status: int | None = None,
    ) -> Self:
        """Make the line of a decision on a request that came from ``peer``.

        ``status`` is the answer's, where it is not the decision's own.
        """
        return cls(
            at=at,
            kind="decision",
            outcome=decision.outcome.value,
            reason=decision.reason.value,
            detail=decision.detail,
            mac=decision.mac,
            target_mac=decision.target_mac,
            resource=decision.resource,
            status=decision.status if status is None else status,
            vendor=decision.vendor,
            generation=decision.generation,
            certificate_sha256=decision.leaf_sha256,
            group=decision.group,
            issuer_key_sha256=decision.issuer_key_sha256,
            certificate_ends_at=decision.certificate_ends_at,
            newcomer=decision.newcomer,
            peer=peer[0],
            peer_port=peer[1],
            tls_version=tls_version,
            suite=suite,
            policy=policy,
            server_name=server_name,
            user_agent=user_agent,
        )

    @classmethod
    def of_refusal(cls, refusal: "Refusal") -> Self:
        """Make the line of a connection or request that the door refused.

        If the verify callback attached an identity that names a phone to its refusal,
        that phone's MAC goes on record as the one that was claimed, in ``target_mac``:
        a refused certificate proves nothing.
        """
        claimed = getattr(refusal.verdict, "mac", None)
        cure = refusal.cure  # a client that sends no certificate is judged by nobody
        if not cure and refusal.code in _REASONS:
            cure = Reason(refusal.code).cure
        return cls(
            at=refusal.at,
            kind=refusal.kind,
            outcome="refused",
            reason=refusal.code,
            detail=refusal.reason,
            cure=cure,
            target_mac=claimed if isinstance(claimed, Mac) else None,
            status=refusal.status,
            peer=refusal.peer[0],
            peer_port=refusal.peer[1],
            fingerprint=refusal.fingerprint,
            policy=refusal.policy,
            server_name=refusal.server_name,
            certificate_sha256=(
                None if refusal.certificate is None else refusal.certificate.sha256
            ),
        )

    @property
    def macs(self) -> tuple[Mac, ...]:
        """The MACs that this is about: the proved one, or else the one asked for."""
        mac = self.target_mac if self.mac is None else self.mac
        return () if mac is None else (mac,)

    @property
    def sentence(self) -> str:
        """The reason in words."""
        reason = _known_reason(self)
        if reason is None:
            return self.detail or self.reason
        return reason.sentence + (f" ({self.detail})" if self.detail else "")

    @property
    def remedy(self) -> str:
        """What the operator does about it; empty for a grant."""
        reason = _known_reason(self)
        return (self.cure or "") if reason is None else reason.cure

    def values(self) -> tuple[Any, ...]:
        """The columns' values in the order of ``COLUMNS``, fit for any database."""
        mac, target = self.mac, self.target_mac
        keep = _cut if self.outcome in ("refused", "absent") else storable
        return (
            to_us(self.at),
            self.kind,
            self.outcome,
            self.reason,
            keep(self.detail) if self.detail else "",
            self.cure,
            None if mac is None else mac.digits,
            None if target is None else target.digits,
            keep(self.resource),
            self.status,
            self.peer,
            self.peer_port,
            self.tls_version,
            self.suite,
            self.fingerprint,
            self.policy,
            None if self.server_name is None else _again(keep, self.server_name),
            self.certificate_sha256,
            self.vendor,
            self.generation,
            None if self.user_agent is None else _again(keep, self.user_agent),
            self.group,
        )

    def as_json(self) -> dict[str, Any]:
        """The line as JSON values, with the reason's sentence and cure."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("row_id", "issuer_key_sha256", "certificate_ends_at", "newcomer"):
            del plain[name]
        return {
            "id": self.row_id,
            **plain,
            "at": self.at.isoformat(),
            "last_at": None if self.last_at is None else self.last_at.isoformat(),
            "mac": None if self.mac is None else self.mac.digits,
            "target_mac": None if self.target_mac is None else self.target_mac.digits,
            "sentence": self.sentence,
            "cure": self.remedy,
        }


_OF_COUNTED = frozenset({"times", "last_at", "network", "minute"})
COLUMNS: tuple[str, ...] = tuple(
    c.name for c in decision_log.columns if c.name not in _OF_COUNTED | {"id"}
)
"""The columns that ``LogEntry.values`` gives, in their order."""

_REASONS = frozenset(Reason)


def _known_reason(entry: LogEntry) -> Reason | None:
    if entry.kind != "decision" or entry.reason not in _REASONS:
        return None
    return Reason(entry.reason)


def _again(keep: Callable[[str], str], text: str) -> str:
    """``keep(text)``, for texts of which a fleet has a few."""
    return _kept(keep, text) if len(text) <= _MAX_KEPT else keep(text)


_MAX_KEPT = 200


@lru_cache(maxsize=2048)
def _kept(keep: Callable[[str], str], text: str) -> str:
    return keep(text)


def storable(text: str) -> str:
    """Mask secrets, cut to MAX_TEXT, and escape what a database refuses.

    That is NUL and lone surrogates. What a peer sent is masked whoever made the line.
    """
    text = mask_url(text)
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    if text.isascii():
        return text.replace("\0", "\\x00") if "\0" in text else text
    text = text.replace("\0", "\\x00")
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(text: str) -> str:
    text = storable(text)
    data = text.encode()
    if len(data) <= MAX_REFUSED_BYTES:
        return text
    return data[: MAX_REFUSED_BYTES - 3].decode(errors="ignore") + "…"


def read_log(
    database: Database,
    *,
    mac: Mac | None = None,
    refused: bool = False,
    group: str | None = None,
    since: datetime | None = None,
    after: int | None = None,
    limit: int | None = None,
) -> list[LogEntry]:
    """Return the newest lines, oldest first.

    ``mac`` finds lines where it is the phone that was proved or the one asked for;
    ``refused`` leaves out what was granted or blanked; ``group`` is that in which the
    phone was then; ``since`` is inclusive, and has
    what was last counted then; ``after`` is the number of a line; ``limit`` counts from
    the newest. Raises StorageError.
    """
    wanted = sa.select(decision_log).where(*_where(mac, refused, group, since))
    if since is not None:
        # So the index on ``at`` is used; by ``id`` the whole log would be read.
        wanted = wanted.order_by(decision_log.c.at.desc())
    if after is not None:
        wanted = wanted.where(decision_log.c.id > after)
    wanted = wanted.order_by(decision_log.c.id.desc())
    if limit is not None:
        wanted = wanted.limit(limit)
    with database.read() as connection:
        rows = connection.execute(wanted).all()
    return [entry_of(row) for row in reversed(rows)]


def walk_log(
    database: Database,
    *,
    mac: Mac | None = None,
    refused: bool = False,
    group: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> Iterator[LogEntry]:
    """Yield the newest lines, oldest first, a part of them in memory at a time.

    As ``read_log``, by their numbers; what is written meanwhile is left out. No
    transaction stays open, so that a reader who waits keeps nothing from SQLite.
    """
    if limit is not None and limit <= WALKED:
        yield from read_log(
            database, mac=mac, refused=refused, group=group, since=since, limit=limit
        )
        return
    where = _where(mac, refused, group, since)
    number = decision_log.c.id
    with database.read() as connection:
        newest = connection.execute(sa.select(sa.func.max(number))).scalar() or 0
        first = sa.select(sa.func.min(number)).where(*where)
        if limit is not None:
            first = sa.select(number).where(*where).order_by(number.desc())
            first = first.offset(limit - 1).limit(1)
        last = (connection.execute(first).scalar() or 1) - 1
    while True:
        part = sa.select(decision_log).where(number > last, number <= newest, *where)
        with database.read() as connection:
            rows = connection.execute(part.order_by(number).limit(WALKED)).all()
        for row in rows:
            yield entry_of(row)
        if len(rows) < WALKED:
            return
        last = rows[-1].id


def count_log(
    database: Database,
    *,
    mac: Mac | None = None,
    refused: bool = False,
    group: str | None = None,
    since: datetime | None = None,
) -> int:
    """Return how many lines ``read_log`` would find without a limit."""
    query = sa.select(sa.func.count()).select_from(decision_log)
    with database.read() as connection:
        found = connection.execute(query.where(*_where(mac, refused, group, since)))
        return int(found.scalar_one())


def _where(
    mac: Mac | None, refused: bool, group: str | None, since: datetime | None
) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if mac is not None:
        found.append(about(mac))
    if refused:
        found.append(decision_log.c.outcome == "refused")
    if group is not None:
        found.append(decision_log.c.group == group)
    if since is not None:
        last = sa.func.coalesce(decision_log.c.last_at, decision_log.c.at)
        found.append(last >= to_us(since))
        # A counted line is of one minute.
        found.append(decision_log.c.at >= to_us(since) - 60_000_000)
    return found


def about(mac: Mac) -> sa.ColumnElement[bool]:
    """Condition for the lines in which a phone is the proved one, or the one asked for.

    Two questions, each with an index that answers it.
    """
    its, target = decision_log.c.mac, decision_log.c.target_mac
    own = sa.select(decision_log.c.id).where(its == mac.digits)
    others = sa.select(decision_log.c.id).where(
        target == mac.digits,
        target.is_not(None),
        sa.or_(its.is_(None), its != target),
    )
    return decision_log.c.id.in_(sa.union_all(own, others))


def prune_log(
    database: Database, before: datetime, stop: Callable[[], bool] = lambda: False
) -> int:
    """Delete lines older than ``before``; return how many.

    In pieces, so that no server waits long for the write lock; ``stop`` is asked after
    each. Raises StorageError.
    """
    oldest = (
        sa.select(decision_log.c.id)
        .where(decision_log.c.at < to_us(before))
        .order_by(decision_log.c.at)
        .limit(PIECE)
    )
    return delete_in_pieces(database, oldest, stop)


def delete_in_pieces(
    database: Database, wanted: sa.Select[tuple[int]], stop: Callable[[], bool]
) -> int:
    """Delete the lines with the ids that ``wanted`` selects, PIECE of them at most.

    Again and again, until there are fewer, or ``stop`` says so. After each piece others
    have time to write. Returns how many; raises StorageError.
    """
    deleted = 0
    while True:
        with database.write_piece() as connection:
            done = connection.execute(
                sa.delete(decision_log).where(decision_log.c.id.in_(wanted))
            ).rowcount
        deleted += done
        if done < PIECE or stop():
            return deleted


def entry_of(row: sa.Row[Any]) -> LogEntry:
    """Make the line of a row."""
    plain = dict(row._mapping)
    for name in ("mac", "target_mac"):
        plain[name] = None if plain[name] is None else Mac(plain[name])
    del plain["minute"]
    for name in ("at", "last_at"):
        plain[name] = None if plain[name] is None else from_us(plain[name])
    return LogEntry(row_id=plain.pop("id"), **plain)


def statements(
    rows: Sequence[Sequence[Any]], mark: str
) -> Iterator[tuple[str, list[Any]]]:
    """Insert statements for these rows, with as many rows in each as there may be.

    One statement is one call into the database, however many rows it has; the driver
    lets other threads run meanwhile, and waits for them once only. ``mark`` is the
    driver's placeholder. SQLite allows 32,766 values a statement, PostgreSQL 65,535.
    """
    start = 0
    while start < len(rows):
        part = rows[start : start + MAX_ROWS]
        yield _insert(len(part), mark), [value for row in part for value in row]
        start += len(part)


def counting(mark: str) -> str:
    """Statement that begins a counted line, or adds to the one there is.

    Its values are those of ``LogEntry.values``, then times, last_at, network, minute.
    """
    names = (*COLUMNS, "times", "last_at", "network", "minute")
    later = "MAX" if mark == "?" else "GREATEST"
    table = decision_log.name
    return (
        f"INSERT INTO {table} ({_quoted(names)}) "  # noqa: S608 - our own names
        f"VALUES ({','.join([mark] * len(names))}) "
        "ON CONFLICT (minute, network, kind, reason) WHERE network IS NOT NULL "
        f"DO UPDATE SET times = {table}.times + excluded.times, "
        f"last_at = {later}({table}.last_at, excluded.last_at)"
    )


def _quoted(names: Sequence[str]) -> str:
    return ",".join(f'"{name}"' for name in names)


MAX_ROWS = 64
"""Rows in one insert statement."""

_inserts: dict[tuple[int, str], str] = {}


def _insert(count: int, mark: str) -> str:
    statement = _inserts.get((count, mark))
    if statement is None:
        row = "(" + ",".join([mark] * len(COLUMNS)) + ")"
        # SQLite need not keep a copy of each page to undo one statement in a
        # transaction if the whole of it is to go: a third less work.
        verb = "INSERT OR ROLLBACK" if mark == "?" else "INSERT"
        # Names of our own columns only; every value is bound.
        statement = (
            f"{verb} INTO {decision_log.name} ({_quoted(COLUMNS)}) VALUES "
            + ",".join([row] * count)
        )
        _inserts[count, mark] = statement
    return statement

"""The tables, for SQLite and PostgreSQL alike.

Times are microseconds since 1970 UTC, as integers: both databases compare, index and
print them alike. ``migrations/versions`` holds how each table came to be; a test holds
the two against each other.

Columns named ``sealed`` hold what ``secrets.KeyRing`` sealed; nothing else is secret.
"""

from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s"},
)

HEAD = "v0010"
"""The newest migration. A test holds it against ``migrations/versions``."""

# SQLite numbers rows by itself only in a column that is exactly INTEGER.
ROW_NUMBER = BigInteger().with_variant(Integer(), "sqlite")

meta = Table(
    "meta",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)
"""A known text, sealed: ``key_check`` with the key that is in use, which tells a wrong
key file at once; ``key_next`` with the one that a rotation has prepared, if one has."""

servers = Table(
    "servers",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("place", Text, nullable=False),
    Column("run", String(32), nullable=False),
    Column("key_ids", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
"""A server that uses this database: the ids of the keys in its key file, and when it
was last alive. ``place`` is the machine and the file, ``run`` one start of it."""

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("registry", BigInteger, nullable=False),
    Column("layers", BigInteger, nullable=False),
    Column("trust", BigInteger, nullable=False),
)
"""One row. ``registry`` counts every change, the others those of their kind."""

devices = Table(
    "devices",
    metadata,
    Column("mac", String(12), primary_key=True),
    Column("vendor", String(32), nullable=False),
    Column("model", String(64)),
    Column("firmware", String(32)),
    Column("label", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revoked_reason", Text, nullable=False),
    Column("generations", String(64)),
    Column("token_sha256", String(64)),
    Column("token_used_at", BigInteger),
    Column("digest_username", Text),
    Column("digest_realm", Text),
    Column("layer", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""A phone; ``layer`` is JSON without its secrets, which are in ``sealed``."""

layers = Table(
    "layers",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("layer", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""``fleet`` or ``model:D785``. A device's own layer is in ``devices``."""

secret_names = Table(
    "secret_names",
    metadata,
    Column("name", String(128), primary_key=True),
    Column("marked_at", BigInteger, nullable=False),
)
"""Settings' names, in lower case, that the operator marked as secrets."""

vendor_cas = Table(
    "vendor_cas",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("der", LargeBinary, nullable=False),
    Column("role", String(16), nullable=False),
    Column("rule", String(16)),
    Column("vendor", String(32)),
    Column("added_at", BigInteger, nullable=False),
)
"""``rule`` and ``vendor`` are the operator's word on its phones; NULL: he said nothing.
What the catalogue and the certificate itself say is not stored."""

decision_log = Table(
    "decision_log",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("detail", Text, nullable=False),
    Column("cure", Text),
    Column("mac", String(12)),
    Column("target_mac", String(12)),
    Column("resource", Text, nullable=False),
    Column("status", Integer),
    Column("peer", String(64), nullable=False),
    Column("peer_port", Integer, nullable=False),
    Column("tls_version", String(16)),
    Column("suite", String(64)),
    Column("fingerprint", String(64)),
    Column("policy", String(32)),
    Column("server_name", Text),
    Column("certificate_sha256", String(64)),
    Column("vendor", String(32)),
    Column("generation", String(16)),
    Column("user_agent", Text),
    Column("times", Integer, nullable=False, server_default="1"),
    Column("last_at", BigInteger),
    Column("network", String(64)),
    Column("minute", BigInteger),
    Index(None, "at"),
    Index(
        None,
        "minute",
        "network",
        "kind",
        "reason",
        unique=True,
        sqlite_where=text("network IS NOT NULL"),
        postgresql_where=text("network IS NOT NULL"),
    ),
)
"""Who asked for what, and what was decided; refused handshakes too.

A line with ``network`` counts refusals of strangers (``strangers``): ``times`` of them
from ``at`` to ``last_at`` in one minute since 1970; the other columns are the first's.

No index on the MACs: each group of lines would touch a page for each phone in it, which
took a third of the time to write them; ``--mac`` looks from the newest line backwards.
"""

digest_attempts = Table(
    "digest_attempts",
    metadata,
    Column("scope", String(96), primary_key=True),
    Column("mac", String(12)),
    Column("wrong", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("forgotten_at", BigInteger, nullable=False),
)
"""Wrong answers to HTTP digest challenges (``provisioning.brake``), counted for a
device and a source, a device, a source, or a device from its own place. Bounded; rows
go when they are forgotten."""

digest_places = Table(
    "digest_places",
    metadata,
    Column("mac", String(12), primary_key=True),
    Column("source", String(64), nullable=False),
    Column("leaf", String(64)),
)
"""Where a device last proved itself by HTTP digest: source, certificate's SHA-256."""
refusal_lines = Table(
    "refusal_lines",
    metadata,
    Column("day", BigInteger, primary_key=True, autoincrement=False),
    Column("who", String(16), primary_key=True),
    Column("lines", BigInteger, nullable=False),
)
"""Refusals of one day (since 1970, UTC) about one phone, ``p`` or ``c`` and its MAC for
proved or claimed; an empty ``who``: those beyond the first of each phone."""

api_tokens = Table(
    "api_tokens",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("token_sha256", String(64), nullable=False),
    Column("scope", String(16), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("used_at", BigInteger),
    Index(None, "token_sha256", unique=True),
)
"""A bearer token of the API: its hash, and what it may do."""

changes = Table(
    "changes",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
    Column("place", String(64), nullable=False),
    Column("action", String(16), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("details", Text, nullable=False),
    Index(None, "at"),
    Index(None, "subject"),
)
"""Who changed what (``store.changes``): ``details`` is JSON, without any secret."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Microseconds since 1970 UTC of an aware time."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """Return the aware UTC time of microseconds since 1970."""
    return _EPOCH + us * _MICROSECOND

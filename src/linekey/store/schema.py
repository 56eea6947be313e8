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

HEAD = "v0022"
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

LIST_COLUMNS = (
    "mac", "label", "model", "firmware", "vendor", "state", "group", "revoked_reason",
    "changed_at",
)  # fmt: skip
"""What lists of phones are searched, filtered and ordered by. SQLite has an index of
all of them, so that it need not go through the long layers; PostgreSQL's indexes have
no room for a long label (docs/decisions/0022)."""

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
    Column("group", String(48)),
    Column("generations", String(64)),
    Column("token_sha256", String(64)),
    Column("token_used_at", BigInteger),
    Column("digest_username", Text),
    Column("digest_realm", Text),
    Column("layer", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("waited", Integer, nullable=False, server_default="0"),
    Column("registered_at", BigInteger),
    Column("expired", String(16)),
    Index(None, "group", "mac"),
)
"""A phone; ``layer`` is JSON without its secrets, which are in ``sealed``. ``waited``
is 1 if it got a waiting file before it was registered; ``expired`` what its certificate
is worth after its end (``provisioning.expired``), NULL: as its group or its CA says."""

Index("ix_devices_list", *(devices.c[n] for n in LIST_COLUMNS)).ddl_if("sqlite")
Index("ix_devices_state", devices.c.state, devices.c.mac).ddl_if("postgresql")

groups = Table(
    "groups",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("note", Text, nullable=False),
    Column("authorities", Text),
    Column("policies", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""A group of phones (``provisioning.group``); ``authorities`` and ``policies`` are
JSON. Its layer is in ``layers``."""

layers = Table(
    "layers",
    metadata,
    Column("scope", String(80), primary_key=True),
    Column("layer", Text, nullable=False),
    Column("sealed", LargeBinary),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""``fleet``, ``group:acme`` or ``model:D785``. A device's own is in ``devices``."""

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
    Column("pending", String(16)),
    Column("expired", String(16)),
)
"""``rule`` and ``vendor`` are the operator's word on its phones, ``pending`` on those
that nobody registered (``provisioning.pending``), ``expired`` on those whose
certificates have ended (``provisioning.expired``); NULL: he said nothing. What the
catalogue and the certificate itself say is not stored."""

_ITS_OWN = "mac IS NOT NULL"
_ANOTHERS = "target_mac IS NOT NULL AND (mac IS NULL OR mac <> target_mac)"

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
    Column("group", String(48)),
    Index(None, "outcome", "reason"),
    Index(
        None,
        "group",
        "at",
        sqlite_where=text('"group" IS NOT NULL'),
        postgresql_where=text('"group" IS NOT NULL'),
    ),
    Index(
        None,
        "mac",
        sqlite_where=text(_ITS_OWN),
        postgresql_where=text(_ITS_OWN),
    ),
    Index(
        None,
        "target_mac",
        sqlite_where=text(_ANOTHERS),
        postgresql_where=text(_ANOTHERS),
    ),
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
``group`` is that of the phone whose record was looked at, as it was then.

A phone's lines are found by two indexes: those of the phone itself, and the few where
somebody else asked for its file, or nobody proved to be it.
"""

LOG_COLUMNS = (
    "at", "kind", "outcome", "reason", "peer", "vendor", "status", "policy",
    "tls_version", "group",
)  # fmt: skip
"""What decisions are filtered by, their certificate and texts excepted: an index has
all of them, so that no whole lines are gone through; by time, so that new lines go to
its end (docs/decisions/0003)."""
Index("ix_decision_log_list", *(decision_log.c[n] for n in LOG_COLUMNS))

FEW_VALUES = ("vendor", "status", "kind", "policy", "tls_version")
"""What most lines say alike. PostgreSQL keeps equal entries of an index as one, so two
narrow ones have less to go through than the wide one (docs/decisions/0038); SQLite
keeps them all."""
Index("ix_decision_log_filters", *(decision_log.c[n] for n in FEW_VALUES)).ddl_if(
    "postgresql"
)
Index("ix_decision_log_peer", decision_log.c.peer).ddl_if("postgresql")

sightings = Table(
    "sightings",
    metadata,
    Column("mac", String(12), primary_key=True),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("reason", String(64)),
    Column("outcome", String(16)),
    Column("refused_at", BigInteger, index=True),
    Column("certificate_sha256", String(64)),
    Column("issuer_key_sha256", String(64)),
    Column("certificate_ends_at", BigInteger, index=True),
    Column("generation", String(16), index=True),
    Column("user_agent", Text),
    Column("peer", String(64), nullable=False),
    Column("group", String(64)),
    Column("group_since", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""What a registered phone's visits say of it (``store.sightings``), apart from its
record, which no visit changes. No index on ``last_at``: each visit would move it."""

pending = Table(
    "pending",
    metadata,
    Column("mac", String(12), primary_key=True),
    Column("state", String(16), nullable=False, server_default="open"),
    Column("refused_reason", Text, nullable=False, server_default=""),
    Column("code", String(8), nullable=False),
    Column("vendor", String(32), nullable=False),
    Column("model", String(64)),
    Column("model_by", String(16)),
    Column("generation", String(16)),
    Column("issuer", Text, nullable=False),
    Column("issuer_key_sha256", String(64)),
    Column("certificate_sha256", String(64)),
    Column("certificate_ends_at", BigInteger),
    Column("user_agent", Text),
    Column("peer", String(64), nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("waited", Integer, nullable=False),
    Column("group", String(48)),
    sqlite_with_rowid=False,
)
"""A phone that proved itself and that nobody registered (``store.pending``); ``state``
is ``open`` or ``refused``, the operator's word. Bounded (``pending.keep``)."""

adoption_rules = Table(
    "adoption_rules",
    metadata,
    Column("name", String(48), primary_key=True),
    Column("ranges", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("group", String(48)),
    Column("model", String(64)),
    Column("vendor", String(32), nullable=False),
    Column("adopts", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""Which phones the operator expects (``provisioning.pending``); ``ranges`` is JSON, a
pair of MACs each."""

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
    Column("groups", Text),
    Index(None, "token_sha256", unique=True),
)
"""A bearer token of the API: its hash, what it may do, and in which groups (JSON);
NULL: in all, and beyond."""

users = Table(
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("groups", Text),
    Column("password", Text),
    Column("issuer", Text),
    Column("subject", String(255)),
    Column("language", String(8)),
    Column("source", String(64)),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("used_at", BigInteger),
)
"""A user of the console (``store.users``): ``password`` is an argon2 hash; ``issuer``
and ``subject`` are who it is at an identity provider; ``source`` is where it last
logged in from; ``groups`` as for a token."""

sessions = Table(
    "sessions",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user", String(64), nullable=False, index=True),
    Column("way", String(16), nullable=False),
    Column("address", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("proved_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=False),
)
"""A browser that is logged in: the hash of its cookie. ``proved_at`` is when the user
last proved to be it, ``used_at`` the last use, a minute exactly."""

log_in_links = Table(
    "log_in_links",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user", String(64), nullable=False),
    Column("ends_at", BigInteger, nullable=False),
)
"""A link that logs a user in once."""

log_in_attempts = Table(
    "log_in_attempts",
    metadata,
    Column("scope", String(160), primary_key=True),
    Column("wrong", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("forgotten_at", BigInteger, nullable=False),
)
"""Wrong passwords (``store.log_ins``), counted for a user and a source, a user, a
source. Bounded; rows go when they are forgotten."""

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
    Column("group", String(48)),
    Column("left_group", String(48)),
    Index(None, "at"),
    Index(None, "subject"),
    Index(None, "group", "at"),
)
"""Who changed what (``store.changes``): ``details`` is JSON, without any secret;
``group`` is that of the phone or layer, ``left_group`` the one that a phone was moved
from, empty for none."""

alerts = Table(
    "alerts",
    metadata,
    Column("kind", String(32), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("cause", String(128), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("cure", Text, nullable=False),
    Column("mac", String(12)),
    Column("text", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("since_at", BigInteger, nullable=False),
    Column("told_at", BigInteger),
    Column("over_at", BigInteger),
)
"""An alert that holds, or did a moment ago (``store.alerts``). ``told_at``: when it was
put into a message; NULL: it waits. ``size``: how many phones it was about then."""

messages = Table(
    "messages",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=True),
    Column("message", String(64), nullable=False),
    Column("target", String(64), nullable=False),
    Column("label", Text, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("body", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("next_at", BigInteger),
    Column("tried_at", BigInteger),
    Column("problem", Text, nullable=False),
    Index(None, "state", "next_at"),
)
"""A message for one target (``store.outbox``); ``body`` is JSON without any secret,
``state`` waiting, sent or undelivered."""

leases = Table(
    "leases",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until_at", BigInteger, nullable=False),
    Column("since_at", BigInteger),
)
"""What one process at a time does for all (``store.leases``), and since when it is done
at all; NULL: it was not done once."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(at: datetime) -> int:
    """Microseconds since 1970 UTC of an aware time."""
    return (at - _EPOCH) // _MICROSECOND


def from_us(us: int) -> datetime:
    """Return the aware UTC time of microseconds since 1970."""
    return _EPOCH + us * _MICROSECOND

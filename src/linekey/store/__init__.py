"""What linekey remembers: devices, layers, vendor CAs, and every decision.

One schema (``schema``) for SQLite in the state folder (``paths``) and for PostgreSQL,
brought up to date by ``database.open_database``. ``devices``, ``layers`` and
``vendor_cas`` are what the operator changes; ``registry`` is how the server reads
them, at every request anew; ``decision_log`` writes what was decided and answers only
when it is on disk; ``decisions`` reads it back.

Rules: secrets are sealed (``secrets``) before they reach the database, with a key that
is not in it. Every change of the registry raises its counters in the same transaction,
so that what is revoked is revoked for every worker at its next request.
"""

"""What Alembic runs: the steps, on the connection that ``database`` hands over.

Rule: the caller holds the lock and the transaction; nothing here opens or commits.
"""

from alembic import context

from linekey.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction is around all steps
)
context.run_migrations()

"""What Alembic runs: the migrations on the connection that ``run.upgrade`` hands over, one transaction each."""

from __future__ import annotations

from alembic import context

from postscope.backend.tables import Base


def run_migrations() -> None:
    """Bring the database behind the given connection up to the wanted revision."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=Base.metadata,
        transaction_per_migration=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run_migrations()

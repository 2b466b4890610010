"""What people say of a head before enough posts came in to compare distributions."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Rows that are there have both.
    for column in ("embedding", "score"):
        op.alter_column("head_drift", column, nullable=True)

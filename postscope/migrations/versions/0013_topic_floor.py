"""How far off from its topic a post may lie."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Not known of topics that are there; the next discovery measures it.
    op.add_column("topics", sa.Column("floor", sa.Float(), nullable=True))

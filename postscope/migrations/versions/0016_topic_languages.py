"""What languages do to vectors, kept for posts that come in between discoveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Empty at first: until the next discovery posts are asked about as they are, as before.
    op.create_table(
        "topic_languages",
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("offset", sa.LargeBinary(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("space", "language", name=op.f("pk_topic_languages")),
    )

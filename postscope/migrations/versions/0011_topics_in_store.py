"""What the vector store was told of each post's topic, so that searches can filter by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    # Nobody was told anything so far, so that every post that is in a topic is due, and the sweep tells of it.
    op.add_column("topic_members", sa.Column("told_topic_id", sa.Uuid(), nullable=True))
    op.add_column("topic_members", sa.Column("told_subtopic_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_topic_members_due",
        "topic_members",
        ["post_id"],
        unique=False,
        postgresql_where=sa.text(
            "topic_id IS DISTINCT FROM told_topic_id OR subtopic_id IS DISTINCT FROM told_subtopic_id"
        ),
    )

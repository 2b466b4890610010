"""Near-duplicates: fingerprints, pairs and groups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _fingerprints()


def _fingerprints() -> None:
    op.create_table(
        "fingerprinted",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("failures", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_fingerprinted_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_fingerprinted")),
    )
    op.create_table(
        "fingerprints",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("media_id", sa.Uuid(), nullable=True),
        sa.Column("frame", sa.Integer(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("quality", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_fingerprints_media_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_fingerprints_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_fingerprints")),
    )
    op.create_index("ix_fingerprints_catch_up", "fingerprints", ["kind", "seq"], unique=False)
    op.create_index(
        "ix_fingerprints_exact",
        "fingerprints",
        ["kind", "value"],
        unique=False,
        postgresql_where=sa.text("kind IN ('md5', 'sha256', 'text')"),
    )
    op.create_index(op.f("ix_fingerprints_media_id"), "fingerprints", ["media_id"], unique=False)
    op.create_index(op.f("ix_fingerprints_post_id"), "fingerprints", ["post_id"], unique=False)

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
    _groups()
    _sizes()


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


def _groups() -> None:
    op.create_table(
        "duplicate_groups",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("anchor_id", sa.Uuid(), nullable=True),
        sa.Column("size", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["anchor_id"], ["posts.id"], name=op.f("fk_duplicate_groups_anchor_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duplicate_groups")),
        sa.UniqueConstraint("anchor_id", name=op.f("uq_duplicate_groups_anchor_id")),
    )
    op.create_index(op.f("ix_duplicate_groups_size_id"), "duplicate_groups", ["size", "id"], unique=False)
    op.create_index(
        "ix_duplicate_groups_orphans",
        "duplicate_groups",
        ["id"],
        unique=False,
        postgresql_where=sa.text("anchor_id IS NULL"),
    )
    op.create_table(
        "duplicate_members",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("group_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["group_id"], ["duplicate_groups.id"], name=op.f("fk_duplicate_members_group_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_duplicate_members_post_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_duplicate_members")),
    )
    op.create_index(op.f("ix_duplicate_members_group_id"), "duplicate_members", ["group_id"], unique=False)
    op.create_table(
        "duplicate_pairs",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("other_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint("post_id <> other_id", name=op.f("ck_duplicate_pairs_two_posts")),
        sa.ForeignKeyConstraint(
            ["other_id"], ["posts.id"], name=op.f("fk_duplicate_pairs_other_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_duplicate_pairs_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post_id", "other_id", name=op.f("pk_duplicate_pairs")),
    )
    op.create_index(op.f("ix_duplicate_pairs_other_id"), "duplicate_pairs", ["other_id"], unique=False)


def _sizes() -> None:
    # Members also go with their posts, so the database itself keeps count. A group of one is none.
    op.execute(
        """
        CREATE FUNCTION duplicate_group_size() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'INSERT' THEN
                UPDATE duplicate_groups SET size = size + 1 WHERE id = NEW.group_id;
            ELSIF TG_OP = 'UPDATE' THEN
                UPDATE duplicate_groups SET size = size + 1 WHERE id = NEW.group_id;
                UPDATE duplicate_groups SET size = size - 1 WHERE id = OLD.group_id;
                DELETE FROM duplicate_groups WHERE id = OLD.group_id AND size < 2;
            ELSE
                UPDATE duplicate_groups SET size = size - 1 WHERE id = OLD.group_id;
                DELETE FROM duplicate_groups WHERE id = OLD.group_id AND size < 2;
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER duplicate_group_size AFTER INSERT OR DELETE OR UPDATE OF group_id ON duplicate_members "
        "FOR EACH ROW EXECUTE FUNCTION duplicate_group_size()"
    )

"""Topics, their lineage and what people said of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Rather give up and be run again than queue every query of the service behind a lock that does not come.
    op.execute("SET LOCAL lock_timeout = '5s'")
    _edits()
    _topics()
    _edit_posts()
    _exclusions()
    _layout()
    _lineage()
    _members()


def _edits() -> None:
    op.create_table(
        "topic_edits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("touched", sa.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("params", postgresql.JSONB(), nullable=False),
        sa.Column("before", postgresql.JSONB(), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic_edits")),
    )
    op.create_index(op.f("ix_topic_edits_touched"), "topic_edits", ["touched"], unique=False, postgresql_using="gin")


def _topics() -> None:
    op.create_table(
        "topics",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("space", sa.Text(), nullable=False),
        sa.Column("layer", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("named_by", sa.Text(), nullable=True),
        sa.Column("keywords", postgresql.JSONB(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("summary", postgresql.JSONB(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("pinned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("absorbs", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("reach", sa.Float(), nullable=False),
        sa.Column("seed", postgresql.JSONB(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("born_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(state = 'merged') = (merged_into IS NOT NULL)", name=op.f("ck_topics_merged")),
        sa.CheckConstraint("kind IN ('discovered', 'watch', 'split', 'burst')", name=op.f("ck_topics_kind")),
        sa.CheckConstraint("layer IN ('theme', 'topic', 'subtopic')", name=op.f("ck_topics_layer")),
        sa.CheckConstraint("state IN ('candidate', 'active', 'dead', 'merged')", name=op.f("ck_topics_state")),
        sa.ForeignKeyConstraint(["merged_into"], ["topics.id"], name=op.f("fk_topics_merged_into")),
        sa.ForeignKeyConstraint(["parent_id"], ["topics.id"], name=op.f("fk_topics_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topics")),
    )
    op.create_index(op.f("ix_topics_parent_id"), "topics", ["parent_id"], unique=False)
    op.create_index(op.f("ix_topics_state_layer"), "topics", ["state", "layer"], unique=False)


def _edit_posts() -> None:
    op.create_table(
        "topic_edit_posts",
        sa.Column("edit_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=True),
        sa.Column("subtopic_id", sa.Uuid(), nullable=True),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("corrected_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["edit_id"], ["topic_edits.id"], name=op.f("fk_topic_edit_posts_edit_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_topic_edit_posts_post_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("edit_id", "post_id", name=op.f("pk_topic_edit_posts")),
    )
    op.create_index(op.f("ix_topic_edit_posts_post_id"), "topic_edit_posts", ["post_id"], unique=False)


def _exclusions() -> None:
    op.create_table(
        "topic_exclusions",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=False),
        sa.Column("edit_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["edit_id"], ["topic_edits.id"], name=op.f("fk_topic_exclusions_edit_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_topic_exclusions_post_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"], name=op.f("fk_topic_exclusions_topic_id")),
        sa.PrimaryKeyConstraint("post_id", "topic_id", name=op.f("pk_topic_exclusions")),
    )


def _layout() -> None:
    op.create_table(
        "topic_layout",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_topic_layout_post_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_topic_layout")),
    )


def _lineage() -> None:
    op.create_table(
        "topic_lineage",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("edit_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_id", sa.Uuid(), nullable=True),
        sa.Column("to_id", sa.Uuid(), nullable=True),
        sa.Column("overlap", sa.Float(), nullable=True),
        sa.Column("similarity", sa.Float(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('birth', 'continue', 'revive', 'merge', 'split', 'death')", name=op.f("ck_topic_lineage_kind")
        ),
        sa.ForeignKeyConstraint(["from_id"], ["topics.id"], name=op.f("fk_topic_lineage_from_id")),
        sa.ForeignKeyConstraint(["to_id"], ["topics.id"], name=op.f("fk_topic_lineage_to_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_topic_lineage")),
    )
    op.create_index(op.f("ix_topic_lineage_from_id"), "topic_lineage", ["from_id"], unique=False)
    op.create_index(op.f("ix_topic_lineage_run_id"), "topic_lineage", ["run_id"], unique=False)
    op.create_index(op.f("ix_topic_lineage_to_id"), "topic_lineage", ["to_id"], unique=False)


def _members() -> None:
    op.create_table(
        "topic_members",
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("topic_id", sa.Uuid(), nullable=True),
        sa.Column("subtopic_id", sa.Uuid(), nullable=True),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=True),
        sa.Column("corrected_by", sa.Text(), nullable=True),
        sa.Column("assigned_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name=op.f("fk_topic_members_post_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subtopic_id"], ["topics.id"], name=op.f("fk_topic_members_subtopic_id")),
        sa.ForeignKeyConstraint(["topic_id"], ["topics.id"], name=op.f("fk_topic_members_topic_id")),
        sa.PrimaryKeyConstraint("post_id", name=op.f("pk_topic_members")),
    )
    op.create_index(op.f("ix_topic_members_assigned_at"), "topic_members", ["assigned_at"], unique=False)
    op.create_index(op.f("ix_topic_members_subtopic_id"), "topic_members", ["subtopic_id"], unique=False)
    op.create_index(op.f("ix_topic_members_topic_id_post_id"), "topic_members", ["topic_id", "post_id"], unique=False)
